// Policy: the compiled, immutable form of a site's configuration.

package rules

import "net/netip"

// A Client is one [[client]] of the configuration.
type Client struct {
	Name     string
	Sources  []netip.Prefix
	Profiles []ClientProfile
	Audit    bool // mode "audit"
	Addresses map[string][]Destination
}

// A ClientProfile is one profile that a client has, with its choices.
type ClientProfile struct {
	Profile  *Profile
	Role     string
	Features []string
	Version  string
	Ports    map[string]uint16
}

// Policy is the compiled configuration. A nil Policy denies everything.
type Policy struct{}

// Decide answers the one question. It allocates nothing.
func (p *Policy) Decide(a Attempt) Decision { return Decision{Reason: UnknownClient} }

// Reach tells whether a flow that d allows may be connected to addr: ReasonNone,
// PrivateAddress or Self. The zero Decision reaches nothing. A caller asks it
// for every address that a granted name resolved to, and again for the
// connected socket's.
func (d Decision) Reach(dest netip.AddrPort) Reason { return NotListed }
