// Gate: the interface that answers attempts, and the generation that it asks.

package rules

import (
	"net/netip"
	"sync/atomic"
)

// A Gate decides whether an attempt is allowed. Front ends use no other part of the
// policy. Without a Gate they ask a nil *Policy, which denies.
type Gate interface {
	// Decide returns the decision, and records it if it is final.
	Decide(Attempt) Decision
	// Preview returns the same decision by the same generation, and records nothing.
	Preview(Attempt) Decision
}

// A Generation is one configuration in force, as a whole: the policy, our own
// addresses, and the resolver of the permitted names. It is immutable. A flow or
// query loads the generation in force once, carries it in its Attempt, and keeps it
// to its end. So a reload never makes one configuration decide about a name and
// another configuration resolve it.
type Generation struct {
	Policy *Policy
	// Resolver resolves the names that Policy permits. It is a value of package
	// dnsfilter, which this package does not import. Nil: no name resolves.
	Resolver any
	// Identities checks what clients prove beside their address. It is a value of package
	// proxy/proof, which this package does not import. Nil: no proof is accepted.
	Identities any
}

// Live holds the generation in force. It is a Gate that records nothing. Its zero
// value has no generation and denies.
type Live struct{ p atomic.Pointer[Generation] }

// Decide asks the generation of the attempt, or the generation in force if the
// attempt has none.
func (l *Live) Decide(a Attempt) Decision {
	g := a.Generation
	if g == nil {
		g = l.p.Load()
	}
	return g.policy().Decide(a)
}

// Preview is the same as Decide: a Live records nothing.
func (l *Live) Preview(a Attempt) Decision { return l.Decide(a) }

// Load returns the generation in force, or nil if there is none.
func (l *Live) Load() *Generation { return l.p.Load() }

// Policy returns the policy of the generation in force, or nil if there is none.
func (l *Live) Policy() *Policy { return l.p.Load().policy() }

// Swap puts g in force for every flow and query that begins from now on. It returns
// the generation that was in force before.
func (l *Live) Swap(g *Generation) *Generation { return l.p.Swap(g) }

// QuotaKeyOf returns the key of the quotas of the client at addr.
func (g *Generation) QuotaKeyOf(addr netip.Addr) QuotaKey {
	return QuotaKeyOf(addr, g.policy().ClientOf(addr))
}

func (g *Generation) policy() *Policy {
	if g == nil {
		return nil
	}
	return g.Policy
}

// Preview is the same as Decide: a Policy records nothing. Commands that only ask,
// such as explain, use a Policy as their Gate.
func (p *Policy) Preview(a Attempt) Decision { return p.Decide(a) }
