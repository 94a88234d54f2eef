// Answers behind NAT64.

package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/site"
)

// TestNAT64Answers asserts that an answer has addresses below the site's own
// global prefix only if they contain a public IPv4 address. This holds for
// answers from upstream, from the cache and from [hosts].
func TestNAT64Answers(t *testing.T) {
	text := realConfig + "nat64 = [\"2600:64::/96\", \"64:ff9b::/96\"]\n[hosts]\n\"lan.example\" = [\"2600:64::5db8:3d0a\", \"2600:64::7f00:1\"]\n"
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	rec := &decisions{next: p}
	b := newHarness(t, func(s *setup) { s.Gate, s.NAT64, s.Hosts = rec, c.NAT64, c.Hosts })
	b.reach = rules.Decision.Reach
	for _, rr := range records(t, `
mixed.example.  300 IN AAAA 2600:64::5db8:3d0a
mixed.example.  300 IN AAAA 64:ff9b::5db8:3d0a
mixed.example.  300 IN AAAA 2600:64::a01:203
mixed.example.  300 IN AAAA 64:ff9b::a9fe:a9fe
bound.example.  300 IN AAAA 2600:64::a01:203
`) {
		b.up.add(rr)
	}
	for range 2 {
		if got := data(b.ask("mixed.example.", dns.TypeAAAA)); !slices.Equal(got, []string{"2600:64::5db8:3d0a", "64:ff9b::5db8:3d0a"}) {
			t.Errorf("answered %q", got)
		}
		if got := data(b.ask("lan.example.", dns.TypeAAAA)); !slices.Equal(got, []string{"2600:64::5db8:3d0a"}) {
			t.Errorf("[hosts]: answered %q", got)
		}
		if got := data(b.ask("bound.example.", dns.TypeAAAA)); len(got) != 0 || rec.last.Why() != rules.PrivateAddress {
			t.Errorf("answered %q, %s", got, rec.last.Why())
		}
	}
}

// TestDiscoverNAT64 asserts which prefixes a discovery finds and refuses; that
// it asks once for the lifetime of the answer; that an upstream without
// translation is not a failure; and that a failing upstream is a failure.
// [hosts] is not used (RFC 7050, section 3).
func TestDiscoverNAT64(t *testing.T) {
	hosts := map[rules.Name][]netip.Addr{mustName(t, "ipv4only.arpa"): {netip.MustParseAddr("2600:99::192.0.0.170")}}
	for what, c := range map[string]struct {
		records        string
		rcode          int
		found, refused string
		fails          bool
	}{
		"two prefixes": {"ipv4only.arpa. 300 IN AAAA 2600:64::c000:aa\nipv4only.arpa. 300 IN AAAA 64:ff9b::c000:ab\nipv4only.arpa. 300 IN AAAA 64:ff9b::c000:aa", 0, "[64:ff9b::/96 2600:64::/96]", "[]", false},
		"private":      {"ipv4only.arpa. 300 IN AAAA fd00:64::c000:aa", 0, "[]", "[fd00:64::/96 is among private or otherwise special addresses]", false},
		"no DNS64":     {"ipv4only.arpa. 300 IN A 192.0.0.170", 0, "[]", "[]", false},
		"fails":        {"", dns.RcodeServerFailure, "[]", "[]", true},
	} {
		b := newHarness(t, func(s *setup) { s.Hosts = hosts })
		for _, rr := range records(t, c.records) {
			b.up.add(rr)
		}
		b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
			if c.rcode != 0 {
				w.WriteMsg(new(dns.Msg).SetRcode(r, c.rcode))
			}
			return c.rcode != 0
		})
		for range 2 {
			p, err := b.DiscoverNAT64(t.Context(), nil)
			if (err != nil) != c.fails || fmt.Sprint(p.Prefixes) != c.found || fmt.Sprint(p.Refused) != c.refused {
				t.Errorf("%s: %+v, %v", what, p, err)
			}
			if len(p.Prefixes) > 0 && p.For != 300*time.Second {
				t.Errorf("%s: holds for %v", what, p.For)
			}
		}
		b.up.mu.Lock()
		if len(b.up.raw) != 1 || b.up.raw[0].Question[0].Qtype != dns.TypeAAAA || b.up.raw[0].CheckingDisabled {
			t.Errorf("%s: upstream was asked %v", what, b.up.raw)
		}
		b.up.mu.Unlock()
		if len(b.p.attempts) != 0 {
			t.Errorf("%s: %d attempts of clients", what, len(b.p.attempts))
		}
	}
}
