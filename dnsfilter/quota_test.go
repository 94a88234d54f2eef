// Quotas: rates and limits of one client, of one host, and of all unknown clients.

package dnsfilter

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/quota"
	"sallyport/rules/site"
)

// TestOneRatePerHost asserts that a host has one rate and one quota for all its
// addresses.
func TestOneRatePerHost(t *testing.T) {
	for _, c := range []struct{ one, same, other string }{
		{"127.0.0.1", "127.9.8.7", "10.0.0.1"},
		{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"},
	} {
		r, held, names := newRates(), quota.New[rules.QuotaKey](0, 0), newNameQuota()
		r.set(1)
		names.set(1)
		held.Set(10, 1)
		by := func(addr netip.Addr) rules.QuotaKey { return rules.QuotaKeyOf(addr, nil) }
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
			if got := held.Acquire(by(addr)) == quota.Acquired; got != step.want {
				t.Errorf("connections of %s: %t", addr, got)
			}
		}
	}
}

// TestNeighboursHaveTheirOwn asserts that two configured clients with addresses
// in one /64, or on loopback, have separate quotas.
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
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(text), nil)
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

// TestClientRate asserts that a client above its rate of upstream queries by
// TCP is denied with reason limit, that other clients are not denied, and that
// the client is answered again after some time. Queries without an
// upstream neither count nor are denied.
func TestClientRate(t *testing.T) {
	b := newHarness(t, func(c *setup) {
		c.Limits.QPS = 5
		c.Hosts = map[rules.Name][]netip.Addr{mustName(t, "fixed.example"): {netip.MustParseAddr("192.0.1.1")}}
	}, "*.example")
	free := func(when string) {
		t.Helper()
		for range 8 {
			if b.ask("fixed.example.", dns.TypeA); !allowed(t, b) {
				t.Errorf("%s: a cached answer is refused", when)
			}
			if b.ask("evil.test.", dns.TypeA); !denied(t, b, rules.NotListed) {
				t.Errorf("%s: a denied name has another reason", when)
			}
			if b.ask("a.example.", dns.TypeTXT); !denied(t, b, rules.TypeNotAllowed) {
				t.Errorf("%s: a type that is never asked for has another reason", when)
			}
			if b.raw(patched(t, 4, 0, 2), knownClient, rules.UDP) == nil || !denied(t, b, rules.MalformedRequest) {
				t.Errorf("%s: an unreadable query has no reply", when)
			}
		}
	}
	free("before")
	for i := range 8 {
		r := b.askTCP(fmt.Sprintf("n%d.example.", i), dns.TypeA)
		a, d := b.p.final(t)
		if over := i >= 5; over != (d.Why() == rules.Limit) || over != (r.Rcode == dns.RcodeRefused) || a.Provisional {
			t.Errorf("query %d: %s, %s", i+1, d.Why(), dns.RcodeToString[r.Rcode])
		}
	}
	if asked := b.up.asked(); len(asked) != 5 {
		t.Errorf("upstream was asked %q", asked)
	}
	free("over the rate")
	if b.askTCP("n1.example.", dns.TypeA); !allowed(t, b) {
		t.Error("a cached answer is refused over the rate")
	}
	if b.sendFrom(question("n9.example.", dns.TypeA), "10.1.1.2", rules.TCP); !allowed(t, b) {
		t.Error("another client was limited too")
	}
	b.advance(time.Second / 5)
	if b.askTCP("n8.example.", dns.TypeA); !allowed(t, b) {
		t.Error("the rate does not recover")
	}
}

// TestUnknownClientsHaveOneRate asserts that all unknown clients together get
// few replies, whatever they send, and that each of their queries is an
// attempt.
func TestUnknownClientsHaveOneRate(t *testing.T) {
	class := patched(t, len(patched(t, 0))-1, 3)
	for what, c := range map[string]struct {
		wire []byte
		why  rules.Reason
	}{
		"a query":             {packed(t, question("a.example.", dns.TypeA)), rules.UnknownClient},
		"no host name":        {packed(t, question("a b.example.", dns.TypeA)), rules.MalformedName},
		"an unreadable query": {class, rules.MalformedRequest},
	} {
		b := newHarness(t, func(c *setup) { c.Limits.UnknownQPS = 3 }, "a.example")
		replies := 0
		for i := range 10 {
			if b.raw(c.wire, fmt.Sprint("203.0.113.", i+1), rules.UDP) != nil {
				replies++
			}
			if !denied(t, b, c.why) {
				t.Fatalf("%s: no denial", what)
			}
		}
		if replies != 3 {
			t.Errorf("%s: %d replies, want 3", what, replies)
		}
	}
}

func denied(t *testing.T, b *harness, why rules.Reason) bool {
	t.Helper()
	_, d := b.p.final(t)
	return !d.Allowed() && d.Why() == why
}

func allowed(t *testing.T, b *harness) bool {
	t.Helper()
	_, d := b.p.final(t)
	return d.Allowed()
}

// TestOneClientIsANetwork asserts that an IPv6 client does not multiply its
// rate with the addresses of its /64.
func TestOneClientIsANetwork(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Limits.QPS = 2 }, "*.example")
	for i, client := range []string{"fd00::1", "fd00::2", "fd00::3", "fd00:0:0:1::1"} {
		b.sendFrom(question(fmt.Sprintf("n%d.example.", i), dns.TypeA), client, rules.TCP)
		if _, d := b.p.final(t); (d.Why() == rules.Limit) != (i == 2) {
			t.Errorf("%s: %s", client, d.Why())
		}
	}
}
