package dnsfilter

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/site"
)

// TestOneRatePerHost holds that a host has one rate and one share, whatever
// addresses it uses.
func TestOneRatePerHost(t *testing.T) {
	for _, c := range []struct{ one, same, other string }{
		{"127.0.0.1", "127.9.8.7", "10.0.0.1"},
		{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"},
	} {
		r, held, names := newRates(), newCounts(), newNameQuota()
		r.set(1)
		names.set(1)
		held.set(10, 1)
		by := func(addr netip.Addr) rules.Party { return rules.PartyOf(addr, nil) }
		for i, step := range []struct {
			addr string
			want bool
		}{{c.one, true}, {c.same, false}, {c.other, true}} {
			addr := netip.MustParseAddr(step.addr)
			if got := r.allow(by(addr), 0); got != step.want {
				t.Errorf("rate of %s: %t", addr, got)
			}
			name, err := rules.ParseName("x" + strconv.Itoa(i) + ".example")
			if got := names.admit(by(addr), name, 0); got != step.want || err != nil {
				t.Errorf("name of %s: %t, %v", addr, got, err)
			}
			if got := held.acquire(by(addr)); got != step.want {
				t.Errorf("share of %s: %t", addr, got)
			}
		}
	}
}

// TestNeighboursHaveTheirOwn holds that two clients of the configuration with
// addresses in one /64, or on loopback, spend nothing of each other's.
func TestNeighboursHaveTheirOwn(t *testing.T) {
	const text = `
[[client]]
name = "one"
sources = ["2001:db8::1", "127.0.0.1"]
profiles = []
[[client]]
name = "two"
sources = ["2001:db8::2", "127.0.0.2"]
profiles = []
[[rule]]
id = "one"
client = "one"
reason = "test"
to = ["*.b.example"]
tcp = [443]
[[rule]]
id = "two"
client = "two"
reason = "test"
to = ["*.b.example"]
tcp = [443]
[dns]
upstreams = ["udp://127.0.0.1:53"]
`
	c, problems := site.Parse("test.toml", t.TempDir(), []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	for _, addrs := range [][2]string{{"2001:db8::1", "2001:db8::2"}, {"127.0.0.1", "127.0.0.2"}} {
		for _, limits := range []Limits{{QPS: 2}, {WildcardNames: 2}} {
			rec := &decisions{next: p}
			b := newHarness(t, func(c *setup) { c.Gate, c.Limits = rec, limits })
			b.reach = rules.Decision.Reach
			for i, from := range []string{addrs[0], addrs[0], addrs[0], addrs[1], addrs[1], addrs[1]} {
				b.sendFrom(question("n"+strconv.Itoa(i)+".b.example.", dns.TypeA), from, rules.TCP)
				if over := i%3 == 2; over != (rec.last.Why() == rules.Limit) {
					t.Errorf("%+v, query %d, of %s: %s", limits, i+1, from, rec.last.Why())
				}
			}
		}
	}
}
