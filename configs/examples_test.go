// Examples: the worked example of docs/profiles.md permits what the page says, and no more.

package configs

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// exampleOf returns the configuration in a section of docs/profiles.md: its indented lines.
func exampleOf(t *testing.T, section string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n## "+section)
	if !found {
		t.Fatalf("docs/profiles.md has no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var b strings.Builder
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			b.WriteString(code)
		}
	}
	return b.String()
}

func TestTheExampleOfSeveralManagersReplicationAndGUP(t *testing.T) {
	c := parse(t, "example.toml", exampleOf(t, "Symantec Endpoint Protection"))
	p, warnings := rules.Compile(&c.Spec, rules.Own{}, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	if len(warnings) > 0 {
		t.Errorf("%v", warnings)
	}
	const client, gup, manager = "10.30.0.9", "10.30.0.5", "10.20.30.70"
	for _, q := range []struct {
		from, host string
		port       uint16
		rule       string // "": denied
	}{
		{client, "sepm-a.corp.example", 443, "client-https"},
		{client, "sepm-b.corp.example", 8014, "client-http"},
		{client, gup, 2967, "update-provider"},
		{gup, "sepm-b.corp.example", 443, "client-https"},
		{client, "sepm-a.corp.example", 8443, ""},
		{client, "liveupdate.symantec.com", 443, ""}, // from its manager
		{manager, "sepm-b.corp.example", 8443, "server-replication"},
		{manager, "sepm-b.corp.example", 8014, ""},
		{manager, client, 445, "push-windows"},
		{manager, "10.20.30.80", 1433, "sql-server"},
		{manager, "10.20.30.80", 2638, ""}, // that port is of the embedded database
		{manager, "liveupdate.symantec.com", 443, "manager-liveupdate"},
		{manager, "ent-shasta-rrs.symantec.com", 443, ""},
	} {
		to, err := rules.ParseHost(q.host)
		if err != nil {
			t.Fatal(err)
		}
		d := p.Decide(rules.Attempt{
			Via: rules.ViaConnect, Proto: rules.TCP, Client: netip.AddrPortFrom(netip.MustParseAddr(q.from), 40000),
			Authority: to.Name, Dest: netip.AddrPortFrom(to.Addr, q.port), Provisional: true,
		})
		got := ""
		if d.Allowed() {
			got = d.Rule.ID
		}
		if got != q.rule {
			t.Errorf("%s to %s:%d: rule %q, want %q (%v)", q.from, q.host, q.port, got, q.rule, d.Reason)
		}
	}
}
