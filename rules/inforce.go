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

// hintLeftOut explains the denial of a destination by a rule that the site leaves out: one that
// lists the destination and the port, or else the nearest one if it lists the destination.
func hintLeftOut(a *Attempt, d *Decision) string {
	if d.scope == nil || !slices.ContainsFunc(d.Client.Profiles, func(cp ClientProfile) bool { return len(cp.Without) > 0 }) {
		return ""
	}
	switch d.Why() {
	case NotListed, PortNotListed, ProtocolNotListed, RoleNotListed, IPLiteral:
	default: // a rule that is not left out lists the attempt, and a setting puts it in force
		return ""
	}
	var best, near *scopeRule
	for i := range d.scope.rules {
		r := &d.scope.rules[i]
		if r.block&(leftOut|blocked(RoleNotListed)) != leftOut || !r.lists(a, d) {
			continue
		}
		switch {
		case a.Via == ViaDNS || r.any || r.portsFor(a).Has(a.Dest.Port()):
			if best == nil || r.block < best.block {
				best = r
			}
		case r.rule == d.Nearest:
			near = r
		}
	}
	switch {
	case best != nil:
		return leftOutText(d.Client, best.rule, "but")
	case near != nil:
		cp := &d.Client.Profiles[d.Client.profileIndex(near.rule)]
		return leftOutText(d.Client, near.rule, notOnPort(a, cp, near.rule)+"; besides,")
	}
	return ""
}

// lists reports whether a rule lists the destination of a decision: a name, also one that the
// gateway knows the address by, or an address, also one of a role that the site has bound.
func (r *scopeRule) lists(a *Attempt, d *Decision) bool {
	return r.reaches(a) || slices.ContainsFunc(r.names, func(to Destination) bool { return to.hasName(d.name) })
}

// leftOutText names a rule that a client leaves out, and the line of "without".
func leftOutText(c *Client, r *Rule, but string) string {
	return fmt.Sprintf("%s, %s rule %s is left out by without, line %d: if the site needs it, remove %q there, or add a [[rule]] with a reason",
		r.documented(), but, r, c.Profiles[c.profileIndex(r)].Lines.Without, r.ID)
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
