// Listener tests: limits, want of descriptors, panics, drain and recheck.

package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/rules"
)

func TestPerClientLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.PerClient, c.Limits.Head = 2, time.Minute })
	a, b := w.dial(w.http), w.dial(w.http)
	w.eventually("two connections", func() bool { return w.p.Stats().Connections == 2 })
	got, _ := io.ReadAll(w.dial(w.http))
	if !strings.HasPrefix(string(got), "HTTP/1.1 ") || !strings.Contains(string(got), "Connection: close") {
		t.Errorf("answer %q", got)
	}
	w.eventually("a decision", func() bool { return len(w.journal.decisions()) == 1 })
	if r := w.journal.decisions()[0]; r.d.Allowed() || r.a.Fault != rules.Limit || r.a.Detail != "limits.per_client is reached" {
		t.Errorf("decision %+v", r)
	}
	a.Close()
	w.eventually("room", func() bool { return w.p.Stats().Connections == 1 })
	c := w.dial(w.http)
	w.eventually("two connections again", func() bool { return w.p.Stats().Connections == 2 })
	b.Close()
	c.Close()
	w.idle()
	if s := w.p.Stats(); s.NotAdmitted != 1 || s.Accepted != 4 {
		t.Errorf("stats %+v", s)
	}
	w.p.clients.mu.Lock()
	defer w.p.clients.mu.Unlock()
	if len(w.p.clients.per) != 0 || len(w.p.clients.open) != 0 {
		t.Error("gone clients are remembered")
	}
}

func TestSniffingLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Sniffing, c.Limits.Sniff = 1, time.Minute })
	w.origin("8.8.8.8:443", nil)
	first, _ := w.tunnelTo("a.example:443", "")
	w.eventually("a sniffer", func() bool { return w.p.Stats().Sniffing == 1 })
	_, r := w.tunnelTo("a.example:443", "")
	io.Copy(io.Discard, r)
	w.wantOne(rules.Deny, rules.Limit)
	first.Close()
	w.idle()
	if n := w.p.Stats().Sniffing; n != 0 {
		t.Errorf("%d sniffers left", n)
	}
}

// flaky fails to accept a few times, as for want of descriptors.
type flaky struct {
	net.Listener
	left atomic.Int32
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func TestAcceptSurvivesWantOfDescriptors(t *testing.T) {
	p := New(Config{Limits: Limits{Head: time.Minute}})
	l, err := Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{Listener: l}
	f.left.Store(4)
	done := make(chan error)
	go func() { done <- p.ServeSOCKS5(context.Background(), f) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, greeting)
	if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
		t.Error(err)
	}
	c.Close()
	if err := p.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := p.Stats().AcceptErrors; n != 4 {
		t.Errorf("%d accept errors", n)
	}
}

// A listener that somebody else closed is an error, not a quiet end.
func TestListenerClosedByOthers(t *testing.T) {
	p := New(Config{})
	l, err := Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := p.ServeSOCKS5(t.Context(), l); err == nil {
		t.Error("no error")
	}
}

// A panic costs one connection, and is on record as a denial.
func TestPanicIsADenial(t *testing.T) {
	panics := true
	w := newWorld(t, func(c *Config) {
		lookup := c.Lookup
		c.Lookup = func(ctx context.Context, n rules.Name) ([]netip.Addr, error) {
			if panics {
				panic("lookup of " + n.String())
			}
			return lookup(ctx, n)
		}
	})
	conn := w.dial(w.http)
	io.WriteString(conn, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("answer %q", got)
	}
	w.wantOne(rules.Deny, rules.MalformedRequest)
	w.idle()
	if n := w.p.Stats().Panics; n != 1 {
		t.Errorf("%d panics counted", n)
	}
	panics = false
	w.origin("8.8.8.8:443", nil)
	w.tunnelTo("a.example:443", "")
}

func TestDrainWaitsForTunnels(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Head = time.Minute })
	w.origin("8.8.8.8:5000", echo)
	conn, r := w.tunnelTo("a.example:5000", "")
	io.WriteString(conn, "\x00ne")
	io.ReadFull(r, make([]byte, 3))
	idle := w.dial(w.http) // and silent
	w.p.grace = 20 * time.Millisecond
	w.eventually("two connections", func() bool { return w.p.Stats().Connections == 2 })
	drained := make(chan error)
	go func() { drained <- w.p.Drain(context.Background()) }()
	if n, err := io.Copy(io.Discard, idle); n > 0 || err != nil { // within its deadline
		t.Errorf("idle connection: %d bytes, %v", n, err)
	}
	if _, err := net.Dial("tcp", w.http.String()); err == nil {
		w.eventually("closed listener", func() bool {
			c, err := net.Dial("tcp", w.http.String())
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}
	io.WriteString(conn, "two") // the tunnel goes on
	if _, err := io.ReadFull(r, make([]byte, 3)); err != nil {
		t.Error(err)
	}
	select {
	case <-drained:
		t.Fatal("drained with a tunnel open")
	default:
	}
	conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:5000", echo)
	conn, r := w.tunnelTo("a.example:5000", "")
	io.WriteString(conn, "\x00ne")
	io.ReadFull(r, make([]byte, 3))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := w.p.Drain(ctx); err != context.DeadlineExceeded {
		t.Error(err)
	}
	wantReset(t, conn)
	if c := w.wantClosed(); c.Cause != "drain" || c.BytesIn != 3 {
		t.Errorf("closed %+v", c)
	}
}

// While draining, a further request on an open connection is denied for that
// reason.
func TestDrainingDeniesNewAttempts(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", answering(okAnswer))
	conn := w.dial(w.http)
	r := bufio.NewReader(conn)
	io.WriteString(conn, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if err := answered(r, http.StatusOK); err != nil {
		t.Fatal(err)
	}
	idle := func(want bool) func() bool {
		return func() bool {
			cs := w.p.clients.all()
			return len(cs) == 1 && cs[0].idle.Load() == want
		}
	}
	w.eventually("a connection that is awaited", idle(true)) // before that it is not idle either
	io.WriteString(conn, "GET http://a.example/two HTTP/1.1\r\n")
	w.eventually("a started head", idle(false))
	drained := make(chan error)
	go func() { drained <- w.p.Drain(context.Background()) }()
	w.eventually("drain", w.p.draining.Load)
	io.WriteString(conn, "Host: a.example\r\n\r\n")
	if err := answered(r, http.StatusServiceUnavailable); err != nil {
		t.Error(err)
	}
	got := w.journal.decisions()
	if last := got[len(got)-1]; last.d.Allowed() || last.d.Why() != rules.Draining {
		t.Errorf("decided %+v", last)
	}
	conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// answered reads one whole answer.
func answered(r *bufio.Reader, status int) error {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != status {
		return fmt.Errorf("answer %s, %v", resp.Status, err)
	}
	return err
}

// A drain serves what was accepted before it: the first request of a connection
// that the system had taken in, whatever the protocol, and then no other.
func TestDrainServesFirstRequests(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Head = time.Minute })
	w.origin("8.8.8.8:5000", echo)
	w.p.grace = time.Minute
	tunnels := map[string]net.Conn{"connect": w.dial(w.http), "socks5": w.dial(w.socks)}
	w.eventually("two connections", func() bool { return w.p.Stats().Connections == 2 })
	drained := make(chan error)
	go func() { drained <- w.p.Drain(context.Background()) }()
	w.eventually("drain", w.p.draining.Load)
	w.p.loops.wait(t.Context())
	io.WriteString(tunnels["connect"], "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n\r\n")
	io.WriteString(tunnels["socks5"], "\x05\x01\x00"+"\x05\x01\x00\x03\x09a.example\x13\x88")
	for name, skip := range map[string]int{"connect": len("HTTP/1.1 200 Connection established\r\n\r\n"), "socks5": 12} {
		got := make([]byte, skip+5)
		io.WriteString(tunnels[name], "\x00echo")
		if _, err := io.ReadFull(tunnels[name], got); err != nil || string(got[skip:]) != "\x00echo" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		tunnels[name].Close()
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// A connection that says nothing does not hold up a drain for long.
func TestDrainDoesNotWaitForTheSilent(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Head = time.Minute })
	w.p.grace = 20 * time.Millisecond
	w.dial(w.http)
	w.dial(w.socks)
	w.eventually("two connections", func() bool { return w.p.Stats().Connections == 2 })
	if err := w.p.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if n := w.p.Stats().Empty; n != 2 {
		t.Errorf("%d empty connections", n)
	}
}

// A new policy ends the tunnels that it denies, and those only.
func TestRecheck(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:5000", echo)
	w.origin("8.8.8.9:5000", echo)
	name, nr := w.tunnelTo("a.example:5000", "")
	addr, ar := w.tunnelTo("8.8.8.9:5000", "")
	io.WriteString(name, "\x00")
	io.WriteString(addr, "\x00")
	nr.ReadByte()
	ar.ReadByte()
	if n := w.p.Recheck(); n != 0 {
		t.Errorf("%d closed by the same policy", n)
	}
	w.policy(strings.Replace(worldConfig, `"a.example", `, "", 1))
	if n := w.p.Recheck(); n != 1 {
		t.Errorf("%d closed", n)
	}
	wantReset(t, name)
	if c := w.wantClosed(); c.Cause != "policy" {
		t.Errorf("cause %q", c.Cause)
	}
	io.WriteString(addr, "y")
	if b, err := ar.ReadByte(); b != 'y' || err != nil {
		t.Errorf("the other tunnel: %q, %v", b, err)
	}
	if n := len(w.journal.decisions()); n != 2 {
		t.Errorf("%d decisions on record, want the two allows", n)
	}
}

// Many clients that come, stall, break and go leave nothing behind.
func TestChurnLeavesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:443", echo)
	w.origin("8.8.8.8:5000", echo)
	before := descriptors(t)["socket"]
	hello := helloFor(t, "a.example")
	for i := range 120 {
		front := w.http
		ask := "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
		if i%2 == 0 {
			front, ask = w.socks, greeting+nameWish(1, "a.example", 443)
		}
		conn := w.dial(front)
		switch i % 6 {
		case 0, 1:
			fmt.Fprintf(conn, "%s%s", ask, hello)
			io.ReadFull(conn, make([]byte, 5))
		case 2, 3:
			io.WriteString(conn, ask)
		case 4, 5:
			io.WriteString(conn, ask[:7])
		}
		if i%5 == 0 {
			conn.SetLinger(0)
		}
		conn.Close()
	}
	w.idle()
	if s := w.p.Stats(); s.Tunnels != 0 || s.Sniffing != 0 || s.Panics != 0 {
		t.Errorf("stats %+v", s)
	}
	w.eventually("all sockets closed", func() bool { return descriptors(t)["socket"] <= before })
}
