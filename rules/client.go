// Client: who asks, and with which profiles.

package rules

import "net/netip"

// A Client is one [[client]] of the configuration: who asks, and with which
// profiles.
type Client struct {
	Name      string
	Sources   []netip.Prefix
	Profiles  []ClientProfile
	Audit     bool                     // mode "audit", its own or the configuration's
	Addresses map[string][]Destination // what the site bound to the parties of the documents
	Line      int
}

// A ClientProfile is one profile that a client has, with its choices.
type ClientProfile struct {
	Profile  *Profile
	Role     string
	Features []string
	Version  string // "": unknown, read as current
	Ports    map[string]uint16
}
