// Nearest: the documented rule that is the most similar to a destination that no rule
// lists.

package rules

import "math/bits"

// A nearRef is one name of one rule, filed under a parent of the name.
type nearRef struct {
	likeness
	rank uint64 // among equally similar names, the name with the highest rank is the nearest
}

// newRank ranks rules in force before others, and then by their order. All ranks differ
// and are below 1<<33.
func newRank(rule uint32, live bool) uint64 {
	rank := uint64(^rule)
	if live {
		rank |= 1 << 32
	}
	return rank
}

// rule returns the number of the rule with this rank.
func (r nearRef) rule() uint32 { return ^uint32(r.rank) }

// A likeness is the first and the last eight octets of the labels in front of a parent,
// both in network order. It compares names in a few steps.
type likeness struct{ front, back uint64 }

// newLikeness returns the likeness of the first head octets of a name.
func newLikeness(n Name, head int) likeness {
	behind := 64 - 8*min(head, 8)
	return likeness{front: bits.ReverseBytes64(wordFrom(n.s, 0)) >> behind << behind, back: wordBefore(n.s, head)}
}

// to returns how many octets two names share at the front and at the back.
func (l likeness) to(o likeness) int {
	return bits.LeadingZeros64(l.front^o.front)>>3 + bits.LeadingZeros64(l.back^o.back)>>3
}

// A neighbour is the deepest entry of the trie for a name or its parents.
type neighbour struct {
	value uint32     // a value of the trie; 0: no entry
	whole bool       // the entry is of the name itself
	head  int        // octets of the name in front of it
	list  *scopeRule // a rule whose list has a similar name; nil: none
}

// nearestTo returns the rule nearest to a name that no rule lists: a rule of another
// profile for this name, a rule for a wildcard directly below it, a rule for a parent or
// a sibling under the same registrable domain, a rule whose list has such a name, or a rule
// to a role without addresses.
func (s *scope) nearestTo(n *neighbour, a *Attempt, target Name) *Rule {
	if n.value == 0 {
		if n.list != nil {
			return n.list.rule
		}
		if a.Dest.Port() != 443 && a.Dest.Port() != 80 {
			return s.unboundFor(a)
		}
		return nil
	}
	e := &s.entries[n.value>>saysBits]
	switch {
	case n.whole && e.other != nil:
		return e.other
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

// mostAlike compares names by the labels in front of the parent. It returns the rule of
// the name that shares the most octets with mine at both ends. Among equal names it
// prefers a rule in force, and then the first rule. No branch in it depends on a name.
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

// nearWindow is the number of names that are compared with a denied name, if its
// neighbours in the alphabet begin with the same two octets.
const nearWindow = 8

// around returns the refs around the place of l in the alphabet. If the refs at this
// place do not begin with the two octets of l, the most similar name may be anywhere,
// and around returns all refs. No branch of its search depends on the name.
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

// alike returns how many octets two texts share at the front and at the back.
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

// unboundFor returns a rule that lists the port for this client, to a role that the site
// gives no addresses for.
func (s *scope) unboundFor(a *Attempt) *Rule {
	for _, i := range s.unbound {
		r := &s.rules[i]
		ports := r.tcp
		if a.Proto == UDP {
			ports = r.udp
		}
		if r.block&(blocked(RoleNotListed)|leftOut) == 0 && ports.Has(a.Dest.Port()) {
			return r.rule
		}
	}
	return nil
}
