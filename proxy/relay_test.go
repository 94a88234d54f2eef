// Relay tests: what goes in comes out, and nothing is held meanwhile.

package proxy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// tcpPair returns the two ends of a loopback connection.
func tcpPair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ca, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cb, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ca.Close(); cb.Close() })
	return ca.(*net.TCPConn), cb.(*net.TCPConn)
}

// relayed is a relay at work between a client and an origin.
type relayed struct {
	client, origin *net.TCPConn
	flow           *flow
	closes         chan rules.Close
}

func startRelay(t testing.TB, l Limits) *relayed { return startSliced(t, l, sliceTime) }

// startSliced is startRelay with splices of another length.
func startSliced(t testing.TB, l Limits, slice time.Duration) *relayed {
	t.Helper()
	closes := make(chan rules.Close, 1)
	p := New(Config{Limits: l, Closed: func(c rules.Close) { closes <- c }})
	p.slice = slice
	client0, client1 := tcpPair(t)
	origin0, origin1 := tcpPair(t)
	c := &client{Conn: peek.Conn{TCP: client1, Pool: &p.buffers}, addr: unmapped(client1.RemoteAddr())}
	f := p.openFlow(c, origin0, rules.Attempt{}, rules.Decision{Verdict: rules.Allow})
	go runRelay(f)
	return &relayed{client0, origin1, f, closes}
}

func runRelay(f *flow) {
	f.done(f.relay(sight{}))
	f.up.Close()
	f.c.TCP.Close()
}

// ended waits for the end of the flow.
func (r *relayed) ended(t testing.TB) rules.Close {
	t.Helper()
	select {
	case c := <-r.closes:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("relay did not end")
	}
	panic("unreachable")
}

func TestRelayCopiesEveryByteBothWays(t *testing.T) {
	const size = 24 << 20
	r := startRelay(t, Limits{})
	var wg sync.WaitGroup
	sums := [4][]byte{}
	send := func(i int, to *net.TCPConn, seed uint64) {
		defer wg.Done()
		src, h := rand.NewChaCha8([32]byte{byte(seed)}), sha256.New()
		rng := rand.New(rand.NewPCG(seed, 1))
		buf := make([]byte, 200<<10)
		for left := size; left > 0; {
			n := min(left, 1+rng.IntN(len(buf)))
			if rng.IntN(3) == 0 {
				n = min(left, 1+rng.IntN(100))
			}
			src.Read(buf[:n])
			h.Write(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				t.Error(err)
				return
			}
			left -= n
		}
		to.CloseWrite()
		sums[i] = h.Sum(nil)
	}
	receive := func(i int, from *net.TCPConn) {
		defer wg.Done()
		h := sha256.New()
		if n, err := io.Copy(h, from); n != size || err != nil {
			t.Errorf("received %d bytes, %v", n, err)
		}
		sums[i] = h.Sum(nil)
	}
	wg.Add(4)
	go send(0, r.client, 1)
	go receive(1, r.origin)
	go send(2, r.origin, 2)
	go receive(3, r.client)
	wg.Wait()
	if !bytes.Equal(sums[0], sums[1]) || !bytes.Equal(sums[2], sums[3]) {
		t.Error("bytes changed on their way")
	}
	if c := r.ended(t); c.BytesIn != size || c.BytesOut != size || c.Cause != rules.EndClean {
		t.Errorf("closed with %d in, %d out, cause %q", c.BytesIn, c.BytesOut, c.Cause)
	}
}

// Slices of a few milliseconds end again and again in the midst of a stream.
func TestRelaySlicesLoseNothing(t *testing.T) {
	const size = 64 << 20
	r := startSliced(t, Limits{}, 3*time.Millisecond)
	h := sha256.New()
	go func() {
		src := rand.NewChaCha8([32]byte{9})
		buf := make([]byte, 128<<10)
		for left := size; left > 0; left -= len(buf) {
			src.Read(buf)
			h.Write(buf)
			r.origin.Write(buf)
		}
		r.origin.Close()
	}()
	got := sha256.New()
	n, err := io.Copy(got, r.client)
	if n != size || err != nil {
		t.Fatalf("received %d bytes, %v", n, err)
	}
	if !bytes.Equal(got.Sum(nil), h.Sum(nil)) {
		t.Error("bytes changed on their way")
	}
	r.client.Close()
	r.ended(t)
}

func TestRelayPassesHalfCloseOn(t *testing.T) {
	r := startRelay(t, Limits{})
	io.WriteString(r.client, "question")
	r.client.CloseWrite()
	if got, err := io.ReadAll(r.origin); string(got) != "question" || err != nil {
		t.Fatalf("origin got %q, %v", got, err)
	}
	io.WriteString(r.origin, "answer")
	r.origin.Close()
	if got, err := io.ReadAll(r.client); string(got) != "answer" || err != nil {
		t.Fatalf("client got %q, %v", got, err)
	}
	if c := r.ended(t); c.Cause != rules.EndClean || c.BytesIn != 8 || c.BytesOut != 6 {
		t.Errorf("closed %+v", c)
	}
}

// A half-closed tunnel whose other side keeps silent ends by its own, shorter limit.
func TestRelayBoundsHalfClosed(t *testing.T) {
	r := startRelay(t, Limits{Idle: time.Minute, HalfClosed: 50 * time.Millisecond})
	r.client.CloseWrite()
	if c := r.ended(t); c.Cause != rules.EndHalfClosed {
		t.Errorf("cause %q", c.Cause)
	}
	wantReset(t, r.client)
}

func TestHalfClosedLimitIsAtMostAMinute(t *testing.T) {
	if got := (Limits{HalfClosed: time.Hour}).withDefaults().HalfClosed; got != time.Minute {
		t.Errorf("limit %v", got)
	}
}

// A reset by one peer must reach the other as a reset: a clean end would make
// a cut-off answer look whole.
func TestRelayPassesResetOn(t *testing.T) {
	for _, from := range []string{"client", "origin"} {
		r := startRelay(t, Limits{})
		src, dst := r.client, r.origin
		if from == "origin" {
			src, dst = dst, src
		}
		io.WriteString(src, "part")
		if _, err := io.ReadFull(dst, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		peek.Reset(src)
		wantReset(t, dst)
		if c := r.ended(t); c.Cause != rules.EndReset {
			t.Errorf("from %s: cause %q", from, c.Cause)
		}
	}
}

// A peer that stops reading for good ends the tunnel even while the other
// direction is busy, and it sees a reset: what was on its way is lost, so
// nothing may follow it.
func TestRelayWriteThatNeverEnds(t *testing.T) {
	for _, chunk := range []int{1 << 10, 256 << 10} { // by buffer, and by splice
		r := startRelay(t, Limits{Idle: 200 * time.Millisecond})
		r.client.SetReadBuffer(1 << 10)
		r.flow.c.TCP.SetWriteBuffer(1 << 10)
		stop := make(chan struct{})
		var writeErr error
		var wg sync.WaitGroup
		wg.Add(2)
		go func() {
			defer wg.Done()
			for buf := make([]byte, chunk); ; {
				if _, err := r.origin.Write(buf); err != nil {
					return
				}
				if chunk < relayBuffer {
					time.Sleep(time.Millisecond) // little at a time
				}
			}
		}()
		go func() {
			defer wg.Done()
			for { // the other direction stays active
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					if _, err := r.client.Write([]byte(".")); err != nil {
						writeErr = err // the kernel tells of a reset once
						return
					}
				}
			}
		}()
		c := r.ended(t)
		close(stop)
		wg.Wait()
		if c.Cause != rules.EndIdle {
			t.Errorf("chunk %d: cause %q", chunk, c.Cause)
		}
		if _, err := io.Copy(io.Discard, r.client); !errors.Is(errors.Join(err, writeErr), syscall.ECONNRESET) {
			t.Errorf("chunk %d: client saw %v and %v, want a reset", chunk, err, writeErr)
		}
	}
}

func wantReset(t testing.TB, c *net.TCPConn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("peer saw %v, want a reset", err)
	}
}
