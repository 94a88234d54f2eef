// A world behind a packet filter: connections arrive as if redirected on their way to an
// outside address.

package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// redirectConfig is worldConfig with destinations that are bound to an address: a server on
// several ports, and a database.
const redirectConfig = worldConfig + `
[[rule]]
id     = "bound"
client = "lab"
to     = ["8.8.8.5", "own.example"]
tcp    = [80, 443, 1433]
reason = "test"
`

// unlisted is an address that no permitted name has.
const unlisted = "9.9.9.9"

// A redirectWorld is a world with a transparent listener.
type redirectWorld struct {
	*world
	addr netip.AddrPort // of the listener

	mu        sync.Mutex
	change    *sync.Cond
	originals map[netip.AddrPort]netip.AddrPort // a client's own address -> the original destination
	pins      map[netip.Addr][]rules.Name
	closed    bool
}

// newRedirectWorld starts a proxy with a transparent listener, for REDIRECT. change may be nil.
func newRedirectWorld(t testing.TB, change func(*Config)) *redirectWorld {
	t.Helper()
	return newFilteredWorld(t, change, (*Proxy).ServeTransparent)
}

// newDivertedWorld does the same for TPROXY.
func newDivertedWorld(t testing.TB) *redirectWorld {
	t.Helper()
	return newFilteredWorld(t, nil, (*Proxy).ServeTPROXY)
}

// newFilteredWorld starts a proxy whose listener is served by serve.
func newFilteredWorld(t testing.TB, change func(*Config), serve func(*Proxy, context.Context, net.Listener) error) *redirectWorld {
	t.Helper()
	b := &redirectWorld{originals: map[netip.AddrPort]netip.AddrPort{}, pins: map[netip.Addr][]rules.Name{}}
	b.change = sync.NewCond(&b.mu)
	b.world = newWorld(t, func(c *Config) {
		lookup := c.Lookup
		c.Lookup = func(ctx context.Context, g *rules.Generation, n rules.Name) ([]netip.Addr, error) {
			if n.String() == "own.example" {
				return []netip.Addr{netip.MustParseAddr("8.8.8.5")}, nil
			}
			return lookup(ctx, g, n)
		}
		c.originalDst, c.localDst, c.Pinned = b.original, b.local, b.pinned
		if change != nil {
			change(c)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Listen(ctx, "tcp", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Add(1)
	go func() {
		defer served.Done()
		if err := serve(b.p, ctx, l); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		b.mu.Lock()
		b.closed = true
		b.change.Broadcast()
		b.mu.Unlock()
		cancel()
		served.Wait()
	})
	b.addr = unmapped(l.Addr())
	b.own.Listeners = append(b.own.Listeners, b.addr)
	b.policy(redirectConfig)
	return b
}

// original stands in for the kernel. The connection may be accepted before the test has set its
// original destination.
func (b *redirectWorld) original(conn *net.TCPConn) (netip.AddrPort, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if to, ok := b.originals[unmapped(conn.RemoteAddr())]; ok {
			if !to.IsValid() {
				return to, errors.New("no such entry")
			}
			return to, nil
		}
		if b.closed {
			return netip.AddrPort{}, errors.New("the test is over")
		}
		b.change.Wait()
	}
}

// local stands in for the kernel with TPROXY.
func (b *redirectWorld) local(conn *net.TCPConn) netip.AddrPort {
	to, _ := b.original(conn)
	return to
}

func (b *redirectWorld) pinned(client, addr netip.Addr) []rules.Name {
	b.mu.Lock()
	defer b.mu.Unlock()
	if client != netip.MustParseAddr("127.0.0.1") {
		return nil
	}
	return b.pins[addr]
}

// pin sets the pins as if the DNS filter had answered the client with addr for each name.
func (b *redirectWorld) pin(addr string, names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := netip.MustParseAddr(addr)
	for _, n := range names {
		b.pins[a] = append(b.pins[a], proxytest.Name(b.t, n))
	}
}

// to returns a client's connection with the original destination dst; "" stands for a
// destination that the kernel does not know.
func (b *redirectWorld) to(dst string) *net.TCPConn {
	b.t.Helper()
	conn := b.dial(b.addr)
	var original netip.AddrPort
	if dst != "" {
		original = netip.MustParseAddrPort(dst)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.originals[unmapped(conn.LocalAddr())] = original
	b.change.Broadcast()
	return conn
}

// exchangeTo does for HTTP what to does.
func (b *redirectWorld) exchangeTo(dst, text string) *exchange {
	b.t.Helper()
	e := &exchange{w: b.world, conn: b.to(dst)}
	e.r = bufio.NewReader(e.conn)
	e.send(text)
	return e
}

// How a connection can end for its client.
const (
	endsRelayed = "relayed" // the connection has not ended: the destination echoes
	endsAlert   = "alert"
	endsPage    = "page"
	endsReset   = "reset"
)

// wantEndOf reads to the end and checks how the connection ended. reason is the reason on a
// denial page.
func (b *redirectWorld) wantEndOf(conn *net.TCPConn, end string, reason rules.Reason) {
	b.t.Helper()
	got, err := io.ReadAll(conn)
	conn.Close()
	switch end {
	case endsAlert:
		if string(got) != alert || err != nil {
			b.t.Errorf("got %q, %v, want the alert access_denied", got, err)
		}
	case endsPage:
		if !strings.Contains(string(got), "\r\nX-Sallyport-Reason: "+reason.String()+"\r\n") || err != nil {
			b.t.Errorf("got %q, %v, want a page with %v", got, err, reason)
		}
	case endsReset:
		if len(got) > 0 || err == nil {
			b.t.Errorf("got %q, %v, want a reset", got, err)
		}
	}
}

// wantStatus reads one answer and the end after it.
func (e *exchange) wantStatus(status int, reason string) {
	e.w.t.Helper()
	e.want(status, reason)
	e.wantEnd()
	e.conn.Close()
}

// wantNoTrace checks that nothing was looked up and nothing connected.
func (b *redirectWorld) wantNoTrace() {
	b.t.Helper()
	if len(b.dialed()) > 0 || len(b.lookedUp()) > 0 {
		b.t.Errorf("looked up %v, dialed %v", b.lookedUp(), b.dialed())
	}
}
