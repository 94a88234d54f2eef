// Effect: warns of settings of a client that change nothing, as the profile is read.

package site

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// warnOfNoEffect warns of the settings of one profile that put no rule in force and move no
// port.
func warnOfNoEffect(t *tomldoc.Table, cp *rules.ClientProfile) {
	var own, current []*rules.Rule // the rules of the client's role; and from these, the rules for its version
	for _, r := range cp.Profile.Rules {
		if r.From == cp.Role && !r.Local {
			own = append(own, r)
			if _, excluded := cp.Lacks(r); !excluded {
				current = append(current, r)
			}
		}
	}
	if len(current) == 0 {
		t.Doc.Warnf(t.Line("role"), "role: %s", noRules(cp, len(own) > 0))
		return
	}
	misspelt := slices.ContainsFunc(cp.Features, func(f string) bool { return cp.Profile.Feature(f) == nil })
	for _, f := range cp.Features {
		if misspelt {
			break // an error already, which may be the cause of what a warning would say
		}
		if why := featureWithoutEffect(cp, current, f); why != "" {
			t.Doc.Warnf(t.LineOf("features", f), "features: %s", why)
		}
	}
	ports := t.Sub("ports")
	for _, name := range ports.Keys() {
		port := cp.Profile.Port(name)
		moves := slices.ContainsFunc(own, func(r *rules.Rule) bool {
			return slices.Contains(r.TCPNamed, name) || slices.Contains(r.UDPNamed, name)
		})
		switch _, read := cp.Ports[name]; {
		case port == nil || !read: // an error already
		case !moves:
			t.Doc.Warnf(ports.Line(name), "ports: no rule of %s for role %s has the port %s, so this changes nothing: remove it", cp.Profile.Name, cp.Role, name)
		case cp.Ports[name] == port.Default:
			t.Doc.Warnf(ports.Line(name), "ports: %d is the documented port of %s, so this changes nothing: remove it", port.Default, name)
		}
	}
	for _, id := range cp.Without {
		if i := slices.IndexFunc(cp.Profile.Rules, func(r *rules.Rule) bool { return r.ID == id }); i >= 0 && cp.Profile.Rules[i].From != cp.Role {
			t.Doc.Warnf(t.LineOf("without", id), "without: rule %s is for role %s, and this is role %s, so this changes nothing: remove it", id, cp.Profile.Rules[i].From, cp.Role)
		}
	}
}

// noRules explains that a role has no rules: for its version, or at all.
func noRules(cp *rules.ClientProfile, others bool) string {
	version := "the current version (no version is set)"
	if cp.Version != "" {
		version = "version " + cp.Version
	}
	if others {
		return fmt.Sprintf("%s has rules for role %s, but none for %s, so the profile permits nothing: correct version, or remove the profile", cp.Profile.Name, cp.Role, version)
	}
	return fmt.Sprintf("%s has no rule for role %s, so the profile permits nothing: correct role, or remove the profile", cp.Profile.Name, cp.Role)
}

// featureWithoutEffect explains why a feature that is on puts no rule in force; "" if it
// does. All of the rules are for the client's role and version.
func featureWithoutEffect(cp *rules.ClientProfile, current []*rules.Rule, feature string) string {
	var needs []string
	for _, r := range current {
		if !slices.Contains(r.When, feature) {
			continue
		}
		off, _ := cp.Lacks(r)
		if len(off) == 0 {
			return ""
		}
		if text := strings.Join(off, " and "); !slices.Contains(needs, text) {
			needs = append(needs, text)
		}
	}
	if len(needs) == 0 {
		return fmt.Sprintf("no rule of %s for role %s has the feature %q, so this changes nothing: remove it", cp.Profile.Name, cp.Role, feature)
	}
	return fmt.Sprintf("%q alone puts no rule of %s in force: its rules need %s as well; add that feature, or remove this one", feature, cp.Profile.Name, strings.Join(needs, ", or "))
}

// warnOfUnused warns of bindings that no rule in force of these profiles uses.
func warnOfUnused(t *tomldoc.Table, bound map[string][]rules.Destination, profiles []rules.ClientProfile) {
	for _, role := range t.Keys() {
		if len(bound[role]) == 0 {
			continue // an error already
		}
		if len(profiles) == 0 {
			t.Doc.Warnf(t.Line(role), "%s: every profile with this role has a binding of its own, so this one changes nothing: remove it", role)
			continue
		}
		used := slices.ContainsFunc(profiles, func(cp rules.ClientProfile) bool {
			return slices.ContainsFunc(cp.Profile.Rules, func(r *rules.Rule) bool {
				return slices.Contains(r.To, rules.Destination{Role: role}) && cp.InForce(r)
			})
		})
		if !used {
			t.Doc.Warnf(t.Line(role), "%s: no rule in force is to this role, so the binding permits nothing: remove it, or turn on what the rule needs (sallyport profiles show %s)", role, profiles[0].Profile.Name)
		}
	}
}
