// Effect: which settings of a client change nothing, and what the warning says.

package site

import (
	"strings"
	"testing"

	"sallyport/rules"
)

// withoutEffect reports whether a problem is about a setting that changes nothing.
func withoutEffect(p rules.Problem) bool {
	for _, end := range []string{"changes nothing: remove it", "so the binding permits nothing: ", "add that feature, or remove this one", "so the profile permits nothing: "} {
		if p.Warning && strings.Contains(p.Text, end) {
			return true
		}
	}
	return false
}

func TestSettingsWithoutEffect(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"one client", one, ""},
		{"a binding that a rule uses", one + "[client.addresses]\nsyslog = [\"10.9.0.1\"]\n", ""},
		{"a binding for rules of another role", one + "[client.addresses]\nsyslog = [\"10.9.0.1\"]\nmanager = [\"10.9.0.2\"]\n",
			"site.toml:7: warning: manager: no rule in force is to this role, so the binding permits nothing: remove it, or turn on what the rule needs (sallyport profiles show product)"},
		{"a binding whose rule is left out", one + "without = [\"logs\"]\n[client.addresses]\nsyslog = [\"10.9.0.1\"]\n",
			"site.toml:7: warning: syslog: no rule in force is to this role, so the binding permits nothing: remove it, or turn on what the rule needs (sallyport profiles show product)"},
		{"a binding of one profile", several + "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\ncloud = [\"10.9.0.3\"]\n", ""},
		{"a binding of one profile for rules of another role", strings.Replace(several, "role = \"probe\"", "role = \"client\"", 1) + "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\n",
			"site.toml:13: warning: manager: no rule in force is to this role, so the binding permits nothing: remove it, or turn on what the rule needs (sallyport profiles show another)"},
		{"a binding in place of which every profile has its own", several + "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\n[client.addresses]\nmanager = [\"10.9.0.3\"]\n",
			"site.toml:15: warning: manager: every profile with this role has a binding of its own, so this one changes nothing: remove it"},
		{"a feature", one + "features = [\"cloud\"]\n", ""},
		{"both features", one + "features = [\"cloud\", \"guardian\"]\n", ""},
		{"a feature that needs another one", one + "features = [\"guardian\"]\n",
			`site.toml:5: warning: features: "guardian" alone puts no rule of product in force: its rules need cloud as well; add that feature, or remove this one`},
		{"a feature of another role", one + "role = \"agent\"\nfeatures = [\n\"cloud\",\n]\n",
			`site.toml:7: warning: features: no rule of product for role agent has the feature "cloud", so this changes nothing: remove it`},
		{"a port", one + "role = \"agent\"\nports = { upgrade = 4431 }\n", ""},
		{"a port that is where it was", one + "role = \"agent\"\nports = { upgrade = 4430 }\n", "site.toml:6: warning: ports: 4430 is the documented port of upgrade, so this changes nothing: remove it"},
		{"a port of another role", one + "ports = { upgrade = 4431 }\n", "site.toml:5: warning: ports: no rule of product for role manager has the port upgrade, so this changes nothing: remove it"},
		{"a rule of another role, left out", one + "without = [\"agent-web\"]\n", "site.toml:5: warning: without: rule agent-web is for role agent, and this is role manager, so this changes nothing: remove it"},
	} {
		if got := effects(t, c.text, testProfiles(t)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

// A role may have rules for other versions only, or none.
func TestARoleWithoutRules(t *testing.T) {
	profiles := testProfiles(t)
	product := profiles[0]
	product.Roles = append(product.Roles, "idle", "late")
	product.Rules = append(product.Rules, &rules.Rule{Profile: "product", ID: "late", From: "late", Since: "7.0"})
	for role, want := range map[string]string{
		"idle": `site.toml:5: warning: role: product has no rule for role idle, so the profile permits nothing: correct role, or remove the profile`,
		"late": `site.toml:5: warning: role: product has rules for role late, but none for version 6.0.4, so the profile permits nothing: correct version, or remove the profile`,
	} {
		if got := effects(t, one+"role = \""+role+"\"\nversion = \"6.0.4\"\n", profiles); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", role, got, want)
		}
	}
	if got := effects(t, one+"role = \"late\"\n", profiles); got != "" {
		t.Errorf("the current version: %s", got)
	}
}

// effects returns the problems of a configuration about settings without effect.
func effects(t *testing.T, text string, profiles []*rules.Profile) string {
	t.Helper()
	c, problems := Parse("site.toml", Disk{}, []byte(text), profiles)
	if c == nil {
		t.Fatal(problems)
	}
	var got []string
	for _, p := range problems {
		if withoutEffect(p) {
			got = append(got, p.String())
		}
	}
	return strings.Join(got, "\n")
}
