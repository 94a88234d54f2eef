// Policy: the compiled, immutable form of a site's configuration.

package rules

import "net/netip"

// Policy is the compiled configuration. A nil Policy denies everything.
type Policy struct{}

// Decide answers the one question. It allocates nothing.
func (p *Policy) Decide(a Attempt) Decision { return Decision{Reason: UnknownClient} }

// Reach tells whether a flow that d allows may be connected to addr: ReasonNone,
// PrivateAddress or Self. The zero Decision reaches nothing. A caller asks it
// for every address that a granted name resolved to, and again for the
// connected socket's.
func (d Decision) Reach(dest netip.AddrPort) Reason { return NotListed }
