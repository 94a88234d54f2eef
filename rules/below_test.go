// Names above permitted names (RFC 8020, RFC 4592).

package rules_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// TestPermitsBelow checks which names have permitted names below them. A rule in
// force or a zone names these permitted names. The rcode of a denial depends on
// them.
func TestPermitsBelow(t *testing.T) {
	const text = `
[[client]]
name = "one"
sources = ["10.0.0.1/32"]
profiles = []
[[client]]
name = "other"
sources = ["10.0.0.2/32"]
profiles = []
[[rule]]
id = "r"
client = "one"
reason = "test"
to = ["deep.below.a.example", "*.wild.b.test", "single"]
tcp = [443]
[[rule]]
id = "gone"
client = "one"
reason = "test"
to = ["x.expired.test"]
tcp = [443]
expires = 2026-01-01
[dns]
upstreams = ["udp://127.0.0.1:53"]
[[dns.zone]]
suffix = "in.corp.lan"
upstreams = ["udp://127.0.0.1:53"]
`
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&c.Spec, Own{}, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	for _, row := range []struct {
		client string
		above  string // names above permitted names
		none   string // denied names that are not above permitted names
	}{
		{"10.0.0.1", "example a.example below.a.example test b.test wild.b.test lan corp.lan",
			"x.below.a.example other.example c.test expired.test arpa xexample nota.example w.test x.single"},
		{"10.0.0.2", "", "lan corp.lan example a.example below.a.example test b.test wild.b.test expired.test single x.lan"},
		{"192.0.2.1", "", "example lan corp.lan"}, // an unknown client
	} {
		for _, list := range []struct {
			names string
			want  bool
		}{{row.above, true}, {row.none, false}} {
			for name := range strings.FieldsSeq(list.names) {
				n, err := ParseName(name)
				if err != nil {
					t.Fatal(err)
				}
				d := p.Decide(Attempt{Via: ViaDNS, QType: 1, Client: netip.MustParseAddrPort(row.client + ":1"), Authority: n})
				if d.Allowed() {
					t.Errorf("%s: %s is permitted", row.client, name)
				}
				if got := d.PermitsBelow(); got != list.want {
					t.Errorf("%s: names below %s: %t, want %t", row.client, name, got, list.want)
				}
			}
		}
	}
	if (Decision{}).PermitsBelow() {
		t.Error("the zero Decision permits something")
	}
}

// TestPermitsBelowAgainstTwin compares the compiled answer with a walk over
// every permitted name, on random sites.
func TestPermitsBelowAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	profiles, yes := testProfiles(t), 0
	for range 300 {
		text := randomSite(r)
		c, _ := site.Parse("test.toml", site.Disk{Files: namedLists{}}, []byte(text), profiles)
		if c == nil {
			continue
		}
		p, _ := Compile(&c.Spec, testOwn(), today)
		for range 50 {
			a := randomAttempt(r)
			a.Via, a.Authority, a.QType = ViaDNS, randomHost(r).Parent(), 1
			d := p.Decide(a)
			if d.Allowed() || d.Client == nil || a.Authority.IsZero() {
				continue
			}
			want := false
			for _, n := range p.NamesInForce(d.Client) {
				want = want || n.Name.Below(a.Authority) || n.Wildcard && n.Name == a.Authority
			}
			for _, z := range c.DNS.Zones {
				want = want || d.ClientHasRules() && z.Suffix.Below(a.Authority)
			}
			if got := d.PermitsBelow(); got != want {
				t.Fatalf("%s: %t, want %t\n%s", a.Authority, got, want, text)
			} else if got {
				yes++
			}
		}
	}
	if yes == 0 {
		t.Error("no random name was above a permitted one: the test tests less than it says")
	}
}

// TestKeyLookUps checks whose DS and DNSKEY records are looked up (RFC 4034): the
// records of permitted names, of the names above them, and of the root. Every chain
// of signatures needs the records of the root (RFC 4035, section 5). Other record
// types of these names are not looked up.
func TestKeyLookUps(t *testing.T) {
	const text = `
[[client]]
name = "one"
sources = ["10.0.0.1/32"]
profiles = []
[[client]]
name = "none"
sources = ["10.0.0.2/32"]
profiles = []
[[rule]]
id = "r"
client = "one"
reason = "test"
to = ["deep.below.a.example", "*.wild.b.test"]
tcp = [443]
[dns]
upstreams = ["udp://127.0.0.1:53"]
[[dns.zone]]
suffix = "in.corp.lan"
upstreams = ["udp://127.0.0.1:53"]
`
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&c.Spec, Own{}, time.Now())
	for _, row := range []struct {
		client, name string
		qtypes       []uint16
		why          Reason
		rule         string
	}{
		{"10.0.0.1", "deep.below.a.example", []uint16{43, 48}, ReasonNone, "site/r"},
		{"10.0.0.1", "x.wild.b.test", []uint16{43, 48}, ReasonNone, "site/r"},
		{"10.0.0.1", "in.corp.lan", []uint16{43, 48}, ReasonNone, "site/dns.zone:in.corp.lan"},
		{"10.0.0.1", "below.a.example", []uint16{43, 48}, ReasonNone, "site/dns.keys"},
		{"10.0.0.1", "wild.b.test", []uint16{43, 48}, ReasonNone, "site/dns.keys"},
		{"10.0.0.1", "example", []uint16{43, 48}, ReasonNone, "site/dns.keys"},
		{"10.0.0.1", "lan", []uint16{43, 48}, ReasonNone, "site/dns.keys"},
		{"10.0.0.1", "", []uint16{48}, ReasonNone, "site/dns.keys"},
		{"10.0.0.1", "", []uint16{1, 2, 6, 43}, IPLiteral, ""},
		{"10.0.0.1", "example", []uint16{1, 2, 6, 16, 46, 47}, NotListed, ""},
		{"10.0.0.1", "x.deep.below.a.example", []uint16{43, 48}, NotListed, ""},
		{"10.0.0.1", "evil.test", []uint16{43, 48}, NotListed, ""},
		{"10.0.0.2", "example", []uint16{43, 48}, NotListed, ""},
		{"10.0.0.2", "", []uint16{48}, IPLiteral, ""},
		{"192.0.2.1", "example", []uint16{43, 48}, UnknownClient, ""},
		{"192.0.2.1", "", []uint16{48}, UnknownClient, ""},
	} {
		for _, qtype := range row.qtypes {
			a := Attempt{Via: ViaDNS, QType: qtype, Client: netip.MustParseAddrPort(row.client + ":1")}
			if row.name != "" {
				a.Authority = MustName(row.name)
			}
			d := p.Decide(a)
			rule := ""
			if d.Rule != nil {
				rule = d.Rule.String()
			}
			if d.Allowed() != (row.why == ReasonNone) || d.Reason != row.why || rule != row.rule {
				t.Errorf("%s: %q type %d: %s %s by %q, want %q by %q", row.client, row.name, qtype, d.Text(), d.Reason, rule, row.why, row.rule)
			}
		}
	}
	// A connection is no look-up.
	a := Attempt{Via: ViaConnect, Proto: TCP, QType: 48, Client: netip.MustParseAddrPort("10.0.0.1:1"), Authority: MustName("example"), Dest: netip.AddrPortFrom(netip.Addr{}, 443)}
	if d := p.Decide(a); d.Allowed() {
		t.Error("a connection to a name above a permitted one is permitted")
	}
}
