// Configurations: where things are, what they mean, and their defaults.

package site

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// Line numbers stay right after long arrays, comments, strings of several lines,
// sub-tables, and dotted, quoted and inline keys.
func TestConfigLines(t *testing.T) {
	const text = `# a comment with [brackets] and key = "value"
mode = "enforce" # mode = "audit"
listen.http = [ # ]
  "127.0.0.1:3128", # "]"
  '127.0.0.1:3129'
]
listen.htpp = 1

[[client]]
name = "a"
ports = { upgrade = 1, "e" = 2 }
sources = ["10.0.0.1",
  "10.0.0.2"]
profiles = ["product"]
rolle = "x"
  [client.addresses]
  manager = [
    "10.0.0.9",
  ]
  "boss" = ["10.0.0.8"]

[[client]]
"name" = 'b'
'sources' = ["10.0.0.3"]
  [[client.profile]]
  name = "product"
  featurs = 1
  [[client.profile]]
  name = "another"
  ports.download = 5
  roles = []
  [client.addresses]
  manager = ["10.0.0.9"]
  bos = ["10.0.0.9"]

[[rule]]
id = "r"
client = "b"
to = ["a.example"]
reason = """
two lines = [
  x = 1
"""
tpc = [1]

[hosts]
"a.example" = ["x"]
"b.a.example" = ["10.0.0.1", "y"]
[dns]
denied = "no"
`
	var got []string
	for _, s := range problemsOf(t, text) {
		got = append(got, strings.Join(strings.SplitN(s, " ", 4)[:3], " "))
	}
	want := []string{
		`site.toml:7: unknown key`, `site.toml:11: ports: "e"`, `site.toml:15: unknown key`, `site.toml:20: boss: no`,
		`site.toml:27: unknown key`, `site.toml:30: ports: "download"`, `site.toml:31: unknown key`, `site.toml:34: bos: no`,
		`site.toml:44: unknown key`, `site.toml:47: a.example: "x"`, `site.toml:48: b.a.example: "y"`, `site.toml:50: denied: "no"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestConfigValues(t *testing.T) {
	c, problems := Parse("site.toml", Disk{Dir: "/etc/sallyport"}, []byte(`
[listen]
http  = ["[::ffff:127.0.0.1]:3128"]
admin = "unix:run/admin.sock"
[[client]]
name    = "a"
sources = ["::ffff:10.0.0.1", "fd00::/8"]
mode    = "audit"
[[client.profile]]
name    = "product"
version = "6.0.4"
ports   = { upgrade = 4431 }
[[client.profile]]
name    = "product"
role    = "agent"
[hosts]
"B\u00fccher.example" = "::ffff:10.0.0.9"
[journal]
path  = "log/denials.jsonl"
flows = "/var/flows.jsonl"
[process]
hardening = "best-effort"
[limits]
idle = "90s"
wildcard_names = 20
`), testProfiles(t))
	if c == nil || slices.ContainsFunc(problems, func(p rules.Problem) bool { return !withoutEffect(p) }) {
		t.Fatal(problems)
	}
	cl := c.Clients[0]
	bucher, err := rules.ParseName("xn--bcher-kva.example")
	if err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"a mapped listener is unmapped": c.Listen.HTTP[0] == netip.MustParseAddrPort("127.0.0.1:3128"),
		"a mapped source is unmapped":   cl.Sources[0] == netip.MustParsePrefix("10.0.0.1/32"),
		"a socket is below the file":    c.Listen.Admin == "unix:"+filepath.FromSlash("/etc/sallyport/run/admin.sock"),
		"the journal is below the file": c.Journal.Path == filepath.FromSlash("/etc/sallyport/log/denials.jsonl"),
		"an absolute path stays":        c.Journal.Flows == "/var/flows.jsonl",
		"an IDN host is its A-label":    c.Hosts[bucher][0] == netip.MustParseAddr("10.0.0.9"),
		"audit is the client's":         cl.Audit && !c.Audit,
		"one profile in two roles":      len(cl.Profiles) == 2 && cl.Profiles[0].Role == "manager" && cl.Profiles[1].Role == "agent",
		"the port is one profile's":     cl.Profiles[0].Ports["upgrade"] == 4431 && len(cl.Profiles[1].Ports) == 0,
		"a limit is read":               c.Limits.Idle == 90*time.Second && c.Limits.WildcardNames == 20,
		"hardening is read":             c.Process.Hardening == "best-effort",
		"the others have defaults":      c.Limits.HalfClosed == time.Minute && c.Limits.Connections == 16384 && c.Limits.Sniff == 5*time.Second,
		"upstreams have a default":      slices.Equal(c.DNS.Upstreams, []string{"system"}) && c.DNS.Denied == "nxdomain",
	} {
		if !ok {
			t.Errorf("wrong: %s", what)
		}
	}
	if silent, _ := Parse("-", Disk{}, nil, nil); silent.Process.Hardening != "required" {
		t.Errorf("without a word hardening is %q", silent.Process.Hardening)
	}
	standard, _ := Parse("-", Disk{}, []byte("[journal]\npath = \"-\"\n"), nil)
	if standard.Journal.Path != "-" {
		t.Errorf("standard output became %q", standard.Journal.Path)
	}
}

// The same text has the same revision, and another text has another revision.
func TestRevision(t *testing.T) {
	a, b, c := compiled(t, one, today), compiled(t, one, today.Add(time.Hour)), compiled(t, one+"#", today)
	if a.Revision() != b.Revision() || a.Revision() == c.Revision() || len(a.Revision()) != 12 {
		t.Errorf("revisions %q, %q, %q", a.Revision(), b.Revision(), c.Revision())
	}
	if a.Rules() == 0 {
		t.Error("no rule is in force")
	}
}
