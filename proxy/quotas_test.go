// Quota tests: neither one client nor any number of unknown clients can use up what all others
// need.

package proxy

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// dialFrom connects to a front end from an address of loopback.
func (w *world) dialFrom(from string, to netip.AddrPort) *net.TCPConn {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", to.String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// answerFrom asks for a tunnel and returns the first line of the answer.
func (w *world) answerFrom(from, authority string) (*net.TCPConn, string) {
	w.t.Helper()
	c := w.dialFrom(from, w.http)
	io.WriteString(c, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	b := make([]byte, 12)
	io.ReadFull(c, b)
	return c, string(b)
}

// A host with a /64 of IPv6 is one client, whatever address it uses.
func TestOnePerPrefix(t *testing.T) {
	t.Parallel()
	var table clientTable
	l := Limits{PerClient: 2}.withDefaults()
	at := func(addr string) *client {
		addrPort := netip.AddrPortFrom(netip.MustParseAddr(addr), 1)
		return &client{addr: addrPort, by: rules.QuotaKeyOf(addrPort.Addr(), nil)}
	}
	a, b, other := at("2001:db8::1"), at("2001:db8::2"), at("2001:db8:0:1::1")
	for _, c := range []*client{a, b, other} {
		if r, _ := table.admit(c, l); r != rules.ReasonNone {
			t.Errorf("%v: %v", c.addr, r)
		}
	}
	if r, detail := table.admit(at("2001:db8::3"), l); r != rules.Limit || detail != "limits.per_client is reached" {
		t.Errorf("a third address of the prefix: %v, %q", r, detail)
	}
	for _, c := range []*client{a, b, other} {
		table.leave(c)
	}
	if table.quota.Clients() > 0 {
		t.Errorf("%d gone clients are remembered", table.quota.Clients())
	}
}

// Two clients may have addresses in one /64, or on loopback, as here. One of them, or an
// unknown client in the same network, does not use up the connections, the look-ups or the
// sniffing of the other.
func TestOneNetworkOfSeveralClients(t *testing.T) {
	t.Parallel()
	const loud = `
[[client]]
name = "loud"
sources = ["127.0.0.2"]
profiles = []
[[rule]]
id = "loud"
client = "loud"
to = ["a.example"]
tcp = [443]
reason = "test"
`
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} { // another client; no client
		w := newWorld(t, func(c *Config) {
			c.Limits.PerClient, c.Limits.Sniffing, c.Limits.Head, c.Limits.Sniff = 4, 8, time.Minute, time.Minute
		})
		w.policy(strings.Replace(worldConfig, "127.0.0.0/8", "127.0.0.1/32", 1) + loud)
		w.origin("8.8.8.8:443", nil)
		open := int64(0)
		if from == "127.0.0.2" {
			for open < 2 { // its quota of limits.sniffing
				if _, got := w.answerFrom(from, "a.example:443"); got != "HTTP/1.1 200" {
					t.Fatalf("%s is answered %q", from, got)
				}
				open++
			}
			w.eventually("sniffers", func() bool { return w.p.Stats().Sniffing == open })
		}
		sniffing := open
		for ; open < 4; open++ {
			w.dialFrom(from, w.http)
		}
		w.eventually("connections", func() bool { return w.p.Stats().Connections == 4 })
		before := len(w.journal.decisions())
		conn, got := w.answerFrom("127.0.0.1", "a.example:443")
		if got != "HTTP/1.1 200" {
			t.Errorf("beside %s a client is answered %q", from, got)
		}
		w.eventually("its first bytes are awaited", func() bool { return w.p.Stats().Sniffing > sniffing })
		conn.Write(helloFor(t, "a.example"))
		w.eventually("a decision", func() bool { return len(w.journal.decisions()) > before })
		if r := w.journal.decisions()[before]; !r.d.Allowed() || r.d.Client.Name != "lab" {
			t.Errorf("beside %s: %v (%s)", from, r.d.Why(), r.a.Detail)
		}
	}
}

// another is the address of a client that is not on this host.
var another = netip.MustParseAddr("192.0.2.1")

// All unknown clients together have a sixteenth of the connections. A connection beyond
// that part is refused at once, and known clients never meet that limit.
func TestUnknownClientsHaveASmallPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Limits.Connections, c.Limits.Head = 40, time.Minute
	})
	w.policy(strings.Replace(worldConfig, "127.0.0.0/8", "127.0.0.1/32", 1))
	w.origin("8.8.8.8:443", nil)
	for range minUnknown {
		w.dialFrom("127.0.0.2", w.http)
	}
	w.eventually("unknown clients", func() bool { return w.p.Stats().Connections == minUnknown })
	for _, front := range []netip.AddrPort{w.http, w.socks} {
		io.Copy(io.Discard, w.dialFrom("127.0.0.3", front))
	}
	for _, r := range w.journal.decisions() {
		if r.d.Allowed() || r.d.Why() != rules.UnknownClient || !strings.Contains(r.a.Detail, "[[client]]") {
			t.Errorf("decision %v (%s)", r.d.Why(), r.a.Detail)
		}
	}
	if n := len(w.journal.decisions()); n != 2 {
		t.Errorf("%d decisions", n)
	}
	for range 40 - minUnknown {
		if _, got := w.answerFrom("127.0.0.1", "a.example:443"); got != "HTTP/1.1 200" {
			t.Fatalf("a client is answered %q", got)
		}
	}
}

func TestUnknownClientsAreReleased(t *testing.T) {
	t.Parallel()
	var table clientTable
	l := Limits{}.withDefaults()
	var cs []*client
	for i := range l.unknownClients() + 1 {
		c := &client{unknown: true, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)}
		if r, _ := table.admit(c, l); (r == rules.Limit) != (i == 1024) {
			t.Fatalf("unknown client %d of %d: %v", i, l.Connections, r)
		}
		cs = append(cs, c)
	}
	table.leave(cs[0])
	if r, _ := table.admit(cs[1024], l); r != rules.ReasonNone {
		t.Errorf("after one left: %v", r)
	}
}

// One client may have a quarter of what may be sniffed at once.
func TestSniffingQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Sniffing, c.Limits.Sniff = 8, time.Minute })
	w.origin("8.8.8.8:443", nil)
	for range 2 {
		w.p.sniffing.Acquire(rules.QuotaKeyOf(another, nil)) // uses the whole quota of another client; other clients do not share that quota
	}
	w.answerFrom("127.0.0.1", "a.example:443")
	first, _ := w.answerFrom("127.0.0.1", "a.example:443")
	w.eventually("two sniffers", func() bool { return w.p.Stats().Sniffing == 4 })
	third, _ := w.answerFrom("127.0.0.1", "a.example:443")
	io.Copy(io.Discard, third)
	if r := w.wantOne(rules.Deny, rules.Limit); !strings.Contains(r.a.Detail, "quota of limits.sniffing") {
		t.Errorf("detail %q", r.a.Detail)
	}
	first.Close()
	w.eventually("room", func() bool { return w.p.Stats().Sniffing == 3 })
	w.answerFrom("127.0.0.2", "a.example:443") // the same host
	w.eventually("another one", func() bool { return w.p.Stats().Sniffing == 4 })
}

// The look-ups of one client leave room for the look-ups of others, by every front end.
func TestLookupQuota(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	b.origin("8.8.8.8:443", nil)
	local := rules.QuotaKey{Source: netip.MustParseAddr("127.0.0.0"), Client: "lab"}
	for range maxLookups {
		b.p.lookups.Acquire(local)
		b.p.lookups.Acquire(rules.QuotaKeyOf(another, nil))
	}
	b.wantNoLookup("look-ups")

	if _, got := b.answerFrom("127.0.0.2", "a.example:443"); got != "HTTP/1.1 503" {
		t.Errorf("another address of loopback: answer %q", got)
	}
	b.p.lookups.Release(local)
	if _, got := b.answerFrom("127.0.0.1", "a.example:443"); got != "HTTP/1.1 200" { // it does not matter that the quota of another client is used up
		t.Errorf("after one ended: answer %q", got)
	}
	if n := b.p.lookups.HeldBy(local); n != maxLookups-1 {
		t.Errorf("%d look-ups counted", n)
	}
}

// A name that a client may not have looked up is denied by every front end.
func TestAdmitName(t *testing.T) {
	t.Parallel()
	var asked []string
	b := newRedirectWorld(t, func(c *Config) {
		c.AdmitName = func(client netip.Addr, d rules.Decision, name rules.Name) string {
			if client.String() != "127.0.0.1" || !d.Allowed() || name.String() != "a.example" {
				t.Errorf("asked about %v, %v, %v", client, d.Why(), name)
			}
			asked = append(asked, name.String())
			return "its names are used up"
		}
	})
	b.origin("8.8.8.8:443", nil)
	b.wantNoLookup("used up")
	if len(asked) != 4 {
		t.Errorf("asked about %q", asked)
	}
}

// wantNoLookup asks by every front end for the name of an origin. Each must be denied with that
// detail and leave no trace.
func (b *redirectWorld) wantNoLookup(detail string) {
	b.t.Helper()
	held := func(way string) {
		b.t.Helper()
		b.eventually("a decision", func() bool { return len(b.journal.decisions()) > 0 })
		b.journal.mu.Lock()
		r := b.journal.finals[0]
		b.journal.finals = nil
		b.journal.mu.Unlock()
		if r.d.Allowed() || r.d.Why() != rules.Limit || !strings.Contains(r.a.Detail, detail) {
			b.t.Errorf("%s: decision %v (%s)", way, r.d.Why(), r.a.Detail)
		}
	}
	if _, got := b.answerFrom("127.0.0.1", "a.example:443"); got != "HTTP/1.1 503" {
		b.t.Errorf("CONNECT: answer %q", got)
	}
	held("CONNECT")
	b.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n").want(503, "limit")
	held("HTTP")
	conn := b.to("8.8.8.8:443")
	conn.Write(helloFor(b.t, "a.example"))
	b.wantEndOf(conn, endsAlert, rules.Limit)
	held("redirected")
	b.exchangeTo("8.8.8.8:80", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").want(503, "limit")
	held("redirected HTTP")
	b.wantNoTrace()
}

// The limit for all clients also counts where none of them has reached its quota.
func TestSniffingLimitOfAll(t *testing.T) {
	t.Parallel()
	p := New(Config{Limits: Limits{Sniffing: 1}})
	one, other := &client{by: rules.QuotaKeyOf(another, nil)}, &client{by: rules.QuotaKeyOf(netip.MustParseAddr("192.0.2.2"), nil)}
	if fault, detail := p.beginSniff(one); fault != rules.ReasonNone {
		t.Fatal(fault, detail)
	}
	if fault, detail := p.beginSniff(other); fault != rules.Limit || detail != "limits.sniffing is reached" {
		t.Errorf("%v (%s)", fault, detail)
	}
	p.endSniff(one)
	if fault, detail := p.beginSniff(other); fault != rules.ReasonNone {
		t.Error(fault, detail)
	}
}
