// Aliases and empty names, as caching resolvers in front of the filter
// understand them.

package dnsfilter

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/site"
)

// TestFlattened asserts that the answer to a permitted alias has its final
// records under the name in the question, with the shortest TTL of the chain. A
// resolver in front of the filter asks for the target of an alias by itself
// (RFC 1034, section 5.3.3), and that is denied.
func TestFlattened(t *testing.T) {
	const soa = "cdn.test. 900 IN SOA ns. root. 1 2 3 4 60"
	for _, c := range []struct {
		what       string
		qtype      uint16
		answer, ns string
		rcode      int
		recursive  bool
		want       string // every record of answer and authority: "owner TTL TYPE data"
		wantRCode  int
	}{
		{"A", dns.TypeA, "a.example. 30 IN CNAME x.cdn.test.\nx.cdn.test. 300 IN CNAME y.cdn.test.\ny.cdn.test. 60 IN A 192.0.1.1\ny.cdn.test. 90 IN A 192.0.1.2", "", 0, true,
			"a.example. 30 A 192.0.1.1, a.example. 30 A 192.0.1.2", 0},
		{"AAAA", dns.TypeAAAA, "a.example. 300 IN CNAME x.cdn.test.\nx.cdn.test. 20 IN AAAA 2606:4700::1", "", 0, true,
			"a.example. 20 AAAA 2606:4700::1", 0},
		{"HTTPS behind a CNAME: the owner is the name asked for (RFC 9460, 2.5)", dns.TypeHTTPS, "a.example. 300 IN CNAME x.cdn.test.\nx.cdn.test. 20 IN HTTPS 1 . alpn=h2", "", 0, true,
			`a.example. 20 HTTPS 1 . alpn="h2"`, 0},
		{"HTTPS that names its owner", dns.TypeHTTPS, "a.example. 300 IN CNAME x.cdn.test.\nx.cdn.test. 20 IN HTTPS 1 X.cdn.test. alpn=h2", "", 0, true,
			`a.example. 20 HTTPS 1 . alpn="h2"`, 0},
		{"HTTPS that names the name asked for", dns.TypeHTTPS, "a.example. 20 IN HTTPS 1 a.example. alpn=h2", "", 0, true,
			`a.example. 20 HTTPS 1 . alpn="h2"`, 0},
		{"AliasMode (RFC 9460, 2.4.2): a client goes on with the addresses", dns.TypeHTTPS, "a.example. 300 IN HTTPS 0 x.cdn.test.", "", 0, true,
			"a.example. 60 SOA sallyport.invalid. nobody.invalid. 1 1800 900 604800 60", 0},
		{"SVCB to another name", dns.TypeSVCB, "a.example. 300 IN SVCB 1 x.cdn.test. alpn=h2\na.example. 300 IN SVCB 2 . alpn=h2", "", 0, true,
			`a.example. 300 SVCB 2 . alpn="h2"`, 0},
		{"no such record behind an alias (RFC 2308, 2.2)", dns.TypeAAAA, "a.example. 30 IN CNAME x.cdn.test.", soa, 0, true,
			"a.example. 30 SOA sallyport.invalid. nobody.invalid. 1 1800 900 604800 30", 0},
		{"the same, without a SOA", dns.TypeAAAA, "a.example. 300 IN CNAME x.cdn.test.", "", 0, true,
			"a.example. 5 SOA sallyport.invalid. nobody.invalid. 1 1800 900 604800 5", 0},
		{"no such name behind an alias: the alias does exist (RFC 6604, 3)", dns.TypeA, "a.example. 300 IN CNAME x.cdn.test.", soa, 3, true,
			"a.example. 60 SOA sallyport.invalid. nobody.invalid. 1 1800 900 604800 60", 0},
		{"a server that does not recurse leaves the rest to be asked", dns.TypeA, "a.example. 300 IN CNAME b.example.", "", 0, false,
			"a.example. 300 CNAME b.example.", 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := newHarness(t, nil, "a.example")
			b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
				m := new(dns.Msg).SetReply(r)
				m.RecursionAvailable, m.Rcode, m.Answer, m.Ns = c.recursive, c.rcode, records(t, c.answer), records(t, c.ns)
				w.WriteMsg(m)
				return true
			})
			for _, how := range []string{"from upstream", "from the cache"} {
				r := b.ask("a.example.", c.qtype)
				var got []string
				for _, rr := range slices.Concat(r.Answer, r.Ns) {
					got = append(got, strings.Join(slices.Delete(strings.Fields(rr.String()), 2, 3), " "))
				}
				if s := strings.Join(got, ", "); s != c.want || r.Rcode != c.wantRCode {
					t.Errorf("%s: %s %s, want %s", how, dns.RcodeToString[r.Rcode], s, c.want)
				}
			}
			if n := len(b.up.asked()); n != 1 {
				t.Errorf("upstream was asked %d times", n)
			}
		})
	}
}

// TestFlattenedPins asserts that the addresses behind an alias are pinned to
// the name in the question, for the lifetime of that answer.
func TestFlattenedPins(t *testing.T) {
	var told []string
	b := newHarness(t, func(c *setup) {
		c.Pins = true
		c.Answered = func(_ netip.Addr, n rules.Name, addrs []netip.Addr, ttl time.Duration) {
			told = append(told, n.String()+" "+addrs[0].String()+" "+ttl.String())
		}
	}, "www.a.example")
	b.ask("www.a.example.", dns.TypeA)
	if want := "www.a.example 192.0.1.20 1m0s"; len(told) != 1 || told[0] != want {
		t.Errorf("got %q, want %q", told, want)
	}
	if pinned := b.Pinned(netip.MustParseAddr(knownClient), netip.MustParseAddr("192.0.1.20")); len(pinned) != 1 || pinned[0].String() != "www.a.example" {
		t.Errorf("pinned to %v", pinned)
	}
	if a, _ := b.p.final(t); len(a.Resolved) != 1 || a.Resolved[0].String() != "192.0.1.20" || a.Authority.String() != "www.a.example" {
		t.Errorf("the journal has %v for %v", a.Resolved, a.Authority)
	}
}

// TestEmptyNonTerminal asserts that a name above a permitted one exists but has
// no record (RFC 8020, section 2; RFC 4592, section 2.2.2). It is denied like
// other names, and no upstream is asked.
func TestEmptyNonTerminal(t *testing.T) {
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(realConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	for _, denied := range []Denied{NXDomain, NoData, Refused} {
		rec := &decisions{next: p}
		b := newHarness(t, func(c *setup) { c.Gate, c.Denied = rec, denied })
		b.reach = rules.Decision.Reach
		for _, row := range []struct {
			name  string
			rcode int // where denied is nxdomain
		}{
			{"example.", dns.RcodeSuccess}, {"EXAMPLE.", dns.RcodeSuccess}, {"b.example.", dns.RcodeSuccess}, {"test.", dns.RcodeSuccess}, // *.b.example, zone corp.test
			{"x.a.example.", dns.RcodeNameError}, {"c.example.", dns.RcodeNameError}, {"com.", dns.RcodeNameError}, {"a.test.", dns.RcodeNameError},
		} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeTXT, dns.TypeSOA} {
				r := b.ask(row.name, qtype)
				want := map[Denied]int{NXDomain: row.rcode, NoData: dns.RcodeSuccess, Refused: dns.RcodeRefused}[denied]
				if r.Rcode != want || len(r.Answer) != 0 || (len(r.Ns) == 1) == (want == dns.RcodeRefused) {
					t.Errorf("denied %v: %s: %v, want %s", denied, row.name, r, dns.RcodeToString[want])
				}
				if rec.last.Text() != "deny" || rec.last.Why() != rules.NotListed {
					t.Errorf("%s: decided %s %s", row.name, rec.last.Text(), rec.last.Why())
				}
			}
		}
		if asked := b.up.asked(); len(asked) != 0 {
			t.Errorf("upstream was asked %q", asked)
		}
	}
}

// TestUpstreamDoesNotKnowNamesBelow asserts that an upstream's NXDOMAIN does
// not deny names of [hosts] or a zone below that name (RFC 8020, section 2).
func TestUpstreamDoesNotKnowNamesBelow(t *testing.T) {
	b := newHarness(t, func(c *setup) {
		c.Hosts = map[rules.Name][]netip.Addr{mustName(t, "x.fixed.site.test"): {netip.MustParseAddr("192.0.1.1")}}
		c.Zones = []Zone{{Suffix: mustName(t, "corp.lan"), Upstreams: c.Upstreams}}
	}, "fixed.site.test", "site.test", "lan", "corp.lan", "other.site.test")
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := new(dns.Msg).SetRcode(r, dns.RcodeNameError)
		m.Ns = records(t, ". 900 IN SOA ns. root. 1 2 3 4 60")
		w.WriteMsg(m)
		return true
	})
	for name, want := range map[string]int{
		"fixed.site.test.": dns.RcodeSuccess, "site.test.": dns.RcodeSuccess, "lan.": dns.RcodeSuccess,
		"corp.lan.": dns.RcodeNameError, "other.site.test.": dns.RcodeNameError, // their servers know
	} {
		for range 2 { // from upstream and from the cache
			if r := b.ask(name, dns.TypeA); r.Rcode != want || len(r.Ns) != 1 || r.Ns[0].Header().Name != "." {
				t.Errorf("%s: %v, want %s", name, r, dns.RcodeToString[want])
			}
		}
	}
}
