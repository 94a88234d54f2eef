// What a site chooses for one profile alone: the addresses of its roles, and the rules
// that it leaves out.

package rules_test

import (
	"slices"
	"strings"
	"testing"

	. "sallyport/rules"
)

// appliance has two profiles whose documents both have a role manager.
const appliance = `[[client]]
name    = "appliance"
sources = ["10.3.0.1"]
[[client.profile]]
name = "product"
role = "agent"
[client.profile.addresses]
manager = ["10.9.0.1", "manager.product.corp.example"]
[[client.profile]]
name = "another"
role = "probe"
[client.profile.addresses]
manager = ["10.9.0.2"]
`

func TestBindingsOfOneProfile(t *testing.T) {
	const from = "10.3.0.1"
	alone := []decisionCase{
		{"the product's manager", try(from, "10.9.0.1:443"), "allow product/agent-manager"},
		{"the same by name", try(from, "manager.product.corp.example:443"), "allow product/agent-manager"},
		{"the other product's manager", try(from, "10.9.0.2:9443"), "allow another/report"},
		{"the other product's port at this manager", try(from, "10.9.0.1:9443"), "deny port_not_listed near product/agent-manager"},
		{"this product's port at the other manager", try(from, "10.9.0.2:443"), "deny port_not_listed near another/report"},
	}
	checkDecisions(t, compiled(t, appliance, today), alone)
	shared := strings.ReplaceAll(appliance, "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\n", "[client.addresses]\nmanager = [\"10.9.0.2\"]\n")
	checkDecisions(t, compiled(t, shared, today), alone) // a profile's own binding is in place of the shared one
	cloud := appliance + "cloud = [\"*.cloud.corp.example\"]\n"
	checkDecisions(t, compiled(t, cloud, today), append(alone, []decisionCase{
		{"below a bound wildcard", try(from, "a.cloud.corp.example:443"), "allow another/upload"},
		{"far below it", try(from, "b.a.cloud.corp.example:443"), "allow another/upload"},
		{"the name itself", try(from, "cloud.corp.example:443"), "deny not_listed near another/upload"},
		{"another port below it", try(from, "a.cloud.corp.example:80"), "deny port_not_listed near another/upload"},
	}...))
	both := strings.ReplaceAll(strings.ReplaceAll(appliance, "[client.profile.addresses]\nmanager = [\"10.9.0.1\", \"manager.product.corp.example\"]\n", ""),
		"[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\n", "[client.addresses]\nmanager = [\"10.9.0.1\", \"10.9.0.2\"]\n")
	checkDecisions(t, compiled(t, both, today), []decisionCase{
		{"shared: the other product's port here too", try(from, "10.9.0.1:9443"), "allow another/report"},
		{"shared: this product's port there too", try(from, "10.9.0.2:443"), "allow product/agent-manager"},
	})
}

func TestHintsNameTheTableOfBindings(t *testing.T) {
	unbound := strings.ReplaceAll(appliance, "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\n", "")
	one := strings.ReplaceAll(agentOf, "[client.addresses]\nmanager = [\"10.9.0.1\"]\n", "")
	for _, c := range []struct{ what, text, to, want string }{
		{"one profile, not bound", one, "10.9.0.1:443", `bind manager to 10.9.0.1 in [client.addresses] of client "appliance"`},
		{"several profiles, not bound", unbound, "10.9.0.2:9443", `bind manager to 10.9.0.2 in [client.profile.addresses] below profile another of client "appliance"`},
		{"one profile, bound to others", agentOf, "10.9.0.7:443", `extend manager in [client.addresses] by 10.9.0.7`},
		{"several profiles, bound to others", appliance, "10.9.0.7:9443", `extend manager in [client.profile.addresses] below profile another by 10.9.0.7`},
		{"a name spelled almost alike", appliance, "manger.product.corp.example:443", `the name bound to manager in [client.profile.addresses] below profile product of client "appliance"`},
	} {
		a := try("10.3.0.1", c.to)
		d := compiled(t, c.text, today).Decide(a)
		if got := Hint(a, d); d.Verdict != Deny || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s\n%s\nwant %s", c.what, answer(d), got, c.want)
		}
	}
}

const agentOf = `[[client]]
name     = "appliance"
sources  = ["10.3.0.1"]
profiles = ["product"]
role     = "agent"
[client.addresses]
manager = ["10.9.0.1"]
`

func TestRulesLeftOut(t *testing.T) {
	const text = `[[client]]
name     = "careful"
sources  = ["10.3.0.2"]
profiles = ["product"]
without  = ["anything", "cloud", "ssh"]
[[rule]]
id     = "ssh"
client = "careful"
to     = ["ssh.product.example"]
tcp    = [8443]
reason = "INC-9"
`
	const from = "10.3.0.2"
	p := compiled(t, text, today)
	checkDecisions(t, p, []decisionCase{
		{"left out, by name", try(from, "any.product.example:443"), "deny not_listed near product/anything"},
		{"left out, by address", try(from, "13.94.16.103:514"), "deny not_listed near product/anything"},
		{"left out, and its feature is off", try(from, "cloud.product.example:443"), "deny not_listed near product/cloud"},
		{"left out, but the site's own rule permits a part", try(from, "ssh.product.example:8443"), "allow site/ssh"},
		{"the part that it does not permit", try(from, "ssh.product.example:22"), "deny port_not_listed near site/ssh"},
		{"another rule of the profile", try(from, "www.product.example:443"), "allow product/web"},
	})
	for to, want := range map[string]string{
		"any.product.example:443":   `documented for product, section 2, but rule product/anything is left out by without, line 5: if the site needs it, remove "anything" there, or add a [[rule]] with a reason`,
		"13.94.16.103:514":          `documented for product, section 2, but rule product/anything is left out by without, line 5: if the site needs it, remove "anything" there, or add a [[rule]] with a reason`,
		"cloud.product.example:443": `documented for product, section 1, but rule product/cloud is left out by without, line 5: if the site needs it, remove "cloud" there, or add a [[rule]] with a reason`,
		"any2.product.example:443":  `the nearest name is any.product.example, documented for product, section 2`,
	} {
		a := try(from, to)
		if got := Hint(a, p.Decide(a)); got != want {
			t.Errorf("%s: %s\nwant %s", to, got, want)
		}
	}
	a := try(from, "any.product.example:443")
	if m := RemedyOf(a, p.Decide(a)); m == nil || m.Settable() || !slices.Contains(m.Obstacles, LeftOut) {
		t.Errorf("a setting is said to cure a rule that the site left out on purpose: %+v", m)
	}
	audit := compiled(t, "mode = \"audit\"\n"+text, today)
	if d := audit.Decide(a); d.Text() != "would_deny" || d.Why() != NotListed {
		t.Errorf("in mode audit: %s", answer(d))
	}
}
