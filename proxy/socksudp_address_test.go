// SOCKS5 UDP tests: queries inside an association, and the addresses that the DNS filter gave out.

package proxy

import (
	"net/netip"
	"testing"

	"sallyport/rules"
)

// DNS inside an association is answered by the DNS filter, wherever the query was sent to, and the
// answer comes from there. Nothing is dialed.
func TestUDPDNS(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	c := w.associated()
	for _, to := range []string{"192.0.2.53", "a.example", "2001:db8::53", "127.0.0.1"} {
		c.send(header(to, 53) + "query")
		if got, _ := w.receive(c.conn); got != header(to, 53)+"answer to query" {
			t.Errorf("to %s: got %q", to, got)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 || len(w.journal.decisions()) > 0 || len(w.queries) != 4 || w.queries[0] != "127.0.0.1 query" {
		t.Errorf("dialed %v, decisions %v, queries %q", w.dialed(), w.journal.decisions(), w.queries)
	}

	w = newUDPWorld(t, func(c *Config) { c.AnswerDNS = nil })
	w.associated().send(header("8.8.8.9", 53) + "query")
	w.denial(rules.MalformedRequest)
}

// An address that the DNS filter gave to the client stands for the name.
func TestUDPToAPinnedAddress(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, func(c *Config) {
		c.Pinned = func(_, addr netip.Addr) []rules.Name {
			if addr.String() != "8.8.8.8" {
				return nil
			}
			n, _ := rules.ParseName("a.example")
			return []rules.Name{n}
		}
	})
	o, c := w.origin("8.8.8.8:123"), w.associated()
	c.send(header("8.8.8.8", 123) + "x")
	w.receive(o)
	r := w.wantOne(rules.Allow, rules.ReasonNone)
	if !r.d.ByPin() || len(r.a.Pinned) != 1 {
		t.Errorf("%+v", r)
	}
	c.send(header("8.8.8.8", 124) + "x")
	w.eventually("denial", func() bool { return len(w.journal.decisions()) == 2 })
	if d := w.journal.decisions()[1].d; d.Why() != rules.PortNotListed {
		t.Errorf("reason %v", d.Why())
	}
}

// A synthetic address stands for its name, and replies come from the synthetic address.
func TestUDPToASyntheticAddress(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, func(c *Config) {
		c.SyntheticName = func(_ *rules.Generation, _, addr netip.Addr) (rules.Name, bool) {
			n, _ := rules.ParseName("a.example")
			return n, addr.String() == "198.18.0.7"
		}
	})
	o, c := w.origin("8.8.8.8:123"), w.associated()
	c.send(header("198.18.0.7", 123) + "ask")
	_, from := w.receive(o)
	o.WriteToUDPAddrPort([]byte("answer"), from)
	if got, _ := w.receive(c.conn); got != header("198.18.0.7", 123)+"answer" {
		t.Errorf("got %q", got)
	}
	if a := w.wantOne(rules.Allow, rules.ReasonNone).a; a.Authority.String() != "a.example" || a.Dest.String() != "8.8.8.8:123" {
		t.Errorf("%+v", a)
	}
}
