// Tests of hints with the shipped profiles: what a denial must name, and what it
// must not, by the documents themselves.

package configs

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// hinted asks a policy of one client with one profile about TCP, and returns the
// hint. settings are lines of the [[client]] table.
func hinted(t *testing.T, profile, role, settings, host string, port uint16) string {
	t.Helper()
	text := "[[client]]\nname = \"it\"\nsources = [\"10.1.0.7\"]\nprofiles = [\"" + profile + "\"]\nrole = \"" + role + "\"\n" + settings
	c, problems := site.Parse("site.toml", site.Disk{}, []byte(text), parseProfiles(t))
	if c == nil {
		t.Fatalf("%s\n%v", text, problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	to, err := rules.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	a := rules.Attempt{
		Via: rules.ViaConnect, Proto: rules.TCP, Client: netip.MustParseAddrPort("10.1.0.7:40000"),
		Authority: to.Name, Dest: netip.AddrPortFrom(to.Addr, port), Provisional: true,
	}
	d := p.Decide(a)
	if d.Allowed() {
		t.Fatalf("%s %s: %s:%d is permitted", profile, role, host, port)
	}
	return rules.Hint(a, d)
}

func TestHintsByTheDocuments(t *testing.T) {
	const (
		es  = "endpoint-secure-onprem"
		sep = "symantec-endpoint-protection"
	)
	bound := func(role, to string) string { return "[client.addresses]\n" + role + " = [\"" + to + "\"]\n" }
	for _, c := range []struct {
		profile, role, settings, host string
		port                          uint16
		must, not                     string
	}{
		{sep, "manager", bound("client", "10.2.1.0/24"), "10.2.3.3", 445, "extend client in [client.addresses] by 10.2.3.3", "let the proxy resolve the name"},
		{es, "manager", "", "13.94.16.103", 514, "endpoint-secure-saas documents this address", "let the proxy resolve the name"},
		{es, "manager", "", "121.46.26.221", 443, "cyber-command documents this address", "let the proxy resolve the name"},
		{es, "agent", "ports = { agent-upgrade = 4431 }\n" + bound("manager", "10.9.0.1"), "10.9.0.1", 4430, "4430 was moved to 4431 by ports.agent-upgrade", "on tcp 443"},
		{sep, "manager", "ports = { sql-server = 14330 }\n" + bound("database", "10.9.0.1"), "10.9.0.1", 1433, "1433 was moved to 14330 by ports.sql-server", "on tcp 2638"},
		{sep, "client", bound("manager", "10.9.0.1"), "10.9.0.1", 8443, "documented for role console", "8014"},
		{sep, "console", bound("manager", "10.9.0.1"), "10.9.0.1", 8444, "documented for role spc", "8443"},
		{sep, "client", bound("client", "10.9.0.2"), "10.9.0.2", 2967, "bind update-provider", "push-windows"},
		{"cyber-command", "es", bound("manager", "10.9.0.1"), "10.9.0.1", 4430, "The 4430 is read as a misprint", "documented for role"},
		{es, "manager", "", "edrsaas.sangfor.com", 443, "endpoint-secure-saas (section 3) and cyber-command", "does not have that profile"},
		{"endpoint-secure-saas", "agent", "", "x.sangfor.com", 443, "endpoint-secure-onprem (section 1) and cyber-command", "does not have that profile"},
		{es, "manager", "", "update1.sangfor.com", 443, "update1.sangfor.net", "upd.sangfor.com"},
		{es, "manager", "", "sp1.sangfor.net", 443, "sp1.sangfor.com", "update1.sangfor.net"},
		{es, "agent", bound("manager", "es.corp.example"), "es2.corp.example", 443, "es.corp.example, the name bound to manager", "role:manager is the nearest name"},
		{sep, "manager", "", "console.cloud.example", 443, "bind cloud-console", "a [[rule]]"},
		{es, "manager", "features = []\n", "auth.sea.sangfor.com", 80, "only tcp 443 is documented", "feature"},
		{sep, "manager", bound("client", "10.9.0.2"), "10.9.0.2", 49155, "ephemeral", "only tcp"},
		{sep, "client", "", "sepm.corp.example", 8014, "could not reach its manager directly", "a [[rule]]"},
		{es, "manager", "", "www.msftconnecttest.com", 80, "asked by the operating system, not by the product", "nearest"},
		{es, "manager", "", "ocsp.digicert.com", 80, "usually harmless", "nearest"},
		{es, "manager", "", "crl3.digicert.com", 80, "usually harmless", "nearest"},
		{es, "manager", "", "evil.example", 443, "a [[rule]] with a reason", "harmless"},
		{es, "agent", bound("manager", "priv.example"), "evil.example", 443, "a [[rule]] with a reason", "priv.example"},
	} {
		hint := hinted(t, c.profile, c.role, c.settings, c.host, c.port)
		if !strings.Contains(hint, c.must) || strings.Contains(hint, c.not) {
			t.Errorf("%s %s %s:%d\n hint %s\n must name %q, must not say %q", c.profile, c.role, c.host, c.port, hint, c.must, c.not)
		}
	}
}
