// Synthetic: permitted names are answered by addresses of their own, and such an address leads back
// to its name.

package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/site"
)

const syntheticConfig = `
[listen]
dns         = ["127.0.0.1:5300"]
transparent = ["127.0.0.1:3129"]
[[client]]
name = "site"
sources = ["10.1.0.0/16", "fd00:1::/64"]
profiles = []
synthetic = true
[[client]]
name = "plain"
sources = ["10.2.0.0/16"]
profiles = []
[[rule]]
id = "names"
client = "site"
reason = "test"
to = ["a.example", "svc.example", "*.b.example", "inside.example"]
tcp = [443]
[[rule]]
id = "datagrams"
client = "site"
reason = "test"
to = ["mixed.example"]
udp = [123]
[[rule]]
id = "plain"
client = "plain"
reason = "test"
to = ["a.example", "*.b.example"]
tcp = [443]
[dns]
upstreams = ["udp://127.0.0.1:53"]
synthetic = PREFIXES
synthetic_secret_file = "secret"
[[dns.zone]]
suffix = "corp.test"
upstreams = ["udp://127.0.0.1:53"]
`

// secretDisk has the secret.
type secretDisk string

func (d secretDisk) Read(string, int) ([]byte, error)      { return []byte(d), nil }
func (d secretDisk) List(string, string) ([]string, error) { return nil, nil }

func syntheticPolicy(t testing.TB, prefixes string) *rules.Policy {
	t.Helper()
	c, problems := site.Parse("test.toml", site.Disk{Files: secretDisk(strings.Repeat("s", 32))}, []byte(strings.Replace(syntheticConfig, "PREFIXES", prefixes, 1)), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	return p
}

// newSynthetic makes a filter with synthetic addresses, and a recorder of its decisions.
func newSynthetic(t *testing.T, prefixes string) (*harness, *rules.Policy, *decisions) {
	t.Helper()
	p := syntheticPolicy(t, prefixes)
	rec := &decisions{next: p}
	b := newHarness(t, func(s *setup) { s.Gate, s.Pins = rec, true })
	b.reach = rules.Decision.Reach
	g := *b.gens.live.Load()
	g.Policy = p
	b.gens.live.Store(&g)
	return b, p, rec
}

const bothPrefixes = `["fd53:1234:5678::/64", "198.18.0.0/15"]`

func TestSynthetic(t *testing.T) {
	b, p, rec := newSynthetic(t, bothPrefixes)
	v4, v6 := p.SyntheticAddrs(name(t, "a.example"))
	x4, x6 := p.SyntheticAddrs(name(t, "x.b.example"))
	reverse := func(a netip.Addr) string {
		n, err := dns.ReverseAddr(a.String())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	b.up.add(records(t, `x.b.example. 300 IN A 192.0.1.77`)[0])
	b.up.add(records(t, `h.b.example. 300 IN HTTPS 1 . alpn="h2" ipv4hint="192.0.1.40" ipv6hint="2606:4700::40"`)[0])
	for _, c := range []struct {
		client, name string
		qtype        uint16
		rcode        int
		answer       []string
		text         string
		asked        int
	}{
		{knownClient, "a.example.", dns.TypeA, 0, []string{v4.String()}, "allow ", 0},
		{knownClient, "A.eXample.", dns.TypeAAAA, 0, []string{v6.String()}, "allow ", 0},
		{"10.2.0.1", "a.example.", dns.TypeA, 0, []string{"192.0.1.10"}, "allow ", 1},
		{knownClient, "a.example.", dns.TypeA, 0, []string{v4.String()}, "allow ", 0}, // although the true address is cached
		{"fd00:1::7", "a.example.", dns.TypeA, 0, []string{v4.String()}, "allow ", 0},
		{knownClient, "x.b.example.", dns.TypeA, 0, []string{x4.String()}, "allow ", 0},
		{knownClient, "x.b.example.", dns.TypeAAAA, 0, []string{x6.String()}, "allow ", 0},
		{"10.2.0.1", "x.b.example.", dns.TypeA, 0, []string{"192.0.1.77"}, "allow ", 1},
		{knownClient, "inside.example.", dns.TypeA, 0, []string{first(p.SyntheticAddrs(name(t, "inside.example"))).String()}, "allow ", 0}, // its private addresses are judged when it is dialed
		{knownClient, "mixed.example.", dns.TypeA, 0, []string{"192.0.1.30"}, "allow ", 1},                                                 // a rule for datagrams alone
		{knownClient, "db.corp.test.", dns.TypeA, 0, []string{"10.20.0.5"}, "allow ", 1},                                                   // the zone permits the look-up alone
		{knownClient, "evil.example.", dns.TypeA, 3, nil, "deny not_listed", 0},
		{knownClient, "a.example.", dns.TypeTXT, 0, nil, "deny type_not_allowed", 0},
		{unknownClient, "a.example.", dns.TypeA, 5, nil, "deny unknown_client", 0},
		{knownClient, "svc.example.", dns.TypeHTTPS, 0, []string{`1 . alpn="h2,h3" port="443"`}, "allow ", 1},
		{knownClient, "h.b.example.", dns.TypeHTTPS, 0, []string{`1 . alpn="h2"`}, "allow ", 1}, // without hints
		{knownClient, reverse(v4), dns.TypePTR, 0, []string{"a.example."}, "allow ", 0},
		{knownClient, strings.ToUpper(reverse(v6)), dns.TypePTR, 0, []string{"a.example."}, "allow ", 0},
		{knownClient, reverse(x6), dns.TypePTR, 0, []string{"x.b.example."}, "allow ", 0},
		{knownClient, reverse(v4), dns.TypeA, 3, nil, "deny not_listed", 0},
		{"10.2.0.1", reverse(v4), dns.TypePTR, 3, nil, "deny not_listed", 0},
		{knownClient, reverse(netip.MustParseAddr("198.18.0.0")), dns.TypePTR, 3, nil, "deny not_listed", 0},
		{knownClient, reverse(netip.MustParseAddr("192.0.1.10")), dns.TypePTR, 3, nil, "deny not_listed", 0},
	} {
		r := b.sendFrom(withEDNS(question(c.name, c.qtype), 1232), c.client, rules.TCP)
		if text := rec.last.Text() + " " + rec.last.Why().String(); text != c.text || r.Rcode != c.rcode || !slices.Equal(data(r), c.answer) {
			t.Errorf("%s %s %d: %s, %s %v; want %s, %s %v", c.client, c.name, c.qtype, text, dns.RcodeToString[r.Rcode], data(r), c.text, dns.RcodeToString[c.rcode], c.answer)
		}
		if asked := b.up.asked(); len(asked) != c.asked {
			t.Errorf("%s %s %d: upstream was asked %q", c.client, c.name, c.qtype, asked)
		}
	}
	if n := b.SyntheticNames(); n != 2 {
		t.Errorf("%d names below wildcards are known, want x.b.example by both its addresses", n)
	}
	if r := b.ask("a.example.", dns.TypeA); len(r.Answer) != 1 || r.Answer[0].Header().Ttl != 60 || r.Question[0].Name != "a.example." {
		t.Errorf("the answer about an exact name: %v", r)
	}
	if r := b.askTCP("x.b.example.", dns.TypeA); len(r.Answer) != 1 || r.Answer[0].Header().Ttl != 10 {
		t.Errorf("the answer about a wildcard's name, which a restart forgets: %v", r)
	}
}

func first(a, _ netip.Addr) netip.Addr { return a }

func name(t testing.TB, s string) rules.Name {
	t.Helper()
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A family without a prefix has no addresses: the true ones would lead past the name.
func TestSyntheticOneFamily(t *testing.T) {
	b, p, rec := newSynthetic(t, `["198.18.0.0/15"]`)
	if r := b.ask("a.example.", dns.TypeAAAA); r.Rcode != 0 || len(r.Answer) != 0 || len(r.Ns) != 1 || !rec.last.Allowed() {
		t.Errorf("AAAA: %v, %v", r, rec.last)
	}
	v4, _ := p.SyntheticAddrs(name(t, "a.example"))
	if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{v4.String()}) {
		t.Errorf("A: %v", r)
	}
	if asked := b.up.asked(); len(asked) != 0 {
		t.Errorf("upstream was asked %q", asked)
	}
}

// Exact names are found from the start. A wildcard's name is found once a client has asked for it.
func TestSyntheticName(t *testing.T) {
	b, p, _ := newSynthetic(t, bothPrefixes)
	addr := netip.MustParseAddr
	x4, x6 := p.SyntheticAddrs(name(t, "x.b.example"))
	a4, a6 := p.SyntheticAddrs(name(t, "a.example"))
	find := func(client string, a netip.Addr) string {
		n, synthetic := b.SyntheticName(b.gens.live.Load(), addr(client), a)
		return fmt.Sprint(n, " ", synthetic)
	}
	want := func(what, client string, a netip.Addr, want string) {
		t.Helper()
		if got := find(client, a); got != want {
			t.Errorf("%s: %v of %s: %q, want %q", what, a, client, got, want)
		}
	}
	want("an exact name", knownClient, a4, "a.example true")
	want("an exact name", "10.2.0.1", a6, "a.example true")
	want("a mapped address", knownClient, addr("::ffff:"+a4.String()), "a.example true")
	want("not asked yet", knownClient, x4, " true")
	want("no name's", knownClient, addr("198.18.0.0"), " true")
	want("a true address", knownClient, addr("192.0.1.10"), " false")
	b.askTCP("x.b.example.", dns.TypeA)
	b.sendFrom(question("x.b.example.", dns.TypeAAAA), "10.1.9.9", rules.TCP)
	want("asked", knownClient, x4, "x.b.example true")
	want("another source of the [[client]]", "10.1.7.7", x4, "x.b.example true")
	want("another [[client]], IPv4", "10.2.0.1", x4, " true")
	want("another [[client]], IPv6", "10.2.0.1", x6, "x.b.example true")
	for range 5 { // in use
		b.advance(learnedHold - time.Minute)
		want("in use", knownClient, x4, "x.b.example true")
	}
	b.advance(learnedHold)
	want("long unused", knownClient, x4, " true")
	b.learned.learn(b.gens.live.Load().QuotaKeyOf(addr(knownClient)), name(t, "x.b.example"), a4, b.clock())
	want("a client that got the address for another name, before a reload", knownClient, a4, " true")
	want("another client", "10.2.0.1", a4, "a.example true")
}
