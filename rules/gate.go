// Gate: who answers the one question, and by which generation.

package rules

import "sync/atomic"

// A Gate answers whether one attempt to leave is allowed. Front ends know
// nothing else of policy. Where there is no Gate they ask a nil *Policy, which
// denies.
type Gate interface {
	// Decide gives the answer. It is recorded when it is final.
	Decide(Attempt) Decision
	// Preview gives the same answer by the same generation. It is never recorded.
	Preview(Attempt) Decision
}

// A Generation is one configuration in force, as a whole: what is permitted,
// which of our own addresses are never reached, and who resolves the names that
// are permitted. It is immutable. A flow or query takes the generation in force
// once, carries it in its Attempt, and keeps it to its end; so a reload never
// has a name judged by one configuration and resolved by another.
type Generation struct {
	Policy *Policy
	// Resolver resolves the names that Policy permits. It is a value of package
	// dnsfilter, which this package does not import. Nil: no name resolves.
	Resolver any
}

// Live holds the generation in force. It is a Gate that records nothing. Its
// zero value has no generation and denies.
type Live struct{ p atomic.Pointer[Generation] }

// Decide asks the generation of the attempt; where the attempt has none, the
// generation in force.
func (l *Live) Decide(a Attempt) Decision {
	g := a.Generation
	if g == nil {
		g = l.p.Load()
	}
	return g.policy().Decide(a)
}

// Preview is Decide: nothing is recorded here.
func (l *Live) Preview(a Attempt) Decision { return l.Decide(a) }

// Load returns the generation in force; nil: there is none.
func (l *Live) Load() *Generation { return l.p.Load() }

// Policy returns the policy of the generation in force; nil: there is none.
func (l *Live) Policy() *Policy { return l.p.Load().policy() }

// Swap puts g in force for every flow and query that begins from now on, and
// returns the generation before.
func (l *Live) Swap(g *Generation) *Generation { return l.p.Swap(g) }

func (g *Generation) policy() *Policy {
	if g == nil {
		return nil
	}
	return g.Policy
}

// Preview is Decide: a Policy records nothing. Commands that only ask, such as
// explain, use a Policy as their Gate.
func (p *Policy) Preview(a Attempt) Decision { return p.Decide(a) }
