// Listener tests: limits, lack of descriptors, panics and Recheck.

package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

func TestPerClientLimit(t *testing.T) {
	t.Parallel()
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
	if w.p.clients.quota.Clients() != 0 || len(w.p.clients.open) != 0 {
		t.Error("gone clients are remembered")
	}
}

func TestSniffingLimit(t *testing.T) {
	t.Parallel()
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

// A flaky listener fails to accept a few times, as for lack of descriptors.
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
	t.Parallel()
	p := New(Config{Limits: Limits{Head: time.Minute}})
	l, err := Listen(t.Context(), "tcp", netip.MustParseAddrPort("127.0.0.1:0"))
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

// If other code closes the listener, serving it returns an error.
func TestListenerClosedByOthers(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	l, err := Listen(t.Context(), "tcp", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := p.ServeSOCKS5(t.Context(), l); err == nil {
		t.Error("no error")
	}
}

// A panic costs one connection, and is recorded as a denial.
func TestPanicIsADenial(t *testing.T) {
	t.Parallel()
	panics := true
	w := newWorld(t, func(c *Config) {
		lookup := c.Lookup
		c.Lookup = func(ctx context.Context, g *rules.Generation, n rules.Name) ([]netip.Addr, error) {
			if panics {
				panic("lookup of " + n.String())
			}
			return lookup(ctx, g, n)
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

// A new policy ends the tunnels that it denies, and no others.
func TestRecheck(t *testing.T) {
	t.Parallel()
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
	if c := w.wantClosed(); c.Cause != rules.EndPolicy {
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

// A rule that expires at an instant ends its tunnels, and no others. The end says why.
func TestRecheckAfterARuleExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:5000", echo)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	text := strings.Replace(worldConfig, "[[rule]]\n", "[[rule]]\nexpires = "+end.Format(time.RFC3339)+"\n", 1)
	w.policy(text)
	conn, r := w.tunnelTo("a.example:5000", "")
	io.WriteString(conn, "\x00")
	r.ReadByte()
	w.policyAt(text, end.Add(-time.Second))
	if n := w.p.Recheck(); n != 0 {
		t.Errorf("%d closed a second before the end", n)
	}
	w.policyAt(text, end)
	if n := w.p.Recheck(); n != 1 {
		t.Errorf("%d closed", n)
	}
	wantReset(t, conn)
	if c := w.wantClosed(); c.Cause.String() != "expired" {
		t.Errorf("cause %q", c.Cause)
	}
	if got := o.received(); got != "\x00" {
		t.Errorf("the origin got %q", got)
	}
}

// Many clients connect, stall, break off and leave. Afterwards nothing of them is left.
func TestChurnLeavesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:443", echo)
	w.origin("8.8.8.8:5000", echo)
	before := proxytest.Descriptors(t)["socket"]
	hello := helloFor(t, "a.example")
	for i := range 120 {
		front := w.http
		ask := "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
		if i%2 == 0 {
			front, ask = w.socks, greeting+nameRequest(1, "a.example", 443)
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
	w.eventually("all sockets closed", func() bool { return proxytest.Descriptors(t)["socket"] <= before })
}
