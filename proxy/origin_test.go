// Origins and the journal of a test world. Both record what they get.

package proxy

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sallyport/rules"
)

// An origin records every byte that arrives, and is served by serve.
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

// Write records b.
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
	next rules.Gate

	mu     sync.Mutex
	finals []record
	ends   []rules.Close
}

type record struct {
	a rules.Attempt
	d rules.Decision
}

// Decide asks the policy and records what a journal would.
func (r *recorder) Decide(a rules.Attempt) rules.Decision {
	d := r.next.Decide(a)
	if !d.Allowed() || !a.Provisional {
		r.mu.Lock()
		r.finals = append(r.finals, record{a, d})
		r.mu.Unlock()
	}
	return d
}

// Preview asks the policy and records nothing.
func (r *recorder) Preview(a rules.Attempt) rules.Decision { return r.next.Preview(a) }

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

// wantOne waits for exactly one final decision, and checks its verdict and reason.
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

// eventually polls. It fails the test if cond does not hold within ten seconds.
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
