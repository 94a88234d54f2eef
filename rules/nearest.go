// Nearest: which documented rule an attempt that no rule names came closest to.

package rules

import "math/bits"

// A nearRef is one name of one rule, as seen from a parent of the name.
type nearRef struct {
	likeness
	rank uint64 // among names that are equally alike the highest is the nearest
}

// newRank ranks a rule in force before others, then the first before others.
// Ranks are below 1<<33, and differ.
func newRank(rule uint32, live bool) uint64 {
	rank := uint64(^rule)
	if live {
		rank |= 1 << 32
	}
	return rank
}

// rule is the number of the rule with this rank.
func (r nearRef) rule() uint32 { return ^uint32(r.rank) }

// likeness is the first and the last eight octets of what stands in front of
// a parent, to compare names by in a few steps. Both are in network order.
type likeness struct{ front, back uint64 }

// newLikeness is that of the first octets of a name, head of them.
func newLikeness(n Name, head int) likeness {
	behind := 64 - 8*min(head, 8)
	return likeness{front: bits.ReverseBytes64(wordFrom(n.s, 0)) >> behind << behind, back: wordBefore(n.s, head)}
}

// to counts the octets that two names share at the front and at the back.
func (l likeness) to(o likeness) int {
	return bits.LeadingZeros64(l.front^o.front)>>3 + bits.LeadingZeros64(l.back^o.back)>>3
}

// neighbour is the deepest place on the way to a name at which the rules say
// something.
type neighbour struct {
	value uint32 // of the trie; 0: nowhere
	whole bool   // it is the name itself
	head  int    // octets of the name in front of it
}

// nearestTo returns the rule nearest to a name that no rule names: one for the
// apex of its wildcard, for the name in another profile, for a parent or a
// sibling under the same registrable domain, or for a party that the site has
// not bound.
func (s *scope) nearestTo(n *neighbour, a *Attempt, target Name) *Rule {
	if n.value == 0 {
		if a.Dest.Port() != 443 && a.Dest.Port() != 80 {
			return s.unboundFor(a)
		}
		return nil
	}
	e := &s.entries[n.value>>saysBits]
	switch {
	case n.whole && e.foreign != nil:
		return e.foreign
	case n.whole && e.wild.n > 0:
		return s.ruleAt(e.wild, 0).rule
	case !n.whole && e.exact.n > 0:
		return s.ruleAt(e.exact, 0).rule
	}
	if e.near.n == 1 {
		return s.rules[s.near[e.near.off].rule()].rule
	}
	return s.mostAlike(e.near, newLikeness(target, n.head))
}

// mostAlike returns the rule of the name that shares most octets at both ends
// with what stands in front of the parent; among equals a rule in force, then
// the first. It has no branch that a name decides.
func (s *scope) mostAlike(near span, mine likeness) *Rule {
	best := nearRef{}
	for _, ref := range around(s.near[near.off:near.off+near.n], mine) {
		best.rank = max(best.rank, uint64(ref.to(mine))<<33|ref.rank)
	}
	if best.rank == 0 {
		return nil
	}
	return s.rules[best.rule()].rule
}

// nearWindow is how many names are compared with one that was denied, where
// its neighbours in the alphabet begin like it.
const nearWindow = 8

// around narrows sorted refs to those around the place of l, unless they begin
// otherwise: then the most alike may be anywhere. Its search has no branch
// that a name decides.
func around(refs []nearRef, l likeness) []nearRef {
	if len(refs) <= nearWindow {
		return refs
	}
	at := 0
	for n := len(refs); n > 1; {
		half := n / 2
		if refs[at+half].front <= l.front {
			at += half
		}
		n -= half
	}
	if next := min(at+1, len(refs)-1); (refs[at].front^l.front)>>48 != 0 && (refs[next].front^l.front)>>48 != 0 {
		return refs
	}
	at = min(max(at-nearWindow/2+1, 0), len(refs)-nearWindow)
	return refs[at : at+nearWindow]
}

// alike counts the octets that two texts share at the front and at the back.
func alike(a, b string) int {
	n := min(len(a), len(b))
	front := 0
	for front < n && a[front] == b[front] {
		front++
	}
	back := 0
	for back < n-front && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front + back
}

// unboundFor returns a rule that lists the port for this client, for a party
// that the site has bound to no address.
func (s *scope) unboundFor(a *Attempt) *Rule {
	for _, i := range s.unbound {
		r := &s.rules[i]
		ports := r.tcp
		if a.Proto == UDP {
			ports = r.udp
		}
		if r.block&blocked(RoleNotListed) == 0 && ports.Has(a.Dest.Port()) {
			return r.rule
		}
	}
	return nil
}
