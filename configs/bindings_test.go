// A test of bindings for one profile with the shipped profiles: an appliance that
// reports to two products.

package configs

import (
	"net/netip"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// An NGAF reports to Cyber Command and to an Endpoint Secure manager. Each of the two gets
// the ports of its own document, and no port of the other document.
func TestAnApplianceOfTwoProductsHasTheManagerOfEach(t *testing.T) {
	const text = `[[client]]
name = "ngaf"
sources = ["10.5.0.1"]
[[client.profile]]
name = "cyber-command"
role = "ngaf"
[client.profile.addresses]
manager = ["10.9.0.1"]
[[client.profile]]
name = "endpoint-secure-onprem"
role = "agent"
[client.profile.addresses]
manager = ["10.9.0.2"]
`
	c, problems := site.Parse("site.toml", site.Disk{}, []byte(text), parseProfiles(t))
	if c == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	p, warnings := rules.Compile(&c.Spec, rules.Own{}, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	for _, k := range []struct {
		to   string
		want string
	}{
		{"10.9.0.1:4430", "allow cyber-command/ngaf-logs"},
		{"10.9.0.2:4430", "allow endpoint-secure-onprem/agent-upgrade"},
		{"10.9.0.2:54120", "allow endpoint-secure-onprem/agent-54120"},
		{"10.9.0.1:54120", "deny port_not_listed"},
		{"10.9.0.1:8083", "deny port_not_listed"},
		{"10.9.0.1:443", "deny port_not_listed"},
	} {
		d := p.Decide(rules.Attempt{Via: rules.ViaConnect, Proto: rules.TCP, Client: netip.MustParseAddrPort("10.5.0.1:40000"), Dest: netip.MustParseAddrPort(k.to), Provisional: true})
		got := d.Verdict.String() + " " + d.Reason.String()
		if d.Rule != nil {
			got = d.Verdict.String() + " " + d.Rule.String()
		}
		if got != k.want {
			t.Errorf("%s: %s, want %s", k.to, got, k.want)
		}
	}
}
