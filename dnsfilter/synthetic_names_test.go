// Synthetic names: the quota, collisions and bounds of the names that clients asked for, and the
// reading of reverse names.

package dnsfilter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// A new name below a wildcard counts against the client's quota, as it does for look-ups: by a
// datagram with a forged source nobody can use up the quota, or the table, of another client.
func TestSyntheticQuota(t *testing.T) {
	b, _, rec := newSynthetic(t, bothPrefixes)
	b.SetLimits(Limits{WildcardNames: 2})
	if r := b.ask("x.b.example.", dns.TypeA); !r.Truncated || b.SyntheticNames() != 0 {
		t.Errorf("by a datagram: %v, %d names", r, b.SyntheticNames())
	}
	for _, n := range []string{"x", "y"} {
		if r := b.askTCP(n+".b.example.", dns.TypeA); len(r.Answer) != 1 {
			t.Errorf("%s: %v", n, r)
		}
	}
	if r := b.ask("x.b.example.", dns.TypeA); len(r.Answer) != 1 {
		t.Errorf("a known name by a datagram: %v", r)
	}
	if r := b.askTCP("z.b.example.", dns.TypeA); r.Rcode != dns.RcodeRefused || rec.last.Why() != rules.Limit || b.SyntheticNames() != 2 {
		t.Errorf("over the quota: %v, %v", r, rec.last.Why())
	}
	if r := b.ask("a.example.", dns.TypeA); len(r.Answer) != 1 {
		t.Errorf("an exact name: %v", r)
	}
}

// Two names below wildcards that want the same IPv4 address: a client that uses the one is denied
// the other one, and another client is not.
func TestSyntheticCollision(t *testing.T) {
	b, p, rec := newSynthetic(t, `["fd53:1234:5678::/64", "198.18.7.0/24"]`)
	seen := map[netip.Addr]rules.Name{}
	var one, two rules.Name
	for i := 0; two.IsZero(); i++ {
		n := name(t, fmt.Sprintf("h%d.b.example", i))
		a, _ := p.SyntheticAddrs(n)
		if one = seen[a]; !one.IsZero() {
			two = n
		}
		seen[a] = n
	}
	ask := func(n rules.Name, client string) *dns.Msg {
		return b.sendFrom(withEDNS(question(n.String()+".", dns.TypeA), 1232), client, rules.TCP)
	}
	if r := ask(one, knownClient); len(r.Answer) != 1 {
		t.Fatal(r)
	}
	r := ask(two, knownClient)
	if _, text := extended(r); r.Rcode != dns.RcodeRefused || rec.last.Why() != rules.Limit || !strings.Contains(text, "synthetic address") {
		t.Errorf("the second name: %v, %v", r, rec.last.Why())
	}
	if r := b.sendFrom(question(two.String()+".", dns.TypeAAAA), knownClient, rules.TCP); len(r.Answer) != 1 {
		t.Errorf("its IPv6 address: %v", r)
	}
	if r := ask(two, "10.1.9.9"); len(r.Answer) != 1 {
		t.Errorf("another source: %v", r)
	}
	addr, _ := p.SyntheticAddrs(one)
	g := b.gens.live.Load()
	for client, want := range map[string]rules.Name{knownClient: one, "10.1.9.9": two, "10.1.3.3": {}} {
		if got, synthetic := b.SyntheticName(g, netip.MustParseAddr(client), addr); got != want || !synthetic {
			t.Errorf("%s means %v by %v, want %v", client, got, addr, want)
		}
	}
	b.advance(learnedHold)
	if r := ask(two, knownClient); len(r.Answer) != 1 {
		t.Errorf("after the first name's hold: %v", r)
	}
}

// The table is bounded, for each source and as a whole; its two indexes agree.
func TestLearnedNamesAreBounded(t *testing.T) {
	l := newLearnedNames()
	by := func(i int) rules.QuotaKey {
		return rules.QuotaKey{Source: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Client: "c"}
	}
	n := name(t, "x.b.example")
	add := func(i, at int) {
		l.learn(by(i), n, netip.AddrFrom4([4]byte{198, 18 + byte(at>>16), byte(at >> 8), byte(at)}), time.Duration(at))
	}
	for at := range maxLearnedPerClient + 100 {
		add(0, at)
	}
	if l.len() != maxLearnedPerClient {
		t.Errorf("%d names of one source", l.len())
	}
	for i := 1; i < 40; i++ {
		for at := range 2000 {
			add(i, at)
		}
	}
	found := 0
	for _, list := range l.found {
		found += len(list)
	}
	held := 0
	for _, names := range l.by {
		held += len(names)
	}
	if l.len() != maxLearned || found != maxLearned || held != maxLearned {
		t.Errorf("%d names, %d by address, %d by source, want %d", l.len(), found, held, maxLearned)
	}
}

// FuzzReverseAddr compares the reading of names below in-addr.arpa and ip6.arpa with the library's
// way to write them.
func FuzzReverseAddr(f *testing.F) {
	for _, s := range []string{"4.3.18.198.in-addr.arpa.", "04.3.18.198.in-addr.arpa.", "256.3.18.198.in-addr.arpa.", "3.18.198.in-addr.arpa.", "in-addr.arpa.", ".",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.7.6.5.4.3.2.1.3.5.d.f.ip6.arpa.", "F.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.7.6.5.4.3.2.1.3.5.D.f.IP6.arpa."} {
		var wire [256]byte
		n, err := dns.PackDomainName(s, wire[:], 0, nil, false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire[:n])
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		end, ok := skipPlainName(wire, 0)
		if !ok {
			return
		}
		wire = wire[:end]
		text, _, err := dns.UnpackDomainName(wire, 0)
		if err != nil {
			return
		}
		addr, ok := reverseAddr(wire)
		if ok {
			if back, err := dns.ReverseAddr(addr.String()); err != nil || !strings.EqualFold(back, text) {
				t.Fatalf("%q is read as %v, which is written %q (%v)", text, addr, back, err)
			}
		}
	})
}

// BenchmarkSynthetic is the cost of a query that is answered by a synthetic address.
func BenchmarkSynthetic(b *testing.B) {
	p := syntheticPolicy(b, bothPrefixes)
	f := cached(b, true)
	f.cfg.Observe, f.cfg.Gate, f.reach = nil, p, rules.Decision.Reach
	g := &rules.Generation{Policy: p}
	f.cfg.Generation = func() *rules.Generation { return g }
	wire, out := packed(b, withEDNS(question("a.example.", dns.TypeA), 1232)), make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		q := query{msg: wire, client: netip.MustParseAddrPort(knownClient + ":1"), proto: rules.UDP}
		if reply, pend := f.handle(&q, out); pend != nil || len(reply) < 40 {
			b.Fatal("no answer")
		}
	}
}
