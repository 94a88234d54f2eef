// Client: one [[client]] of the configuration.

package rules

import "net/netip"

// A Client is one [[client]] of the configuration: its source addresses and its
// profiles.
type Client struct {
	Name      string
	Sources   []netip.Prefix
	Profiles  []ClientProfile
	Audit     bool                     // mode "audit" applies: the client's own mode or the configuration's
	Addresses map[string][]Destination // the addresses of each role of the documents
	Line      int
}

// A ClientProfile is one profile of a client, with the choices of the site.
type ClientProfile struct {
	Profile  *Profile
	Role     string
	Features []string
	Version  string // "": the current version
	Ports    map[string]uint16
}
