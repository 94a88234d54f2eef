// Tests of relays between two TLS layers: all bytes come out, and an idle relay holds no buffer.

package relay

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// A layered is a relay with TLS towards both ends.
type layered struct {
	relayed
	clientTLS, originTLS *tls.Conn // what the two ends read and write
}

// newLayered starts a relay between two layers. below makes what a layer of the relay works on, and
// pace what those of the ends work on.
func newLayered(t testing.TB, a *proxytest.Authority, below, pace func(*net.TCPConn) net.Conn, l Limits) *layered {
	t.Helper()
	r := &layered{relayed: relayed{closes: make(chan closed, 1)}}
	r.client, r.near = proxytest.TCPPair(t)
	r.far, r.origin = proxytest.TCPPair(t)
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	trusting := &tls.Config{RootCAs: roots, ServerName: "end.example"}
	serving := &tls.Config{Certificates: []tls.Certificate{a.Issue(proxytest.Subject{DNS: "end.example", Server: true})}}
	near, far := tls.Server(below(r.near), serving), tls.Client(below(r.far), trusting)
	r.clientTLS, r.originTLS = tls.Client(pace(r.client), trusting), tls.Server(pace(r.origin), serving)
	var shaken sync.WaitGroup
	for _, c := range []*tls.Conn{near, far, r.clientTLS, r.originTLS} {
		shaken.Go(func() {
			if err := c.Handshake(); err != nil {
				t.Error(err)
			}
		})
	}
	shaken.Wait()
	r.relay.Start(Config{
		Owner: r, Client: r.near, ClientTLS: near, Destination: r.far, Secure: far,
		In: &r.in, Out: &r.out, Started: time.Now(), Limits: l, Buffers: new(Buffers),
	})
	go func() {
		cause := r.relay.Run()
		r.relay.Finish()
		r.closes <- closed{r.in.Load(), r.out.Load(), cause}
		r.far.Close()
		r.near.Close()
	}()
	return r
}

func onWire(c *net.TCPConn) net.Conn { return &Wire{TCPConn: c} }
func plain(c *net.TCPConn) net.Conn  { return c }

// A ragged connection sends in pieces that end anywhere in a record.
type ragged struct {
	*net.TCPConn
	rng *rand.Rand
}

func (c ragged) Write(b []byte) (done int, err error) {
	for done < len(b) && err == nil {
		n := min(len(b)-done, 1+c.rng.IntN(6000))
		if c.rng.IntN(3) == 0 {
			n = min(n, 1+c.rng.IntN(7)) // the end is in the head of a record
			time.Sleep(time.Microsecond)
		}
		n, err = c.TCPConn.Write(b[done : done+n])
		done += n
	}
	return done, err
}

// Records arrive in any pieces. Every byte comes out, and the end after it.
func TestLayersCopyEveryByteBothWays(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	seed := uint64(0)
	r := newLayered(t, proxytest.NewAuthority(t, "Root", nil), onWire, func(c *net.TCPConn) net.Conn {
		seed++
		return ragged{c, rand.New(rand.NewPCG(seed, 7))}
	}, generous())
	var sums [4][]byte
	var wg sync.WaitGroup
	send := func(to *tls.Conn, sum *[]byte, seed byte) {
		src, h := rand.NewChaCha8([32]byte{seed}), sha256.New()
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		for left := size; left > 0; {
			b := make([]byte, min(left, 1+rng.IntN(40<<10)))
			src.Read(b)
			h.Write(b)
			if _, err := to.Write(b); err != nil {
				t.Error(err)
				return
			}
			left -= len(b)
		}
		to.CloseWrite()
		*sum = h.Sum(nil)
	}
	receive := func(from *tls.Conn, sum *[]byte) {
		h := sha256.New()
		if n, err := io.Copy(h, from); n != size || err != nil {
			t.Errorf("received %d bytes, %v", n, err)
		}
		*sum = h.Sum(nil)
	}
	wg.Go(func() { send(r.clientTLS, &sums[0], 1) })
	wg.Go(func() { receive(r.originTLS, &sums[1]) })
	wg.Go(func() { send(r.originTLS, &sums[2], 2) })
	wg.Go(func() { receive(r.clientTLS, &sums[3]) })
	wg.Wait()
	if !bytes.Equal(sums[0], sums[1]) || !bytes.Equal(sums[2], sums[3]) {
		t.Error("bytes changed on their way")
	}
	if c := r.ended(t); c.BytesIn != size || c.BytesOut != size || c.Cause != rules.EndClean {
		t.Errorf("closed with %+v", c)
	}
}

// A record of which only a part has arrived keeps nothing busy and holds no buffer. The idle limit
// still counts.
func TestLayerWithHalfARecordIsIdle(t *testing.T) {
	t.Parallel()
	r := newLayered(t, proxytest.NewAuthority(t, "Root", nil), onWire, plain, Limits{Idle: 300 * time.Millisecond, HalfClosed: time.Minute, Slice: Slice})
	io.WriteString(r.client, "\x17\x03\x03\x10\x00half")
	r.ended(t)
	if r.cause != rules.EndIdle || r.in.Load() != 0 {
		t.Errorf("%v, %d bytes", r.cause, r.in.Load())
	}
}

// The destination's direction stops in the middle of a record, and goes on without a byte lost.
func TestLayerStopsAndResumes(t *testing.T) {
	t.Parallel()
	r := newLayered(t, proxytest.NewAuthority(t, "Root", nil), onWire, plain, generous())
	io.WriteString(r.originTLS, "before ")
	got := make([]byte, len("before "))
	if _, err := io.ReadFull(r.clientTLS, got); err != nil {
		t.Fatal(err)
	}
	r.relay.Down.stopping.Store(true)
	r.relay.Down.src.SetReadDeadline(time.Unix(1, 0))
	<-r.relay.finished
	r.relay.Down.src.SetReadDeadline(time.Time{})
	if r.relay.AwaitDown() != errStopped {
		t.Fatal("the direction did not stop")
	}
	io.WriteString(r.originTLS, "after")
	rest := make([]byte, len("after"))
	if n, err := r.relay.Down.from.Read(rest); string(rest[:n]) != "after" || err != nil { // another reader waits
		t.Errorf("%q, %v", rest[:n], err)
	}
	r.Abort(rules.EndReset)
	r.ended(t)
}

// An idle relay between two layers holds less than one between layers that wait with a buffer.
func TestIdleLayersHoldNoBuffer(t *testing.T) {
	const relays = 60
	a := proxytest.NewAuthority(t, "Root", nil)
	held := func(below func(*net.TCPConn) net.Conn) int {
		before := heap()
		var rs []*layered
		for range relays {
			r := newLayered(t, a, below, plain, generous())
			for _, end := range [][2]*tls.Conn{{r.clientTLS, r.originTLS}, {r.originTLS, r.clientTLS}} {
				io.WriteString(end[0], "ping")
				if _, err := io.ReadFull(end[1], make([]byte, 4)); err != nil {
					t.Fatal(err)
				}
			}
			rs = append(rs, r)
		}
		got := heap()
		for _, r := range rs {
			r.client.Close()
			r.origin.Close()
			r.ended(t)
		}
		return (got - before) / relays
	}
	waiting, idle := held(plain), held(onWire)
	t.Logf("with the test's own ends, a relay holds %d bytes, and %d with buffers that wait", idle, waiting)
	if waiting-idle < 3*bufferSize/2 { // two buffers, less what the runtime keeps
		t.Errorf("an idle relay holds %d bytes, and %d with buffers that wait", idle, waiting)
	}
}

func heap() int {
	runtime.GC()
	runtime.GC() // the first call only marks what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
