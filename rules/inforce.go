// In force: what a policy consists of, for those who report on it.

package rules

import "slices"

// InForce yields every rule that is in force for a client, in the order of
// clients, profiles and rows, the site's own rules last.
func (p *Policy) InForce(yield func(*Client, *Rule) bool) {
	if p == nil {
		return
	}
	for _, s := range p.scopes {
		for i := range s.rules {
			if s.rules[i].block == 0 && !yield(s.client, s.rules[i].rule) {
				return
			}
		}
	}
}

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

// PortsOf returns the ports of r, of cp's profile, as the client has set them.
func (cp *ClientProfile) PortsOf(r *Rule) (tcp, udp Ports) { return cp.portsOf(r) }

// Configurable lists the names of the ports of r that the document calls
// configurable.
func (r *Rule) Configurable(proto Proto) []string {
	if proto == UDPProto {
		return slices.Clone(r.udpNamed)
	}
	return slices.Clone(r.tcpNamed)
}

// Fixable tells whether a line of configuration could permit what was denied
// for this reason: those that mode "audit" lets through, an address that
// nobody names and a client that nobody knows.
func (r Reason) Fixable() bool { return r.auditable() || r == IPLiteral || r == UnknownClient }
