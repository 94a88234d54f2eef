// Rules with lists: what a decision about an entry says, and what the hint of a denial names.

package rules_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// listSite compiles a site with one client, a list, and further rules.
func listSite(t *testing.T, list, more string) *Policy {
	t.Helper()
	text := `[[client]]
name = "c"
sources = ["10.0.0.0/8"]
profiles = []
[[rule]]
id = "partners"
client = "c"
reason = "INC-7"
tcp = [443]
to_files = ["allow.txt"]
` + more
	c, problems := site.Parse("site.toml", site.Disk{Files: oneFile(list)}, []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&c.Spec, Own{}, today)
	return p
}

const partners = `# partners
portal.partner.example
*.cdn.partner.example # downloads
update.vendor.com
*.vendor.net
198.51.100.0/24
2001:db8::/32
10.9.0.0/16
db.partner.example
`

func TestListedDestinations(t *testing.T) {
	p := listSite(t, partners, "[[rule]]\nid = \"own\"\nclient = \"c\"\nreason = \"INC-8\"\ntcp = [443]\nto = [\"portal.partner.example\"]\n")
	for _, c := range []struct{ asked, source string }{
		{"x.cdn.partner.example:443", "INC-7, allow.txt:3"}, {"y.x.cdn.partner.example:443", "INC-7, allow.txt:3"}, {"update.vendor.com:443", "INC-7, allow.txt:4"},
		{"198.51.100.7:443", "INC-7, allow.txt:6"}, {"[2001:db8::1]:443", "INC-7, allow.txt:7"},
		{"portal.partner.example:443", "INC-8"}, // "to" comes before lists
	} {
		a := try("10.1.1.1", c.asked)
		d := p.Decide(a)
		if !d.Allowed() || RuleSource(a, d) != c.source {
			t.Errorf("%s: %s by %v, source %q, want %q", c.asked, d.Text(), d.Rule, RuleSource(a, d), c.source)
		}
	}
	for asked, want := range map[string]string{
		"update.vendor.com:80":        "port_not_listed",
		"cdn.partner.example:443":     "not_listed",
		"x.update.vendor.com:443":     "not_listed",
		"vendor.net:443":              "not_listed",
		"198.51.101.1:443":            "ip_literal",
		"evil.test:443":               "not_listed",
		"xportal.partner.example:443": "not_listed",
	} {
		if d := p.Decide(try("10.1.1.1", asked)); d.Allowed() || d.Why().String() != want {
			t.Errorf("%s: %s %s, want %s", asked, d.Text(), d.Why(), want)
		}
	}
}

// A name of a list may resolve to the private addresses that the list has, and not to others.
func TestListedPrivateAddresses(t *testing.T) {
	p := listSite(t, partners, "")
	for addr, want := range map[string]Reason{"10.9.3.4": ReasonNone, "10.8.3.4": PrivateAddress, "93.184.216.34": ReasonNone} {
		a := try("10.1.1.1", "db.partner.example:443").Dials(addr)
		if d := p.Decide(a); d.Reason != want {
			t.Errorf("%s: %v, want %v", addr, d.Reason, want)
		}
	}
	// A flow to an address shows a name: the same rule must list both.
	for name, want := range map[string]Reason{"update.vendor.com": ReasonNone, "x.vendor.net": ReasonNone, "evil.test": SNIMismatch} {
		if d := p.Decide(try("10.1.1.1", "198.51.100.7:443").TLS(name)); d.Reason != want {
			t.Errorf("198.51.100.7 as %s: %v, want %v", name, d.Reason, want)
		}
	}
}

func TestListedLookUps(t *testing.T) {
	p := listSite(t, partners, "")
	for name, want := range map[string]bool{"x.vendor.net": true, "update.vendor.com": false} {
		if d := p.Decide(asks("10.1.1.1", name, 1)); !d.Allowed() || d.FreeLabels() != want {
			t.Errorf("%s: %s, free labels %v, want %v", name, d.Text(), d.FreeLabels(), want)
		}
	}
	for name, want := range map[string]bool{"partner.example": true, "example": true, "com": true, "vendor.net": true, "update.vendor.org": false, "test": false} {
		if d := p.Decide(asks("10.1.1.1", name, 1)); d.Allowed() || d.PermitsBelow() != want {
			t.Errorf("%s: %s, names below %v, want %v", name, d.Text(), d.PermitsBelow(), want)
		}
	}
	if names := p.Names(); len(names) != 0 {
		t.Errorf("the names of a list are looked up in advance: %v", names)
	}
	g := p.Grants()[0]
	if !g.HasNames() || !g.NamesHost(MustName("x.vendor.net")) || g.NamesHost(MustName("vendor.net")) || g.Reach(MustName("x.vendor.net"), netip.MustParseAddrPort("10.9.0.1:443")) != ReasonNone {
		t.Error("the grant does not have the names of the list")
	}
	if spread := g.Spread(); len(spread.Names) != 5 || len(spread.Prefixes) != 3 || spread.List != nil {
		t.Errorf("the grant spreads to %v %v", spread.Names, spread.Prefixes)
	}
}

func TestListHints(t *testing.T) {
	long := partners
	for i := range 6000 {
		long += fmt.Sprintf("h%d.zone%d.example.org\n", i, i%50)
	}
	for what, list := range map[string]string{"a short list": partners, "a long list": long} {
		p := listSite(t, list, "")
		for asked, want := range map[string]string{
			"x.update.vendor.com:443":   "update.vendor.com (allow.txt:4) is permitted by the site's rule partners: it permits that name itself, but no name below it",
			"vendor.net:443":            "*.vendor.net (allow.txt:5) is permitted by the site's rule partners: it permits every name below vendor.net, but not that name itself",
			"portl.partner.example:443": "the nearest name is portal.partner.example (allow.txt:2), permitted by the site's rule partners",
			"updat.vendor.com:443":      "the nearest name is update.vendor.com (allow.txt:4), permitted by the site's rule partners",
			"update.vendor.com:80":      "permitted by the site's rule partners, on tcp 443: not on tcp 80",
		} {
			a := try("10.1.1.1", asked)
			if got := Hint(a, p.Decide(a)); got != want {
				t.Errorf("%s, %s: %q, want %q", what, asked, got, want)
			}
		}
		a := try("10.1.1.1", "evil.test:443")
		if d := p.Decide(a); d.Nearest != nil || !strings.HasPrefix(Hint(a, d), "no rule of client") {
			t.Errorf("%s: a name like none of the list: near %v: %s", what, d.Nearest, Hint(a, d))
		}
	}
}

// Rules of one list are weighed like rules of "to": the one that lacks the least explains.
func TestListsOfSeveralRules(t *testing.T) {
	p := listSite(t, partners, `[[rule]]
id = "time"
client = "c"
reason = "INC-9"
udp = [123]
to_files = ["allow.txt"]
[[rule]]
id = "everything"
client = "c"
reason = "INC-10"
any = true
to_files = ["other.txt"]
expires = 2026-01-01
`)
	for asked, want := range map[string]string{"update.vendor.com:443": "site/partners", "198.51.100.7:443": "site/partners"} {
		if d := p.Decide(try("10.1.1.1", asked)); d.Rule == nil || d.Rule.String() != want {
			t.Errorf("%s by %v", asked, d.Rule)
		}
	}
	if d := p.Decide(try("10.1.1.1", "update.vendor.com:123").OverUDP()); d.Rule == nil || d.Rule.ID != "time" {
		t.Errorf("NTP by %v: %v", d.Rule, d.Why())
	}
}

// An equal list makes a rule needless, a different one does not.
func TestCoveredLists(t *testing.T) {
	for _, c := range []struct{ more, want string }{
		{"tcp = [443]\nto_files = [\"allow.txt\"]", "rule second is not needed: site/partners already permits all of it"},
		{"tcp = [443]\nto = [\"update.vendor.com\", \"x.vendor.net\", \"198.51.100.7\"]", "rule second is not needed: site/partners already permits all of it"},
		{"tcp = [443]\nto = [\"update.vendor.com\", \"vendor.net\"]", ""},
		{"tcp = [80]\nto_files = [\"allow.txt\"]", ""},
	} {
		text := "[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = []\n[[rule]]\nid = \"partners\"\nclient = \"c\"\nreason = \"x\"\ntcp = [443]\nto_files = [\"allow.txt\"]\n" +
			"[[rule]]\nid = \"second\"\nclient = \"c\"\nreason = \"x\"\n" + c.more + "\n"
		cfg, problems := site.Parse("site.toml", site.Disk{Files: oneFile(partners)}, []byte(text), nil)
		if cfg == nil {
			t.Fatal(problems)
		}
		_, warnings := Compile(&cfg.Spec, Own{}, today)
		var got []string
		for _, w := range warnings {
			got = append(got, w.Text)
		}
		if c.want == "" && len(got) > 0 || c.want != "" && !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q", c.more, got, c.want)
		}
	}
}

func TestDecideWithListsAllocatesNothing(t *testing.T) {
	p := listSite(t, partners, "")
	for _, asked := range []string{"update.vendor.com:443", "x.vendor.net:443", "198.51.100.7:443", "evil.test:443", "portl.partner.example:443", "update.vendor.com:80"} {
		a := try("10.1.1.1", asked)
		if n := testing.AllocsPerRun(100, func() { d := p.Decide(a); d.Reach(a.Dest); d.PermitsBelow(); d.FreeLabels() }); n != 0 {
			t.Errorf("%s: %v allocations", asked, n)
		}
	}
}
