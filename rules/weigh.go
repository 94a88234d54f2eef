// Weigh: finds what keeps a rule from permitting an attempt, and which of
// several rules is the nearest.

package rules

import "math/bits"

// blockers is the set of reasons that keep a rule from permitting an attempt, one bit
// for each reason. A reason that is harder to remedy comes later in the precedence. So
// of two sets the one with the smaller number needs less.
type blockers uint64

func blocked(r Reason) blockers { return 1 << r }

// leftOut is the condition that the site has left the rule out by "without". For the
// client there is no such rule, so the reason is not_listed.
const leftOut blockers = 1 << NotListed

// reason returns the reason to report: the one that is the hardest to remedy. If the
// set has both protocol and port, it returns the protocol, because a port means nothing
// without its protocol.
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
	needs blockers // zero: the rule permits
	rule  *scopeRule
	near  neighbour // explains the denial if no rule lists the destination
}

// weigh replaces best if r is better. Of two rules that permit, the better one has
// any = true; otherwise the first one stays.
func (best *candidate) weigh(s *scope, r *scopeRule, a *Attempt) {
	needs := r.blockers(s, a)
	if best.rule == nil || needs < best.needs || needs == 0 && best.needs == 0 && r.any && !best.rule.any {
		best.needs, best.rule = needs, r
	}
}

// blockers returns the reasons why r, which lists the destination, does not permit the
// attempt.
func (r *scopeRule) blockers(s *scope, a *Attempt) blockers {
	if !r.any && a.Target().IsZero() {
		// This comes first, because mode "audit" must not let such a flow through.
		if reason := s.disagrees(r, a); reason != ReasonNone {
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

// disagrees compares the names that a flow to an address showed with the rule that
// lists the address: the rule must list these names too.
func (s *scope) disagrees(r *scopeRule, a *Attempt) Reason {
	switch {
	case !a.SNI.IsZero() && !s.binds(r, Destination{Name: a.SNI}):
		return SNIMismatch
	case a.HostIgnored:
	case !a.Host.IsZero() && !s.binds(r, Destination{Name: a.Host}),
		a.HostAddr.IsValid() && a.HostAddr != a.Dest.Addr(),
		a.HostPort != 0 && a.HostPort != a.Dest.Port():
		return HostMismatch
	}
	return ReasonNone
}
