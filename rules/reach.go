// Reach: which addresses a permitted flow may be connected to.

package rules

import "net/netip"

// Reach reports whether a flow that d allows may be connected to dest: ReasonNone if
// it may, otherwise PrivateAddress or Self. An address of this host is private, also a
// public one: the owner of a permitted name could else reach the services of this host.
// The zero Decision reaches nothing. Call it for every address that a permitted name resolves to, and again for the address
// of the connected socket. The port of an address in a DNS answer is 0.
func (d Decision) Reach(dest netip.AddrPort) Reason { return d.reach(dest) }

func (d *Decision) reach(dest netip.AddrPort) Reason {
	if d.Verdict != Allow || d.policy == nil {
		return NotListed
	}
	addr := dest.Addr()
	switch {
	case !addr.IsValid() || addr.Is4In6() || addr.Zone() != "":
		return PrivateAddress
	case dest.Port() != 0 && d.policy.leadsBack(dest):
		return Self
	case d.policy.IsSynthetic(addr):
		return PrivateAddress // it leads back here, whatever is listed
	}
	if addr.Is6() {
		if why, known := d.policy.reachInside(dest); why != ReasonNone || known {
			return why
		}
	}
	switch {
	case !Special(addr) && (dest.Port() == 0 || !d.policy.own.Host(addr)), d.zone, anyContains(d.policy.private, addr):
		return ReasonNone
	case d.grant != nil && d.scope != nil && d.scope.hasAddr(d.grant, addr):
		return ReasonNone
	case d.scope != nil && d.scope.bindsAddr(d.name, d.proto, dest):
		return ReasonNone
	}
	return PrivateAddress
}

func anyContains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// bindsAddr reports whether some rule in force permits n and also lists the address of
// dest. If the port is 0, as for DNS, the ports do not matter.
func (s *scope) bindsAddr(n Name, proto Proto, dest netip.AddrPort) bool {
	var near neighbour
	sp := s.named(n, &near)
	for i := range sp.n {
		if s.grants(s.ruleAt(sp, i), proto, dest) {
			return true
		}
	}
	for _, l := range s.lists {
		if r := &s.rules[l.rule]; s.grants(r, proto, dest) && l.list.Has(n) {
			return true
		}
	}
	return false
}

// grants reports whether a rule is in force and lists an address with its port.
func (s *scope) grants(r *scopeRule, proto Proto, dest netip.AddrPort) bool {
	if r.block != 0 || !s.hasAddr(r, dest.Addr()) {
		return false
	}
	ports := r.tcp
	if proto == UDP {
		ports = r.udp
	}
	return r.any || dest.Port() == 0 || ports.Has(dest.Port())
}
