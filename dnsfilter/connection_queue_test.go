// Bursts of connections, and the connection queue itself.

package dnsfilter

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"sallyport/rules"
)

// backlog is a listener that reports when it has accepted a number of
// connections.
type backlog struct {
	net.Listener
	left sync.WaitGroup
	mu   sync.Mutex
	n    int
}

func (b *backlog) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n > 0 && err == nil {
		b.n--
		b.left.Done()
	}
	return conn, err
}

// TestBurstOfConnections asserts that all connections of one client that waited
// in a listening socket are served, if each has one query. This holds even if
// they are more than the client's quota.
func TestBurstOfConnections(t *testing.T) {
	const burst = 100 // of one client, in the second that a restart takes
	b := newHarness(t, func(c *setup) { c.Now = time.Now }, "a.example")
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &backlog{Listener: inner, n: burst}
	ln.left.Add(burst)
	query := framed(packed(t, question("a.example.", dns.TypeA)))
	var clients sync.WaitGroup
	for range burst {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(query); err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		clients.Go(func() {
			defer conn.Close()
			ln.left.Wait() // none closes before all were accepted
			if n, err := io.ReadFull(conn, make([]byte, 14)); err != nil {
				t.Errorf("read %d octets, %v", n, err)
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, nil, []net.Listener{ln}) }()
	clients.Wait()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if b.conns.held.Held() != 0 || len(b.conns.waiting) != 0 {
		t.Errorf("at the end %d connections are held, %d wait", b.conns.held.Held(), len(b.conns.waiting))
	}
}

// TestConnQueue asserts, for random sequences, that counted connections never
// exceed the limits, that no connection waits while there is room, that no
// client has more waiting connections than allowed, and that a connection holds
// nothing after its timeout.
func TestConnQueue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most, each := rapid.IntRange(1, 6).Draw(rt, "most"), rapid.IntRange(1, 4).Draw(rt, "each")
		line, lineEach := rapid.IntRange(0, 5).Draw(rt, "line"), rapid.IntRange(1, 3).Draw(rt, "line of each")
		u := newConnQueue()
		u.held.Set(most, each)
		u.setQueue(line, lineEach)
		var held []rules.QuotaKey
		var waits []*queuedConn
		come := func() { // moves the connections admitted in the meantime from waits to held
			kept := waits[:0]
			for _, w := range waits {
				select {
				case <-w.admitted:
					held = append(held, w.client)
				default:
					kept = append(kept, w)
				}
			}
			waits = kept
		}
		of := func(by rules.QuotaKey) (h, w int) {
			for _, x := range held {
				if x == by {
					h++
				}
			}
			for _, x := range waits {
				if x.client == by {
					w++
				}
			}
			return h, w
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			by := rules.QuotaKey{Source: netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 2).Draw(rt, "client"))})}
			switch rapid.SampledFrom([]string{"enter", "enter", "give", "time is over"}).Draw(rt, "step") {
			case "enter":
				h, w := of(by)
				room, place := len(held) < most && h < each, len(waits) < line && w < lineEach
				got, ok := u.enter(by)
				if ok != (room || place) || (got == nil) == (ok && !room) {
					rt.Fatalf("enter: %v, %t, with room: %t, a place: %t", got, ok, room, place)
				}
				if got != nil {
					waits = append(waits, got)
				} else if ok {
					held = append(held, by)
				}
			case "give":
				if len(held) > 0 {
					i := rapid.IntRange(0, len(held)-1).Draw(rt, "which")
					by := held[i]
					held = append(held[:i], held[i+1:]...)
					u.release(by)
				}
			case "time is over":
				if len(waits) > 0 && u.await(waits[0], 0) {
					rt.Fatal("a waiting connection was admitted without room")
				} else if len(waits) > 0 {
					waits = waits[1:]
				}
			}
			come()
			if u.held.Held() != len(held) || len(u.waiting) != len(waits) || len(held) > most {
				rt.Fatalf("%d held, %d counted; %d wait, %d kept", len(held), u.held.Held(), len(waits), len(u.waiting))
			}
			for _, w := range waits {
				if h, _ := of(w.client); h < each && len(held) < most {
					rt.Fatalf("%v waits, with %d of %d", w.client, h, each)
				}
			}
		}
	})
}
