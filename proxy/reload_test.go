// Reload tests: a policy that changes at the worst moment lets nothing out.

package proxy

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"sallyport/rules"
)

// A meddler changes the policy once: when a destination answers, or right after a final allow.
type meddler struct {
	once   sync.Once
	b      *redirectWorld
	atDial bool
	next   rules.Gate
	dial   func(context.Context, netip.AddrPort) (*net.TCPConn, error)
}

func (m *meddler) reload() {
	m.b.policy(strings.NewReplacer(`"a.example", `, "", `"8.8.8.7"`, `"8.8.8.77"`).Replace(redirectConfig))
	m.b.p.Recheck()
}

func (m *meddler) Decide(a rules.Attempt) rules.Decision {
	d := m.next.Decide(a)
	if !m.atDial && d.Allowed() && !a.Provisional {
		m.once.Do(m.reload)
	}
	return d
}

func (m *meddler) Preview(a rules.Attempt) rules.Decision { return m.next.Preview(a) }

func (m *meddler) connect(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	conn, err := m.dial(ctx, addr)
	if m.atDial {
		m.once.Do(m.reload)
	}
	return conn, err
}

// Recheck ends only registered flows. A flow that was granted before the change and registered
// after it also ends, before one of its bytes is sent.
func TestReloadWhileConnecting(t *testing.T) {
	t.Parallel()
	hello := string(helloFor(t, "a.example"))
	get := "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
	connect := func(to, first string) string {
		return "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n\r\n" + first
	}
	for _, c := range []struct{ name, dst, to, sent string }{
		{"CONNECT", "", "8.8.8.8:443", connect("a.example:443", hello)},
		{"CONNECT, either first", "", "8.8.8.8:5000", connect("a.example:5000", "\x00\x01")},
		{"CONNECT, every protocol", "", "8.8.8.7:443", connect("8.8.8.7:443", "SSH-2.0-x\r\n")},
		{"CONNECT, HTTP inside", "", "8.8.8.8:80", connect("a.example:80", get)},
		{"HTTP", "", "8.8.8.8:80", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"},
		{"SOCKS5", "socks", "8.8.8.8:443", greeting + nameRequest(1, "a.example", 443) + hello},
		{"redirected, by name", "8.8.8.8:443", "8.8.8.8:443", hello},
		{"redirected, by address", "8.8.8.7:22", "8.8.8.7:22", "SSH-2.0-x\r\n"},
		{"redirected, HTTP", "8.8.8.8:80", "8.8.8.8:80", get},
	} {
		for _, atDial := range []bool{true, false} {
			m := &meddler{atDial: atDial}
			m.b = newRedirectWorld(t, func(cfg *Config) {
				m.next, m.dial = cfg.Gate, cfg.Connect
				cfg.Gate, cfg.Connect = m, m.connect
			})
			o := m.b.origin(c.to, func(conn *net.TCPConn, r io.Reader) {
				if !strings.Contains(c.name, "HTTP") {
					io.WriteString(conn, "news")
				}
				io.Copy(io.Discard, r)
			})
			var conn *net.TCPConn
			switch c.dst {
			case "":
				conn = m.b.dial(m.b.http)
			case "socks":
				conn = m.b.dial(m.b.socks)
			default:
				conn = m.b.to(c.dst)
			}
			io.WriteString(conn, c.sent)
			got, _ := io.ReadAll(conn)
			conn.Close()
			m.b.idle()
			if o.received() != "" {
				t.Errorf("%s, at dial %v: origin got %q", c.name, atDial, o.received())
			}
			if atDial && strings.Contains(string(got), "news") {
				t.Errorf("%s: client got %q", c.name, got)
			}
			ds, ends := m.b.journal.decisions(), m.b.journal.closes()
			denied := len(ds) == 1 && !ds[0].d.Allowed() && len(ends) == 0
			cut := len(ds) == 1 && ds[0].d.Allowed() && len(ends) == 1 && ends[0].Cause == rules.EndPolicy && ends[0].BytesIn == 0
			if !denied && !cut {
				t.Errorf("%s, at dial %v: decisions %+v, ends %+v", c.name, atDial, ds, ends)
			}
		}
	}
}

// A tunnel that waits for its client's first bytes when a reload denies it has one denial on
// record, because no allow was recorded before.
func TestReloadWhileFirstBytesAreAwaited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:443", echo)
	conn, _ := w.tunnelTo("a.example:443", "")
	w.eventually("the wait for first bytes", func() bool { return w.p.Stats().Sniffing == 1 })
	w.policy(strings.Replace(worldConfig, `"a.example", `, "", 1))
	if n := w.p.Recheck(); n != 1 {
		t.Fatalf("%d flows are closed", n)
	}
	wantReset(t, conn)
	w.idle()
	if ds := w.journal.decisions(); len(ds) != 1 || ds[0].d.Allowed() || ds[0].d.Why() != rules.NotListed {
		t.Errorf("decisions %+v, want one denial, not_listed", ds)
	}
	if got := o.received(); got != "" || len(w.journal.closes()) != 0 {
		t.Errorf("the origin got %q, ends %+v", got, w.journal.closes())
	}
}

// An open flow goes on under the generation that Recheck asked, and a decision made meanwhile
// is not overwritten.
func TestRecheckMovesFlowsToTheNewGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:5000", echo)
	conn := w.dial(w.http)
	defer conn.Close()
	io.WriteString(conn, "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n\r\n\x00\x01")
	w.eventually("an open flow", func() bool { return len(w.p.flows.all()) == 1 })
	f := w.p.flows.all()[0]
	w.policy(worldConfig)
	if n := w.p.Recheck(); n != 0 {
		t.Fatalf("%d flows are closed", n)
	}
	a, _, version := f.lastDecision()
	if a.Generation != w.live.Load() {
		t.Error("the flow keeps the old generation")
	}
	f.setDecision(a, rules.Decision{Reason: rules.SNIMismatch})
	f.moveTo(version, &rules.Generation{}, rules.Decision{Verdict: rules.Allow})
	if _, d, _ := f.lastDecision(); d.Allowed() || d.Why() != rules.SNIMismatch {
		t.Errorf("a denial is overwritten by %v", d.Verdict)
	}
	f.setDecision(a, rules.Decision{Verdict: rules.Allow})
}
