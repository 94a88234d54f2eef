// Relay tests: all bytes come out, and nothing is held meanwhile.

package relay

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// A relayed is a relay between a client and an origin. It is its own owner.
type relayed struct {
	client, origin *net.TCPConn
	near, far      *net.TCPConn // the relay's ends: to the client, and to the origin
	relay          Relay
	in, out        atomic.Uint64
	closes         chan closed

	mu    sync.Mutex
	cause rules.Cause
}

// closed is how a relay ended.
type closed struct {
	BytesIn, BytesOut uint64
	Cause             rules.Cause
}

// generous are limits that no test reaches.
func generous() Limits { return Limits{Idle: time.Minute, HalfClosed: time.Minute, Slice: Slice} }

func startRelay(t testing.TB, l Limits) *relayed {
	t.Helper()
	r := &relayed{closes: make(chan closed, 1)}
	r.client, r.near = proxytest.TCPPair(t)
	r.far, r.origin = proxytest.TCPPair(t)
	go r.run(l)
	return r
}

func (r *relayed) run(l Limits) {
	r.relay.Start(Config{Owner: r, Client: r.near, Destination: r.far, In: &r.in, Out: &r.out, Started: time.Now(), Limits: l, Buffers: new(Buffers)})
	cause := r.relay.Run()
	r.relay.Finish()
	r.mu.Lock()
	if r.cause != rules.EndClean {
		cause = r.cause
	}
	r.mu.Unlock()
	r.closes <- closed{r.in.Load(), r.out.Load(), cause}
	r.far.Close()
	r.near.Close()
}

// Abort resets both ends.
func (r *relayed) Abort(cause rules.Cause) {
	r.mu.Lock()
	if r.cause == rules.EndClean {
		r.cause = cause
	}
	r.mu.Unlock()
	reset(r.far)
	reset(r.near)
}

// Recover does nothing: a panic fails the test.
func (r *relayed) Recover() {}

// reset closes so that the peer sees a reset.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}

// ended waits for the end of the relay.
func (r *relayed) ended(t testing.TB) closed {
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
	t.Parallel()
	const size = 24 << 20
	r := startRelay(t, generous())
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

// Slices of a few milliseconds end again and again in the middle of a stream.
func TestRelaySlicesLoseNothing(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	r := startRelay(t, Limits{Idle: time.Minute, HalfClosed: time.Minute, Slice: 3 * time.Millisecond})
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
	t.Parallel()
	r := startRelay(t, generous())
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

// A half-closed relay whose other side is silent ends by its own, shorter limit.
func TestRelayBoundsHalfClosed(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Limits{Idle: time.Minute, HalfClosed: 50 * time.Millisecond, Slice: Slice})
	r.client.CloseWrite()
	if c := r.ended(t); c.Cause != rules.EndHalfClosed {
		t.Errorf("cause %q", c.Cause)
	}
	wantReset(t, r.client)
}

// A reset by one peer reaches the other as a reset: a clean end would make a cut answer look
// complete.
func TestRelayPassesResetOn(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"client", "origin"} {
		r := startRelay(t, generous())
		src, dst := r.client, r.origin
		if from == "origin" {
			src, dst = dst, src
		}
		io.WriteString(src, "part")
		if _, err := io.ReadFull(dst, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		reset(src)
		wantReset(t, dst)
		if c := r.ended(t); c.Cause != rules.EndReset {
			t.Errorf("from %s: cause %q", from, c.Cause)
		}
	}
}

// A peer that stops reading for good ends the relay even while the other direction is busy. It
// sees a reset: bytes on their way are lost, so nothing may follow them.
func TestRelayWriteThatNeverEnds(t *testing.T) {
	t.Parallel()
	for _, chunk := range []int{1 << 10, 256 << 10} { // by buffer, and by splice
		r := startRelay(t, Limits{Idle: 200 * time.Millisecond, HalfClosed: time.Minute, Slice: Slice})
		r.client.SetReadBuffer(1 << 10)
		r.near.SetWriteBuffer(1 << 10)
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
				if chunk < bufferSize {
					time.Sleep(time.Millisecond) // little at a time
				}
			}
		}()
		go func() {
			defer wg.Done()
			for { // keeps the other direction active
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					if _, err := r.client.Write([]byte(".")); err != nil {
						writeErr = err // the kernel reports a reset only once
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
