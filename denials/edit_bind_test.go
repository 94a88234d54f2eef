// Tests of suggestions that bind a role: for one profile of a client, where the client has
// several.

package denials

import (
	"strings"
	"testing"

	"sallyport/rules"
)

// ngaf reports to two products.
const ngaf = `[[client]]
name = "ngaf"
sources = ["10.5.0.1"]
[[client.profile]]
name = "cyber-command"
role = "ngaf"
[client.profile.addresses]
manager = ["10.9.0.1"] # Cyber Command
[[client.profile]]
name = "endpoint-secure-onprem"
role = "agent"

# the other agents, which have the same manager
[[client]]
name = "agents"
sources = ["10.6.0.0/16"]
profiles = ["endpoint-secure-onprem"]
role = "agent"
[client.addresses]
manager = ["10.9.0.2"]
`

func TestSuggestionBindsARoleOfOneProfile(t *testing.T) {
	s := siteOf(t, ngaf)
	sg := suggestFor(t, s, attempt(t, "10.5.0.1", "10.9.0.2", 54120))[0]
	const toml = "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\n"
	if sg.TOML != toml || !sg.Verified || !strings.Contains(sg.Where, "profile endpoint-secure-onprem with role agent") {
		t.Errorf("%s\n%s\n%+v", sg.Where, sg.TOML, sg)
	}
	whole, err := s.Whole([]*Suggestion{sg})
	if err != nil || !strings.Contains(string(whole), "role = \"agent\"\n"+toml) {
		t.Fatalf("%v\n%s", err, whole)
	}
	after := siteOf(t, string(whole))
	for to, want := range map[string]rules.Verdict{"10.9.0.2:54120": rules.Allow, "10.9.0.1:4430": rules.Allow, "10.9.0.1:54120": rules.Deny, "10.9.0.1:8083": rules.Deny} {
		host, port, _ := strings.Cut(to, ":")
		n := map[string]uint16{"54120": 54120, "4430": 4430, "8083": 8083}[port]
		if a := attempt(t, "10.5.0.1", host, n); after.Policy.Decide(a).Verdict != want {
			t.Errorf("%s: %v, want %v", to, after.Policy.Decide(a), want)
		}
	}
	// A second address goes into the same table.
	sg = suggestFor(t, after, attempt(t, "10.5.0.1", "10.9.0.7", 54120))[0]
	if sg.Cure == CureBinding {
		t.Errorf("a bound role is bound to a second address without a question: %s", sg.TOML)
	}
}

// A site leaves a vendor's rule out on purpose. So the cure is a rule of the site for that
// one destination, with a comment that the vendor's rule is left out. The cure never
// restores the vendor's rule.
func TestSuggestionForARuleLeftOut(t *testing.T) {
	s := siteOf(t, "[[client]]\nname = \"es\"\nsources = [\"10.6.0.1\"]\nprofiles = [\"endpoint-secure-onprem\"]\nwithout = [\"windowsupdate\"]\n")
	sg := suggestFor(t, s, attempt(t, "10.6.0.1", "download.windowsupdate.com", 443))[0]
	if sg.Cure != CureRule || !strings.Contains(sg.TOML, "rule endpoint-secure-onprem/windowsupdate is left out by without, line 5") || !strings.Contains(sg.TOML, "tcp     = [443]") {
		t.Errorf("%s: %s", sg.Cure, sg.TOML)
	}
}

// The next reload would refuse a change that breaks an expectation of the site. So a
// suggestion with such a change is not verified, and Whole does not write it.
func TestSuggestionThatBreaksAnExpectation(t *testing.T) {
	const text = "[[client]]\nname = \"es\"\nsources = [\"10.6.0.1\"]\nprofiles = [\"endpoint-secure-onprem\"]\n" +
		"[[expect]]\nclient = \"es\"\nto = \"auth.sangfor.com\"\ntcp = 443\nverdict = \"deny\"\n"
	s := siteOf(t, text)
	sg := suggestFor(t, s, attempt(t, "10.6.0.1", "auth.sangfor.com", 443))[0]
	const want = `the change breaks an expectation of the site: site.toml:6: expect: client "es" to auth.sangfor.com on tcp 443: expected deny, but the answer is allow; rule endpoint-secure-onprem/auth`
	if sg.Verified || !strings.Contains(sg.Why, want) {
		t.Errorf("verified %v: %s", sg.Verified, sg.Why)
	}
	if whole, err := s.Whole([]*Suggestion{sg}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\n%s", err, whole)
	}
	// A configuration that breaks an expectation already, for example since a rule expired, is reviewed as before.
	s = siteOf(t, strings.Replace(text, "\"deny\"", "\"allow\"", 1))
	if len(s.Problems) != 1 || !s.Problems[0].Warning || !strings.Contains(s.Problems[0].Text, "expected allow") {
		t.Errorf("problems %v", s.Problems)
	}
	if sg = suggestFor(t, s, attempt(t, "10.6.0.1", "auth.sangfor.com", 443))[0]; !sg.Verified {
		t.Errorf("the change that restores the expectation: %s", sg.Why)
	}
}
