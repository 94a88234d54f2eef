// Weigh: how near a rule that names the destination comes to permitting an
// attempt, and which of several is the nearest.

package rules

import "math/bits"

// blockers is the set of what keeps a rule from permitting an attempt, a bit a
// reason. The harder a reason is to mend the later it stands in the
// precedence, so the smaller set, as a number, is the one that needs less.
type blockers uint64

func blocked(r Reason) blockers { return 1 << r }

// reason returns the one that is reported: the hardest. Of protocol and port
// it is the protocol, since without it the port means nothing.
func (b blockers) reason() Reason {
	if b == 0 {
		return ReasonNone
	}
	r := Reason(bits.Len64(uint64(b)) - 1)
	if r == PortNotListed && b&blocked(ProtocolNotListed) != 0 {
		return ProtocolNotListed
	}
	return r
}

// A candidate is the rule that needs the least to permit an attempt.
type candidate struct {
	needs blockers // none: it permits
	rule  *scopeRule
	near  neighbour // to explain by, where no rule names the destination
}

// weigh keeps the better of best and a rule. Among rules that permit, one
// without demands on content wins, then the first.
func (best *candidate) weigh(r *scopeRule, a *Attempt) {
	needs := r.blockers(a)
	if best.rule == nil || needs < best.needs || needs == 0 && best.needs == 0 && r.any && !best.rule.any {
		best.needs, best.rule = needs, r
	}
}

// blockers returns what keeps a rule, which names the destination, from
// permitting the attempt.
func (r *scopeRule) blockers(a *Attempt) blockers {
	if !r.any && a.Target().IsZero() {
		// Comes first: what mode "audit" lets through must agree, too.
		if reason := r.disagrees(a); reason != ReasonNone {
			return blocked(reason)
		}
	}
	needs := r.block
	if !r.any && a.Via != ViaDNS {
		mine, other := r.tcp, r.udp
		if a.Proto == UDP {
			mine, other = other, mine
		}
		switch {
		case mine.Has(a.Dest.Port()):
		case other.Has(a.Dest.Port()):
			needs |= blocked(ProtocolNotListed)
		case mine == nil:
			needs |= blocked(ProtocolNotListed) | blocked(PortNotListed)
		default:
			needs |= blocked(PortNotListed)
		}
	}
	return needs
}

// disagrees holds the names that a flow to an address showed against the rule
// that names the address: it must name them too.
func (r *scopeRule) disagrees(a *Attempt) Reason {
	switch {
	case !a.SNI.IsZero() && !r.bindsAll(Destination{Name: a.SNI}):
		return SNIMismatch
	case a.HostIgnored:
	case !a.Host.IsZero() && !r.bindsAll(Destination{Name: a.Host}),
		a.HostAddr.IsValid() && a.HostAddr != a.Dest.Addr(),
		a.HostPort != 0 && a.HostPort != a.Dest.Port():
		return HostMismatch
	}
	return ReasonNone
}
