// Names below wildcards: of those a client has a number (F3).

package dnsfilter

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestWildcardNames holds that a client may have so many different names below
// wildcards looked up in five minutes, and that no more reach an upstream. Names
// that a rule spells out, those of an internal zone, and what is at hand are not
// counted.
func TestWildcardNames(t *testing.T) {
	c, problems := rules.ParseConfig("test.toml", t.TempDir(), []byte(realConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(c, rules.Own{}, time.Now())
	rec := &decisions{next: p}
	b := newBench(t, func(c *setup) { c.Gate, c.Limits.WildcardNames = rec, 3 })
	b.reach = rules.Decision.Reach
	ask := func(name string, qtype uint16, client, verdict string, upstream int) {
		t.Helper()
		rcode := map[bool]int{true: dns.RcodeRefused, false: dns.RcodeNameError}[verdict == "deny limit"]
		r := b.sendFrom(question(name, qtype), client, rules.UDPProto)
		if got := rec.last.Text() + " " + rec.last.Why().String(); got != verdict || verdict != "allow " && r.Rcode != rcode {
			t.Errorf("%s from %s: %s, %s; want %s", name, client, got, dns.RcodeToString[r.Rcode], verdict)
		}
		if asked := b.up.asked(); len(asked) != upstream {
			t.Errorf("%s from %s: upstream was asked %q", name, client, asked)
		}
	}
	for i := range 3 {
		ask(fmt.Sprintf("secret%d.b.example.", i), dns.TypeA, insider, "allow ", 1)
	}
	ask("secret3.b.example.", dns.TypeA, insider, "deny limit", 0)
	ask("secret4.deep.b.example.", dns.TypeHTTPS, insider, "deny limit", 0)
	if why := b.admitConnect(p, "secret5.b.example"); why == "" {
		t.Error("the proxy may have another name looked up")
	}
	if why := b.admitConnect(p, "a.example"); why != "" {
		t.Errorf("the proxy may not have a name looked up that is spelt out: %s", why)
	}
	ask("secret0.b.example.", dns.TypeA, insider, "allow ", 0)    // at hand
	ask("secret0.b.example.", dns.TypeAAAA, insider, "allow ", 1) // of a name that was used
	ask("a.example.", dns.TypeA, insider, "allow ", 1)            // spelt out
	ask("db.corp.test.", dns.TypeA, insider, "allow ", 1)         // of an internal zone
	ask("x.a.example.", dns.TypeA, insider, "deny not_listed", 0)
	ask("secret3.b.example.", dns.TypeA, "10.1.1.2", "allow ", 1) // another client

	b.advance(uniquePeriod - time.Second)
	ask("secret6.b.example.", dns.TypeA, insider, "deny limit", 0)
	b.advance(time.Second)
	ask("secret6.b.example.", dns.TypeA, insider, "allow ", 1)
}

// A clock that was set back does not keep a client out, and clients by the
// thousand do not take more memory than there is room for.
func TestUniquesAreBounded(t *testing.T) {
	u := newUniques()
	u.set(1)
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range 2 * clientsAtUniques {
		now := time.Hour + time.Duration(i)
		if !u.admit(at(i), mustName(t, "a.example"), now) || u.admit(at(i), mustName(t, "b.example"), now) || !u.admit(at(i), mustName(t, "a.example"), now) {
			t.Fatalf("client %d: not one name", i)
		}
	}
	if n := len(u.clients); n > clientsAtUniques {
		t.Errorf("%d clients are kept", n)
	}
	if !u.admit(at(2*clientsAtUniques-1), mustName(t, "c.example"), time.Minute) {
		t.Error("a clock that was set back keeps a client from new names")
	}
	u.set(-1)
	if !u.admit(at(2*clientsAtUniques-1), mustName(t, "d.example"), time.Minute) {
		t.Error("without a limit there is one")
	}
}

// admitConnect is AdmitName for a CONNECT of the insider's.
func (b *bench) admitConnect(p *rules.Policy, name string) string {
	b.t.Helper()
	client, n := netip.MustParseAddrPort(insider+":4711"), mustName(b.t, name)
	d := p.Decide(rules.Attempt{
		Via: rules.Connect, Proto: rules.TCPProto, Provisional: true, Authority: n, Client: client, Dest: netip.AddrPortFrom(netip.Addr{}, 443),
	})
	if !d.Allowed() {
		b.t.Fatalf("%s: %s", name, d.Why())
	}
	return b.AdmitName(client.Addr(), d, n)
}
