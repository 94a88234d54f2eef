// Answers behind NAT64.

package dnsfilter

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestNAT64Answers holds that of a site's own global prefix only what stands for a
// public IPv4 address is answered, from upstream, the cache and [hosts].
func TestNAT64Answers(t *testing.T) {
	text := realConfig + "nat64 = [\"2600:64::/96\", \"64:ff9b::/96\"]\n[hosts]\n\"lan.example\" = [\"2600:64::5db8:3d0a\", \"2600:64::7f00:1\"]\n"
	c, problems := rules.ParseConfig("test.toml", t.TempDir(), []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(c, rules.Own{}, time.Now())
	rec := &decisions{next: p}
	b := newBench(t, func(s *setup) { s.Gate, s.NAT64, s.Hosts = rec, c.NAT64, c.Hosts })
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
