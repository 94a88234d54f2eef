// Compiled policy: the filter with a real policy instead of the tests' own
// Gate.

package dnsfilter

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/site"
)

const realConfig = `
[[client]]
name = "bare"
sources = ["10.8.0.0/16"]
profiles = []
[[client]]
name = "site"
sources = ["10.0.0.0/8"]
profiles = []
[[client]]
name = "trial"
sources = ["192.168.7.0/24"]
profiles = []
mode = "audit"
[[rule]]
id = "names"
client = "site"
reason = "test"
to = ["a.example", "*.b.example", "inside.example", "mixed.example", "lan.example", "svc.example"]
tcp = [443]
[[rule]]
id = "bound"
client = "site"
reason = "test"
to = ["bound.example", "10.77.0.0/16"]
tcp = [443]
[dns]
upstreams = ["udp://127.0.0.1:53"]
[[dns.zone]]
suffix = "corp.test"
upstreams = ["udp://127.0.0.1:53"]
[resolve]
private = ["172.20.0.0/16"]
`

// decisions records the last decision of a Gate about each flow.
type decisions struct {
	next rules.Gate
	mu   sync.Mutex
	last rules.Decision
}

func (d *decisions) Decide(a rules.Attempt) rules.Decision {
	v := d.next.Decide(a)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = v
	return v
}

func (d *decisions) Preview(a rules.Attempt) rules.Decision { return d.next.Preview(a) }

// TestCompiledPolicy asserts verdict, reason and answer under a compiled policy
// with wildcards, zones, private addresses inside a permitted prefix, and audit
// mode.
func TestCompiledPolicy(t *testing.T) {
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(realConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, problems := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	if p == nil {
		t.Fatal(problems)
	}
	rec := &decisions{next: p}
	b := newHarness(t, func(c *setup) { c.Gate = rec })
	b.reach = rules.Decision.Reach
	for _, rr := range records(t, `
deep.er.b.example. 300 IN A 192.0.1.50
b.example.         300 IN A 192.0.1.51
bound.example.     300 IN A 10.77.1.1
bound.example.     300 IN A 10.78.1.1
lan.example.       300 IN A 172.20.0.9
other.test.        300 IN A 192.0.1.52
`) {
		b.up.add(rr)
	}
	for _, c := range []struct {
		client, name string
		qtype        uint16
		rcode        int
		answer       []string
		text         string // verdict and reason
		asked        int
	}{
		{knownClient, "a.example.", dns.TypeA, 0, []string{"192.0.1.10"}, "allow ", 1},
		{knownClient, "deep.er.b.example.", dns.TypeA, 0, []string{"192.0.1.50"}, "allow ", 1},
		{knownClient, "b.example.", dns.TypeA, 0, nil, "deny not_listed", 0}, // *.b.example is permitted
		{knownClient, "example.", dns.TypeA, 0, nil, "deny not_listed", 0},
		{knownClient, "test.", dns.TypeNS, 0, nil, "deny not_listed", 0},
		{"192.168.7.7", "example.", dns.TypeTXT, 0, nil, "deny type_not_allowed", 0},
		{knownClient, "x.a.example.", dns.TypeA, 3, nil, "deny not_listed", 0},
		{knownClient, "a.example.", dns.TypeTXT, 0, nil, "deny type_not_allowed", 0},
		{knownClient, "inside.example.", dns.TypeA, 0, nil, "deny private_address", 1},
		{knownClient, "mixed.example.", dns.TypeA, 0, []string{"192.0.1.30"}, "allow ", 1},
		{knownClient, "bound.example.", dns.TypeA, 0, []string{"10.77.1.1"}, "allow ", 1},
		{knownClient, "lan.example.", dns.TypeA, 0, []string{"172.20.0.9"}, "allow ", 1},
		{knownClient, "db.corp.test.", dns.TypeA, 0, []string{"10.20.0.5"}, "allow ", 1},
		{knownClient, "svc.example.", dns.TypeHTTPS, 0, []string{`1 . alpn="h2,h3" port="443"`}, "allow ", 1},
		{knownClient, "db.corp.test.", dns.TypeMX, 0, nil, "deny type_not_allowed", 0},
		{"192.168.7.7", "other.test.", dns.TypeA, 0, []string{"192.0.1.52"}, "would_deny not_listed", 1},
		{"192.168.7.7", "other.test.", dns.TypeTXT, 0, nil, "deny type_not_allowed", 0},
		{"192.168.7.7", "inside.example.", dns.TypeA, 0, nil, "deny private_address", 0}, // cached already
		{unknownClient, "a.example.", dns.TypeA, 5, nil, "deny unknown_client", 0},
	} {
		r := b.sendFrom(withEDNS(question(c.name, c.qtype), 1232), c.client, rules.TCP)
		if text := rec.last.Text() + " " + rec.last.Why().String(); text != c.text || r.Rcode != c.rcode || !slices.Equal(data(r), c.answer) {
			t.Errorf("%s %s: %s, %s %v; want %s, %s %v", c.client, c.name, text, dns.RcodeToString[r.Rcode], data(r), c.text, dns.RcodeToString[c.rcode], c.answer)
		}
		if asked := b.up.asked(); len(asked) != c.asked {
			t.Errorf("%s %s: upstream was asked %q", c.client, c.name, asked)
		}
	}
}

// TestNoAllocationCompiled asserts that a cached answer allocates nothing under
// a compiled policy.
func TestNoAllocationCompiled(t *testing.T) {
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(realConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	f := cached(t, true)
	f.cfg.Observe, f.cfg.Gate, f.reach = nil, p, rules.Decision.Reach
	for _, name := range []string{"a.example.", "db.corp.test."} {
		wire, out := packed(t, withEDNS(question(name, dns.TypeA), 1232)), make([]byte, 0, 2048)
		n := testing.AllocsPerRun(1000, func() {
			q := query{msg: wire, client: netip.MustParseAddrPort(knownClient + ":1"), proto: rules.UDP}
			if reply, p := f.handle(&q, out); p != nil || len(reply) < 40 || reply[7] != 1 {
				t.Fatal("no answer")
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
