// Tests of [[known]] and of the sets that known names: what is accepted, and each error with its line.

package site_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

const knownSite = `[[client]]
name = "es"
sources = ["10.0.0.1"]
profiles = []
`

func noise() *rules.KnownSet {
	return &rules.KnownSet{Name: "windows-noise", Known: []rules.Known{{Host: "dns.msftncsi.com", Why: "connection test", Set: "windows-noise"}}}
}

func TestKnownIsRead(t *testing.T) {
	c, problems := site.Parse("site.toml", site.Disk{}, []byte(strings.Replace(knownSite, "profiles = []", "profiles = []\nknown = [\"windows-noise\"]", 1)+`
[[known]]
client = "es"
host = "*.MSFTconnecttest.com"
port = 80
reason = "not_listed"
why = "TICKET-1"
expires = 2027-06-30
[[known]]
host = "10.9.1.0/24"
why = "TICKET-2"
`), nil, noise())
	if len(problems) > 0 || len(c.Known) != 3 {
		t.Fatalf("%v", problems)
	}
	if k := c.Known[0]; k.Client != "es" || k.Host != "*.msftconnecttest.com" || k.Port != 80 || k.Reason != rules.NotListed || k.Text() != "TICKET-1" ||
		!k.Expires.Equal(time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)) || k.Line != 7 {
		t.Errorf("%+v", k)
	}
	if k := c.Known[1]; k.Client != "" || k.Host != "10.9.1.0/24" {
		t.Errorf("%+v", k)
	}
	if k := c.Known[2]; k.Client != "es" || k.Text() != "windows-noise: connection test" || k.Line != 5 {
		t.Errorf("%+v", k)
	}
	c, problems = site.Parse("site.toml", site.Disk{}, []byte("known = [\"windows-noise\"]\n"+knownSite), nil, noise())
	if len(problems) > 0 || len(c.Known) != 1 || c.Known[0].Client != "" {
		t.Errorf("a set for every client: %v", problems)
	}
}

func TestKnownErrorsHaveTheirLine(t *testing.T) {
	known := func(lines string) string { return knownSite + "[[known]]\n" + lines }
	for _, c := range []struct{ name, text, want string }{
		{"no why", known(`host = "a.example"`), `site.toml:5: the 1st [[known]]: why is missing`},
		{"an empty why", known("host = \"a.example\"\nwhy = \" \""), `site.toml:5: the 1st [[known]]: why is missing`},
		{"a why that was not filled in", known("host = \"a.example\"\nwhy = \"FILL IN: ticket\""), `site.toml:7: why: "FILL IN: ticket" is still a placeholder`},
		{"no host", known(`why = "T"`), `site.toml:5: the 1st [[known]]: host is missing`},
		{"everything", known("host = \"*\"\nwhy = \"T\""), `site.toml:6: host: "*" is too broad: it must end with a whole domain`},
		{"a public suffix", known("host = \"*.com\"\nwhy = \"T\""), `site.toml:6: host: "*.com" is too broad: anyone can register a name below com`},
		{"a public suffix of two labels", known("host = \"*.co.uk\"\nwhy = \"T\""), `is too broad: anyone can register a name below co.uk`},
		{"a provider's suffix", known("host = \"*.github.io\"\nwhy = \"T\""), `is too broad: anyone can register a name below github.io`},
		{"a name above a provider's suffix", known("host = \"*.amazonaws.com\"\nwhy = \"T\""), `is too broad: anyone can register a name below `},
		{"half a domain", known("host = \"*msftconnecttest.com\"\nwhy = \"T\""), `is too broad: it must end with a whole domain`},
		{"an open end", known("host = \"www.msft*\"\nwhy = \"T\""), `is too broad: it must end with a whole domain`},
		{"a URL", known("host = \"http://a.example/x\"\nwhy = \"T\""), `site.toml:6: host: "http://a.example/x" is more than a host: write the host alone, "a.example", and a port in the key port`},
		{"a host with a port", known("host = \"10.1.2.3:443\"\nwhy = \"T\""), `site.toml:6: host: "10.1.2.3:443" is more than a host: write the host alone, "10.1.2.3", and a port in the key port`},
		{"a URL of a glob", known("host = \"https://*.a.example/*\"\nwhy = \"T\""), `site.toml:6: host: "https://*.a.example/*" is more than a host: write the host alone, "*.a.example"`},
		{"a wide prefix", known("host = \"10.0.0.0/8\"\nwhy = \"T\""), `is too broad: the shortest prefix is /16`},
		{"a wide prefix of IPv6", known("host = \"2001::/16\"\nwhy = \"T\""), `is too broad: the shortest prefix is /32`},
		{"no name", known("host = \"a b\"\nwhy = \"T\""), `"a b" is neither a name, a glob, an address nor a prefix`},
		{"an open range", known("host = \"[a-.example.com\"\nwhy = \"T\""), `is not a glob of names`},
		{"a wrong reason", known("host = \"a.example\"\nreason = \"not_lsted\"\nwhy = \"T\""), `site.toml:7: reason: "not_lsted" is not a reason: did you mean "not_listed"?`},
		{"a wrong client", known("client = \"esm\"\nhost = \"a.example\"\nwhy = \"T\""), `site.toml:6: client: there is no client "esm"`},
		{"a wrong key", known("host = \"a.example\"\nwhy = \"T\"\nhosts = 1"), `site.toml:8: unknown key "hosts"`},
		{"a wrong set", strings.Replace(knownSite, "profiles = []", `known = ["linux-noise"]`+"\nprofiles = []", 1), `site.toml:4: known: there is no set "linux-noise"; the sets are "windows-noise"`},
		{"a set misspelt", "known = [\"windows-nois\"]\n" + knownSite, `site.toml:1: known: there is no set "windows-nois": did you mean "windows-noise"?`},
	} {
		cfg, problems := site.Parse("site.toml", site.Disk{}, []byte(c.text), nil, noise())
		if cfg != nil || !strings.Contains(problems.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, problems, c.want)
		}
	}
}

func TestExpiredKnownIsAWarning(t *testing.T) {
	c, problems := site.Parse("site.toml", site.Disk{}, []byte(knownSite+"[[known]]\nhost = \"a.example\"\nwhy = \"T\"\nexpires = 2026-01-31\n"), nil)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	_, problems = rules.Compile(&c.Spec, rules.Own{}, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	if problems.Err() != nil || !strings.Contains(problems[len(problems)-1].String(), "site.toml:5: warning: known: a.example has expired (2026-01-31)") {
		t.Errorf("%v", problems)
	}
	_, problems = rules.Compile(&c.Spec, rules.Own{}, time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC))
	if len(problems) > 0 {
		t.Errorf("before its end: %v", problems)
	}
}

// A shipped set says of each denial why it is known, and which page says so.
func TestKnownSet(t *testing.T) {
	set, err := site.ParseKnownSet("noise.toml", []byte("name = \"noise\"\ntitle = \"Noise\"\n[[known]]\nhost = \"dns.msftncsi.com\"\nport = 53\nwhy = \"connection test\"\nsource = \"https://learn.example/ncsi\"\n"))
	if err != nil || set.Name != "noise" || set.Title != "Noise" || len(set.Known) != 1 {
		t.Fatalf("%+v %v", set, err)
	}
	if k := set.Known[0]; k.Host != "dns.msftncsi.com" || k.Port != 53 || k.Text() != "noise: connection test" || k.Source != "https://learn.example/ncsi" {
		t.Errorf("%+v", k)
	}
	for _, c := range []struct{ what, text, want string }{
		{"syntax", "name = ", "noise.toml:1: name: has no value"},
		{"no name", "title = \"Noise\"\n", "noise.toml: a set needs a name and a title"},
		{"no source", "name = \"noise\"\ntitle = \"Noise\"\n[[known]]\nhost = \"dns.msftncsi.com\"\nwhy = \"w\"\n", "a known denial of a set needs why and source"},
		{"a key nobody knows", "name = \"noise\"\ntitle = \"Noise\"\nnote = \"n\"\n", `noise.toml:3: unknown key "note"`},
	} {
		if _, err := site.ParseKnownSet("noise.toml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}
