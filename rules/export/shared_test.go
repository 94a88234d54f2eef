// What the tests of this package share: the policy of a made-up site, and its questions.

package export

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// madeUp returns the profile of the made-up vendor.
func madeUp(t testing.TB) *rules.Profile {
	t.Helper()
	data, err := os.ReadFile("testdata/made-up.toml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse("made-up.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// madeSite returns the configuration of the made-up site, and its policy.
func madeSite(t testing.TB) (*site.Config, *rules.Policy) {
	t.Helper()
	data, err := os.ReadFile("testdata/site.toml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, problems := site.Parse("site.toml", site.Disk{}, data, []*rules.Profile{madeUp(t)})
	if cfg == nil {
		t.Fatal(problems)
	}
	compiled, _ := rules.Compile(&cfg.Spec, rules.Own{}, today)
	return cfg, compiled
}

// server returns the policy of the site's client with the made-up product.
func server(t testing.TB) *Policy {
	t.Helper()
	cfg, compiled := madeSite(t)
	p, err := OfClient(&cfg.Spec, compiled, cfg.Clients[1], "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// written returns an export as text, and its differences.
func written(t testing.TB, f Format, p *Policy, o Options) (string, []Difference) {
	t.Helper()
	var b bytes.Buffer
	diffs, err := Write(&b, f, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), diffs
}

// The questions: hosts of the made-up policy and hosts beside them, and ports.
var (
	hosts = []string{
		"update.vendor.example", "update2.vendor.example", "update3.vendor.example", "a.update.vendor.example", "xupdate.vendor.example",
		"vendor.example", "example", "update.vendor.example.evil.example", "cdn.vendor.example", "a.cdn.vendor.example", "a.b.c.cdn.vendor.example",
		"xcdn.vendor.example", "deep.in.cdn.vendor.example", "in.cdn.vendor.example", "a.in.cdn.vendor.example", "start.vendor.example", "a.start.vendor.example",
		"pinned.cdn.vendor.example", "a.pinned.cdn.vendor.example", "time.vendor.example", "cloud.vendor.example", "console.corp.example",
		"mirror.corp.example", "a.mirror.corp.example", "pool.corp.example", "a.pool.corp.example", "corp.example", "other.corp.example", "evil.example",
		"198.18.7.7", "198.18.7.8", "198.18.7.15", "198.18.7.16", "198.18.8.7", "2001:db8:7::1", "2001:db8:7:ffff::1", "2001:db8:8::1",
		"10.20.1.1", "10.20.1.2", "10.20.2.0", "10.20.3.255", "10.20.4.0", "fd20:1::1", "fd20:1:0:1::1", "::ffff:198.18.7.7", "::ffff:198.18.9.7", "::1",
	}
	ports = []uint16{1, 22, 80, 443, 514, 1514, 6514, 7999, 8000, 8005, 8010, 8011, 8530, 9443, 65535}
)

// decide asks the policy as the client Server_1 whether a host may be reached.
func decide(t testing.TB, compiled *rules.Policy, via rules.Via, proto rules.Proto, host string, port uint16) bool {
	t.Helper()
	to, err := rules.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	a := rules.Attempt{
		Via: via, Proto: proto, Client: netip.MustParseAddrPort("10.20.0.9:40000"), Provisional: true,
		Authority: to.Name, Dest: netip.AddrPortFrom(to.Addr, port),
	}
	if via == rules.ViaDNS {
		a.QType, a.Dest = 1, netip.AddrPort{}
	}
	return compiled.Decide(a).Allowed()
}

// has reports whether one of the differences has a text.
func has(diffs []Difference, wider bool, text string) bool {
	for _, d := range diffs {
		if d.Wider == wider && strings.Contains(d.String(), text) {
			return true
		}
	}
	return false
}
