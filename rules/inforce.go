// In force: what keeps a rule from being in force, and which settings of the site change
// that, for reports.

package rules

import "slices"

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
