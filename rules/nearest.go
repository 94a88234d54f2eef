// Nearest: which documented rule an attempt that no rule names came closest to.

package rules

import "math/bits"

// A nearRef is one name of one rule, as seen from a parent of the name.
type nearRef struct {
	likeness
	rule uint32
	live bool // in force
}

// likeness is the first and the last eight octets of what stands in front of
// a parent, to compare names by in a few steps.
type likeness struct{ front, back uint64 }

func newLikeness(head string) likeness {
	l := likeness{back: wordBefore(head, len(head))}
	for i := min(len(head), 8) - 1; i >= 0; i-- {
		l.front = l.front<<8 | uint64(head[i])
	}
	return l
}

// to counts the octets that two names share at the front and at the back.
func (l likeness) to(o likeness) int {
	return (bits.TrailingZeros64(l.front^o.front) + bits.LeadingZeros64(l.back^o.back)) >> 3
}

// neighbour is the deepest place on the way to a name at which the rules say
// something.
type neighbour struct {
	value uint32 // of the trie; 0: nowhere
	whole bool   // it is the name itself
	head  int    // octets of the name in front of it
}

// pass remembers the place that a walk has come to.
func (n *neighbour) pass(w *trieWalk) {
	if w.whole || w.value&(saysExact|saysNear) != 0 {
		n.value, n.whole, n.head = w.value, w.whole, max(w.end, 0)
	}
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
	return s.mostAlike(e.near, target.s[:n.head])
}

// mostAlike returns the rule of the name that shares most octets at both ends
// with what stands in front of the parent; among equals a rule in force, then
// the first.
func (s *scope) mostAlike(near span, head string) *Rule {
	mine := newLikeness(head)
	rule, best := uint32(0), -1
	for i := range s.near[near.off : near.off+near.n] {
		ref := &s.near[int(near.off)+i]
		score := 2 * ref.to(mine)
		if ref.live {
			score++
		}
		if score > best {
			rule, best = ref.rule, score
		}
	}
	if best < 0 {
		return nil
	}
	return s.rules[rule].rule
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
		if a.Proto == UDPProto {
			ports = r.udp
		}
		if r.block&blocked(RoleNotListed) == 0 && ports.Has(a.Dest.Port()) {
			return r.rule
		}
	}
	return nil
}
