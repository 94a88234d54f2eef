// In force: what keeps a rule from being in force, and which settings of the site change
// that, for reports.

package rules

import (
	"fmt"
	"slices"
)

// Lacks returns what keeps a rule of cp's profile from being in force: the features
// that are off, and whether the version is outside of the rule's range.
func (cp *ClientProfile) Lacks(r *Rule) (features []string, version bool) {
	for _, w := range r.When {
		if !slices.Contains(cp.Features, w) {
			features = append(features, w)
		}
	}
	return features, !inVersions(cp.Version, r.Since, r.Until)
}

// InForce reports whether the client's choices put a rule of cp's profile in force.
func (cp *ClientProfile) InForce(r *Rule) bool { return cp.blocks(r) == 0 }

// hintLeftOut explains the denial of a destination that only a rule lists which the site
// leaves out.
func hintLeftOut(a *Attempt, d *Decision) string {
	if d.Why() != NotListed || d.Nearest == nil || d.scope == nil {
		return ""
	}
	i := d.Client.profileIndex(d.Nearest)
	if i < 0 || !d.Client.Profiles[i].leavesOut(d.Nearest) {
		return ""
	}
	listed := func(r *scopeRule) bool {
		named := slices.ContainsFunc(r.names, func(to Destination) bool { return to.hasName(d.name) })
		return r.rule == d.Nearest && (named || r.reaches(a))
	}
	if !slices.ContainsFunc(d.scope.rules, func(r scopeRule) bool { return listed(&r) }) {
		return ""
	}
	return fmt.Sprintf("%s, but rule %s is left out by without, line %d: if the site needs it, remove %q there, or add a [[rule]] with a reason",
		d.Nearest.documented(), d.Nearest, d.Client.Profiles[i].Lines.Without, d.Nearest.ID)
}

// Configurable returns the names of r's configurable ports.
func (r *Rule) Configurable(proto Proto) []string {
	if proto == UDP {
		return slices.Clone(r.UDPNamed)
	}
	return slices.Clone(r.TCPNamed)
}

// Fixable reports whether a line of configuration could permit an attempt that was
// denied for r. It is true for the reasons that mode "audit" lets through, for an
// address that no rule lists, and for an unknown client.
func (r Reason) Fixable() bool { return r.auditable() || r == IPLiteral || r == UnknownClient }
