// A world for tests: a real policy, names with public addresses, and origins
// on loopback behind them that record what arrived.

package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/rules"
)

// worldConfig permits what most tests need; 8.8.8.x stands for the outside.
const worldConfig = `
[[client]]
name    = "lab"
sources = ["127.0.0.0/8"]
profiles = []

[[rule]]
id     = "web"
client = "lab"
to     = ["a.example", "b.example", "gone.example", "inside.example", "mixed.example"]
tcp    = [80, 443, 5000]
reason = "test"

[[rule]]
id     = "addr"
client = "lab"
to     = ["8.8.8.9"]
tcp    = [443, 5000]
reason = "test"

[[rule]]
id     = "opaque"
client = "lab"
to     = ["8.8.8.7"]
any    = true
reason = "test"
`

// worldNames is what the resolver of the world answers.
func worldNames() map[string][]netip.Addr {
	addr := netip.MustParseAddr
	return map[string][]netip.Addr{
		"a.example":      {addr("8.8.8.8")},
		"b.example":      {addr("8.8.8.6")},
		"gone.example":   {addr("8.8.8.1")},
		"inside.example": {addr("10.1.2.3"), addr("127.0.0.1"), addr("fd00::1")},
		"mixed.example":  {addr("10.1.2.3"), addr("8.8.8.8")},
	}
}

type world struct {
	t       testing.TB
	p       *Proxy
	live    *rules.Live
	own     rules.Own
	journal *recorder
	http    netip.AddrPort
	socks   netip.AddrPort

	mu      sync.Mutex
	origins map[netip.AddrPort]*origin
	peers   map[string]netip.AddrPort // local address of an upstream socket -> what it stands for
	dials   []netip.AddrPort
	lookups []string
}

// newWorld starts a proxy with both front ends. change may be nil.
func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, live: new(rules.Live), origins: map[netip.AddrPort]*origin{}, peers: map[string]netip.AddrPort{}}
	w.journal = &recorder{next: w.live}
	var flows atomic.Uint64
	cfg := Config{
		Decide: w.journal, Check: w.live, Closed: w.journal.closed, Lookup: w.lookup, Connect: w.connect,
		NextFlow: func() uint64 { return flows.Add(1) },
		Limits:   Limits{Sniff: 300 * time.Millisecond, Head: 300 * time.Millisecond},
	}
	if change != nil {
		change(&cfg)
	}
	w.p = New(cfg)
	w.p.remote = w.remote
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	serve := func(f func(context.Context, net.Listener) error) netip.AddrPort {
		l, err := Listen(ctx, netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		served.Add(1)
		go func() {
			defer served.Done()
			if err := f(ctx, l); err != nil {
				t.Error(err)
			}
		}()
		return unmapped(l.Addr())
	}
	w.http, w.socks = serve(w.p.ServeHTTP), serve(w.p.ServeSOCKS5)
	w.own.Listeners = []netip.AddrPort{w.http, w.socks, netip.MustParseAddrPort("127.0.0.1:9180")}
	w.policy(worldConfig)
	t.Cleanup(func() {
		cancel()
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		w.p.Drain(ctx)
		served.Wait()
		for _, o := range w.origins {
			o.close()
		}
	})
	return w
}

// policy puts a configuration in force.
func (w *world) policy(text string) {
	w.t.Helper()
	c, problems := rules.ParseConfig("test.toml", ".", []byte(text), nil)
	if c == nil {
		w.t.Fatal(problems)
	}
	p, _ := rules.Compile(c, w.own, time.Now())
	w.live.Swap(p)
}

func (w *world) lookup(_ context.Context, n rules.Name) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookups = append(w.lookups, n.String())
	if addrs, ok := worldNames()[n.String()]; ok {
		return addrs, nil
	}
	return nil, errors.New("no such name")
}

// connect reaches the loopback listener that stands for addr.
func (w *world) connect(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials = append(w.dials, addr)
	o := w.origins[addr]
	if o == nil {
		return nil, syscall.ECONNREFUSED
	}
	conn, err := connectTCP(ctx, unmapped(o.l.Addr()))
	if err == nil {
		w.peers[conn.LocalAddr().String()] = addr
	}
	return conn, err
}

func (w *world) remote(conn *net.TCPConn) netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peers[conn.LocalAddr().String()]
}

// dialed lists the addresses that were connected to.
func (w *world) dialed() []netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dials)
}

func (w *world) lookedUp() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lookups)
}

// An origin records every byte that arrives, and behaves as serve says.
type origin struct {
	l     net.Listener
	serve func(*net.TCPConn, io.Reader)
	wg    sync.WaitGroup

	mu    sync.Mutex
	got   bytes.Buffer
	conns []*net.TCPConn
}

// origin starts an origin at an address of the world. A nil serve reads to the
// end and closes.
func (w *world) origin(addr string, serve func(conn *net.TCPConn, recorded io.Reader)) *origin {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	o := &origin{l: l, serve: serve}
	if serve == nil {
		o.serve = func(_ *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) }
	}
	w.mu.Lock()
	w.origins[netip.MustParseAddrPort(addr)] = o
	w.mu.Unlock()
	o.wg.Add(1)
	go o.accept()
	return o
}

func (o *origin) accept() {
	defer o.wg.Done()
	for {
		conn, err := o.l.Accept()
		if err != nil {
			return
		}
		tcp := conn.(*net.TCPConn)
		o.mu.Lock()
		o.conns = append(o.conns, tcp)
		o.mu.Unlock()
		o.wg.Add(1)
		go func() {
			defer o.wg.Done()
			defer tcp.Close()
			o.serve(tcp, io.TeeReader(tcp, o))
		}()
	}
}

// Write records.
func (o *origin) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got.Write(b)
}

func (o *origin) received() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got.String()
}

func (o *origin) close() {
	o.l.Close()
	o.mu.Lock()
	for _, c := range o.conns {
		c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// A recorder is the journal of a world: final decisions and ends.
type recorder struct {
	next rules.Decider

	mu     sync.Mutex
	finals []record
	ends   []rules.Close
}

type record struct {
	a rules.Attempt
	d rules.Decision
}

// Decide asks the policy and keeps what a journal would.
func (r *recorder) Decide(a rules.Attempt) rules.Decision {
	d := r.next.Decide(a)
	if !d.Allowed() || !a.Provisional {
		r.mu.Lock()
		r.finals = append(r.finals, record{a, d})
		r.mu.Unlock()
	}
	return d
}

func (r *recorder) closed(c rules.Close) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, c)
}

func (r *recorder) decisions() []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.finals)
}

func (r *recorder) closes() []rules.Close {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// wantOne waits until exactly one final decision is recorded, and holds it
// against the verdict and the reason.
func (w *world) wantOne(v rules.Verdict, reason rules.Reason) record {
	w.t.Helper()
	w.eventually("one decision", func() bool { return len(w.journal.decisions()) > 0 })
	ds := w.journal.decisions()
	if len(ds) != 1 {
		w.t.Errorf("%d decisions recorded: %+v", len(ds), ds)
	}
	got := ds[0]
	if got.d.Verdict != v || got.d.Allowed() == (reason != rules.ReasonNone) || !got.d.Allowed() && got.d.Why() != reason {
		w.t.Errorf("decision %v %v (%s), want %v %v", got.d.Verdict, got.d.Why(), got.a.Detail, v, reason)
	}
	return got
}

// wantClosed waits for the end of one flow.
func (w *world) wantClosed() rules.Close {
	w.t.Helper()
	w.eventually("the end of the flow", func() bool { return len(w.journal.closes()) > 0 })
	return w.journal.closes()[0]
}

// eventually polls; it fails the test if cond does not hold in ten seconds.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("no %s after ten seconds", what)
		}
	}
}

// dial connects to a front end.
func (w *world) dial(addr netip.AddrPort) *net.TCPConn {
	w.t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}
