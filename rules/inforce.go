// In force: what keeps a rule from being in force, and which ports it has, for
// those who report on it.

package rules

import "slices"

// Lacks tells what keeps r, of cp's profile, from being in force: features
// that are off, and a version outside of r's.
func (cp *ClientProfile) Lacks(r *Rule) (features []string, version bool) {
	for _, w := range r.When {
		if !slices.Contains(cp.Features, w) {
			features = append(features, w)
		}
	}
	return features, !inVersions(cp.Version, r.Since, r.Until)
}

// Configurable lists the names of the ports of r that the document calls
// configurable.
func (r *Rule) Configurable(proto Proto) []string {
	if proto == UDP {
		return slices.Clone(r.UDPNamed)
	}
	return slices.Clone(r.TCPNamed)
}

// Fixable tells whether a line of configuration could permit what was denied
// for this reason: those that mode "audit" lets through, an address that
// nobody names and a client that nobody knows.
func (r Reason) Fixable() bool { return r.auditable() || r == IPLiteral || r == UnknownClient }
