// Configurable ports: a rule's ports with the site's numbers put in.

package rules

// PortsOf returns the ports of r, a rule of p: those that the document calls
// configurable as set says, or else at their defaults.
func (p *Profile) PortsOf(r *Rule, set map[string]uint16) (tcp, udp Ports) {
	return p.portsOf(r.TCP, r.tcpNamed, set), p.portsOf(r.UDP, r.udpNamed, set)
}
