// Wildcard names: a client has a limited number of new names.

package dnsfilter

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"sallyport/rules"
	"sallyport/rules/site"
)

// TestWildcardNames asserts the number of different names below wildcards and
// internal zones that a client may have looked up in five minutes, and that no
// more reach an upstream. Names written out in the configuration and cached
// answers do not count. A client without any rule gets no name of a zone.
func TestWildcardNames(t *testing.T) {
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(realConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	rec := &decisions{next: p}
	b := newHarness(t, func(c *setup) { c.Gate, c.Limits.WildcardNames = rec, 3 })
	b.reach = rules.Decision.Reach
	ask := func(name string, qtype uint16, client, verdict string, upstream int) {
		t.Helper()
		rcode := map[bool]int{true: dns.RcodeRefused, false: dns.RcodeNameError}[verdict == "deny limit"]
		r := b.sendFrom(question(name, qtype), client, rules.TCP)
		if got := rec.last.Text() + " " + rec.last.Why().String(); got != verdict || verdict != "allow " && r.Rcode != rcode {
			t.Errorf("%s from %s: %s, %s; want %s", name, client, got, dns.RcodeToString[r.Rcode], verdict)
		}
		if asked := b.up.asked(); len(asked) != upstream {
			t.Errorf("%s from %s: upstream was asked %q", name, client, asked)
		}
	}
	for i := range 2 {
		ask(fmt.Sprintf("secret%d.b.example.", i), dns.TypeA, knownClient, "allow ", 1)
	}
	ask("secret2.corp.test.", dns.TypeA, knownClient, "allow ", 1)
	ask("secret3.b.example.", dns.TypeA, knownClient, "deny limit", 0)
	ask("secret4.deep.b.example.", dns.TypeHTTPS, knownClient, "deny limit", 0)
	if why := b.admitConnect(p, "secret5.b.example"); why == "" {
		t.Error("the proxy may have another name looked up")
	}
	if why := b.admitConnect(p, "a.example"); why != "" {
		t.Errorf("the proxy may not have a name looked up that is spelt out: %s", why)
	}
	ask("secret0.b.example.", dns.TypeA, knownClient, "allow ", 0)    // cached
	ask("secret0.b.example.", dns.TypeAAAA, knownClient, "allow ", 1) // of a name that was used
	ask("a.example.", dns.TypeA, knownClient, "allow ", 1)            // spelt out
	ask("corp.test.", dns.TypeA, knownClient, "allow ", 1)            // the internal zone itself
	ask("db.corp.test.", dns.TypeA, knownClient, "deny limit", 0)
	ask("db.corp.test.", dns.TypeA, "10.8.1.1", "deny not_listed", 0)
	ask("x.a.example.", dns.TypeA, knownClient, "deny not_listed", 0)
	ask("secret3.b.example.", dns.TypeA, "10.1.1.2", "allow ", 1) // another client

	b.advance(namePeriod - time.Second)
	ask("secret6.b.example.", dns.TypeA, knownClient, "deny limit", 0)
	b.advance(time.Second)
	ask("secret6.b.example.", dns.TypeA, knownClient, "allow ", 1)
}

// TestWindowSlides asserts, for any traffic, that no five minutes have more new
// names of one client than its quota, that a name counts as new once in five
// minutes, and that exactly the names that still count are stored. A slow twin
// remembers everything.
func TestWindowSlides(t *testing.T) {
	type admission struct {
		client, name int
		at           time.Duration
	}
	rapid.Check(t, func(rt *rapid.T) {
		u, most := newNameQuota(), rapid.IntRange(1, 4).Draw(rt, "most")
		u.set(most)
		client := func(i int) rules.QuotaKey { return rules.QuotaKey{Source: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})} }
		var all []admission
		now := time.Hour
		for range rapid.IntRange(1, 100).Draw(rt, "queries") {
			now += time.Duration(rapid.IntRange(0, int(namePeriod/2)).Draw(rt, "pause"))
			x := admission{rapid.IntRange(0, 2).Draw(rt, "client"), rapid.IntRange(0, 9).Draw(rt, "name"), now}
			known, held := false, 0
			for _, a := range all {
				if a.client == x.client && now-a.at < namePeriod {
					held++
					known = known || a.name == x.name
				}
			}
			name := mustName(t, fmt.Sprintf("n%d.example", x.name))
			if got := u.has(client(x.client), name, now); got != known {
				rt.Fatalf("has %+v: %t", x, got)
			}
			if got := u.admit(client(x.client), name, now); got != (known || held < most) {
				rt.Fatalf("admits %+v: %t, with %d", x, got, held)
			} else if got && !known {
				all = append(all, x)
			}
		}
		kept := 0
		for _, n := range u.clients {
			if len(n.order)-n.first != len(n.names) || len(n.names) > most || cap(n.order) > 8*most {
				rt.Fatalf("kept: %d names, %d in order", len(n.names), len(n.order)-n.first)
			}
			kept += len(n.names)
		}
		if kept != u.total {
			rt.Fatalf("%d names are kept, %d are counted", kept, u.total)
		}
	})
}

// TestEndOfTheWindow asserts that a client that waits for the end of five
// minutes does not get a second quota at once.
func TestEndOfTheWindow(t *testing.T) {
	u := newNameQuota()
	u.set(50)
	from, began := rules.QuotaKey{Source: netip.MustParseAddr("10.0.0.1")}, time.Hour
	admitted := func(what string, now time.Duration) (n int) {
		for i := range 50 {
			if u.admit(from, mustName(t, fmt.Sprintf("%s%d.example", what, i)), now) {
				n++
			}
		}
		return n
	}
	if n := admitted("first", began); n != 50 {
		t.Fatalf("%d names", n)
	}
	if n := admitted("late", began+namePeriod-time.Second); n != 0 {
		t.Errorf("%d names more before their time", n)
	}
	u.set(100)
	if n := admitted("end", began+namePeriod-time.Second); n != 50 {
		t.Errorf("%d names of a share of a hundred", n)
	}
	u.set(50)
	if n := admitted("turn", began+namePeriod+100*time.Millisecond); n != 0 {
		t.Errorf("%d new names in 1.1 seconds more than 50", n)
	}
}

// TestNameQuotaIsBounded asserts that a clock set back does not lock a client
// out, and that thousands of clients use no more memory than the limit and do
// not reset another client's count.
func TestNameQuotaIsBounded(t *testing.T) {
	u := newNameQuota()
	u.set(1)
	at := func(i int) rules.QuotaKey {
		return rules.QuotaKey{Source: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
	}
	one, two := mustName(t, "a.example"), mustName(t, "b.example")
	for i := range 2 * maxNameClients {
		now := time.Hour + time.Duration(i)
		if got := u.admit(at(i), one, now); got != (i < maxNameClients) {
			t.Fatalf("client %d: %t", i, got)
		}
		if u.admit(at(i), two, now) {
			t.Fatalf("client %d: a second name", i)
		}
	}
	if u.admit(at(0), two, time.Hour+2*maxNameClients) {
		t.Error("others cost a client its count")
	}
	if n := len(u.clients); n > maxNameClients {
		t.Errorf("%d clients are kept", n)
	}
	if !u.admit(at(2*maxNameClients), one, time.Hour+namePeriod+2*sweepEvery) || len(u.clients) != 1 {
		t.Errorf("clients without a name left take room: %d", len(u.clients))
	}
	if !u.admit(at(2*maxNameClients), two, time.Minute) {
		t.Error("a clock that was set back keeps a client from new names")
	}
	u.set(-1)
	if !u.admit(at(0), two, time.Minute) {
		t.Error("without a limit there is one")
	}
}

// admitConnect is AdmitName for a CONNECT of the known client.
func (b *harness) admitConnect(p *rules.Policy, name string) string {
	b.t.Helper()
	client, n := netip.MustParseAddrPort(knownClient+":4711"), mustName(b.t, name)
	d := p.Decide(rules.Attempt{
		Via: rules.ViaConnect, Proto: rules.TCP, Provisional: true, Authority: n, Client: client, Dest: netip.AddrPortFrom(netip.Addr{}, 443),
	})
	if !d.Allowed() {
		b.t.Fatalf("%s: %s", name, d.Why())
	}
	return b.AdmitName(client.Addr(), d, n)
}

// TestBitsLeft compares the figures of SECURITY.md about data in names with the
// limits that they follow from.
func TestBitsLeft(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	unwrapped := strings.Join(strings.Fields(string(text)), " ")
	questions := 0.0 // about one name
	for qtype := range uint16(300) {
		if forwarded(qtype) {
			questions += 3 // without DO, with it, and with CD too
		}
	}
	labels := func(names float64) float64 { return names * 236 * math.Log2(38) / namePeriod.Seconds() }
	const each = lookUpsPerName + lookUpsPerName/unprovenFraction // with a proven source, and without
	lookUps := func(names float64) float64 {
		return each * names * math.Log2(questions*names) / lookUpsPeriod.Seconds()
	}
	for _, want := range []string{
		fmt.Sprintf("**%.1f n bit/s**", labels(1)),
		fmt.Sprintf("%.1f kbit/s for 500 names, %.1f kbit/s for 50", labels(500)/1000, labels(50)/1000),
		fmt.Sprintf("**%d n × log2(m) / %.0f bit/s**: %.1f kbit/s for 500 names, %.0f bit/s for 50", each, lookUpsPeriod.Seconds(), lookUps(500)/1000, lookUps(50)),
		fmt.Sprintf("m = %.0f n questions", questions),
	} {
		if !strings.Contains(unwrapped, want) {
			t.Errorf("SECURITY.md does not say %q", want)
		}
	}
}

// TestAskedAgain asserts that a name is asked about at most once in five
// seconds, whatever its TTL, and that a failure is cached for the same time.
func TestAskedAgain(t *testing.T) {
	b := newHarness(t, nil, "quick.example", "broken.example", "gone.example")
	for _, rr := range records(t, "quick.example. 0 IN A 192.0.1.70") {
		b.up.add(rr)
	}
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		if dns.CanonicalName(r.Question[0].Name) != "broken.example." {
			return false
		}
		w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeServerFailure))
		return true
	})
	for _, name := range []string{"quick.example.", "broken.example.", "gone.example."} {
		b.askTCP(name, dns.TypeA)
		b.up.asked()
		b.advance(minTTL*time.Second - time.Millisecond)
		if b.askTCP(name, dns.TypeA); len(b.up.asked()) != 0 {
			t.Errorf("%s is asked about again within %d s", name, minTTL)
		}
		b.advance(time.Hour)
		if b.askTCP(name, dns.TypeA); len(b.up.asked()) == 0 {
			t.Errorf("%s is never asked about again", name)
		}
	}
}

// TestLookUpsAreBounded asserts that look-ups of admitted names are limited per
// client, with a separate quota for datagrams with its address.
func TestLookUpsAreBounded(t *testing.T) {
	b, rec := byPolicy(t, Limits{WildcardNames: 2})
	rounds := func(from string, proto rules.Proto) (n int) {
		for i := range 12 {
			b.gens.reload(t, ResolverConfig{Upstreams: b.up.upstream()}) // the new Resolver has no cached answers
			r := b.sendFrom(question(fmt.Sprintf("n%d.b.example.", i%2), dns.TypeA), from, proto)
			if b.up.asked(); !r.Truncated && r.Rcode != dns.RcodeRefused {
				n++
			} else if proto == rules.TCP && rec.last.Why() != rules.Limit {
				t.Errorf("denied as %s", rec.last.Why())
			}
		}
		return n
	}
	for _, c := range []struct {
		from  string
		proto rules.Proto
		want  int
	}{{knownClient, rules.TCP, 8}, {knownClient, rules.UDP, 2}, {knownClient, rules.TCP, 0}, {"10.1.1.2", rules.TCP, 8}} {
		if n := rounds(c.from, c.proto); n != c.want {
			t.Errorf("%s by %v: %d look-ups, want %d", c.from, c.proto, n, c.want)
		}
	}
	b.advance(lookUpsPeriod)
	if n := rounds(knownClient, rules.TCP); n != 8 {
		t.Errorf("a minute later: %d look-ups", n)
	}
}
