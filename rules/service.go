// Service: a parent or a sink. Only sallyport connects to it, so it is never a destination.

package rules

import (
	"fmt"
	"net/netip"
	"slices"
)

// A service is a parent or a sink with a place on the network: one of the two is set.
type service struct {
	at     Authority    // as in its url
	addrs  []netip.Addr // of its url, or of its name in [hosts]; the Found of the policy has those of other names
	parent *Parent
	sink   *Sink
}

// servicesOf returns the parents and sinks of a configuration that are reached by an address or a
// name.
func servicesOf(c *Spec) []service {
	var out []service
	add := func(s service) {
		if s.at.Port == 0 {
			return // a sink at a unix socket
		}
		if s.at.Addr.IsValid() {
			s.addrs = []netip.Addr{unzoned(s.at.Addr)}
		}
		for _, addr := range c.Hosts[s.at.Name] {
			s.addrs = append(s.addrs, unzoned(addr))
		}
		out = append(out, s)
	}
	for _, p := range c.Parents {
		add(service{at: p.At, parent: p})
	}
	for _, s := range c.Sinks {
		add(service{at: s.At, sink: s})
	}
	return out
}

// leadsBack reports whether dest is one of sallyport's own listeners, a parent or a sink: sallyport
// is the only client of a parent and of a sink.
func (p *Policy) leadsBack(dest netip.AddrPort) bool {
	return p.own.Is(dest) || len(p.services) > 0 && p.serviceAt(Authority{Addr: dest.Addr(), Port: dest.Port()}) != nil
}

// serviceAt returns the parent or sink that a destination names; nil: it names none. A name names no
// service by its addresses: they are compared when it is resolved.
func (p *Policy) serviceAt(dest Authority) *service {
	for i := range p.services {
		s := &p.services[i]
		if s.at.Port != dest.Port {
			continue
		}
		if dest.Addr.IsValid() && p.leadsTo(s, unzoned(dest.Addr)) || !dest.Name.IsZero() && dest.Name == s.at.Name {
			return s
		}
	}
	return nil
}

// leadsTo reports whether an address is one of a service. A service on this host can listen on every
// address of this host.
func (p *Policy) leadsTo(s *service, addr netip.Addr) bool {
	v4 := p.insideOf(addr)
	return p.anyAddr(s, func(a netip.Addr) bool { return a == addr || a == v4 || p.insideOf(a) == addr }) ||
		p.anyAddr(s, p.here) && p.here(addr)
}

// anyAddr reports whether test is true for an address of a service.
func (p *Policy) anyAddr(s *service, test func(netip.Addr) bool) bool {
	if slices.ContainsFunc(s.addrs, test) {
		return true
	}
	if s.at.Name.IsZero() {
		return false
	}
	return slices.ContainsFunc(p.own.Found.all(), func(f foundAddr) bool { return f.name == s.at.Name && test(f.addr) })
}

// here reports whether an address leads to this host.
func (p *Policy) here(a netip.Addr) bool {
	if v4 := p.insideOf(a); v4.IsValid() && (v4.IsUnspecified() || p.own.Host(v4)) {
		return true
	}
	return a.IsValid() && p.own.reaches(a)
}

// insideOf returns the first IPv4 address that an address stands for; zero: it stands for itself.
func (p *Policy) insideOf(a netip.Addr) netip.Addr {
	v4, _ := inside(a, p.nat64)
	return v4
}

// asked returns the parent or sink that an attempt asks for. at is its address, if the attempt has a
// name that leads to it. asked returns nil if the attempt asks for none.
func (p *Policy) asked(a *Attempt) (s *service, at netip.AddrPort) {
	target := a.Target()
	if s = p.serviceAt(Authority{Name: target, Port: a.Dest.Port()}); s != nil {
		return s, at
	}
	for _, dest := range [...]netip.AddrPort{a.Dest, a.Original} {
		if s = p.serviceAt(Authority{Addr: dest.Addr(), Port: dest.Port()}); s != nil && target.IsZero() {
			return s, at
		} else if s != nil {
			return s, dest
		}
	}
	return nil, at
}

// hintService explains the denial of a parent or a sink as a destination; "" for every other denial.
func hintService(a *Attempt, d *Decision) string {
	if d.Why() != Self || d.policy == nil {
		return ""
	}
	s, at := d.policy.asked(a)
	if s == nil {
		return ""
	}
	what, end := "", ", to which only sallyport sends its records: nothing to permit"
	if s.parent != nil {
		what, end = "the parent proxy "+s.parent.Name, ", which only sallyport uses: nothing to permit; let the client use sallyport"
	} else {
		what = "the sink " + s.sink.Name
	}
	if at.IsValid() {
		return fmt.Sprintf("%s leads to %s at %v%s", a.Target(), what, at, end)
	}
	return fmt.Sprintf("%s is %s%s", a.authority(), what, end)
}

// authority returns the destination that an attempt asks for.
func (a *Attempt) authority() Authority {
	if n := a.Target(); !n.IsZero() {
		return Authority{Name: n, Port: a.Dest.Port()}
	}
	return Authority{Addr: a.Dest.Addr(), Port: a.Dest.Port()}
}
