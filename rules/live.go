// Live: the policy in force, swapped atomically.

package rules

import "sync/atomic"

// Live holds the policy in force. Its zero value has none and denies.
type Live struct{ p atomic.Pointer[Policy] }

// Decide asks the policy in force.
func (l *Live) Decide(a Attempt) Decision { return l.p.Load().Decide(a) }

// Load returns the policy in force; nil: none.
func (l *Live) Load() *Policy { return l.p.Load() }

// Swap puts p in force for every attempt from now on and returns the one before.
func (l *Live) Swap(p *Policy) *Policy { return l.p.Swap(p) }
