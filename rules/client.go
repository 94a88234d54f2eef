// Client: one [[client]] of the configuration.

package rules

import (
	"net/netip"
	"slices"
)

// A Client is one [[client]] of the configuration: its source addresses and its
// profiles.
type Client struct {
	Name         string
	Sources      []netip.Prefix // empty: any address, if the client demands an identity
	Certificates []string       // the names of certificates, one of which the client must show; empty: it need not show any
	Users        *Users         // one of these users must have logged in; nil: none
	Profiles     []ClientProfile
	Synthetic    bool                     // its queries are answered by synthetic addresses
	Parents      []string                 // the parents of its flows, or RouteDirect; nil: the default ones
	Audit        bool                     // mode "audit" applies: the client's own mode or the configuration's
	Addresses    map[string][]Destination // the addresses of each role of the documents, for every profile without addresses of its own
	Line         int
}

// A ClientProfile is one profile of a client, with the choices of the site.
type ClientProfile struct {
	Profile  *Profile
	Role     string
	Features []string
	Version  string // "": the current version
	Ports    map[string]uint16

	Addresses map[string][]Destination // the addresses of each role, for this profile alone
	Without   []string                 // the IDs of rules that the site leaves out
	OwnTable  bool                     // written as [[client.profile]], not in the list "profiles"
	Lines     ProfileLines
}

// ProfileLines has the lines of a client's profile in the configuration, for texts.
type ProfileLines struct{ Table, Without int }

// Bound returns the addresses that the site gives for a role, when the client reaches it
// by a rule of the profile with this index.
func (c *Client) Bound(profile int, role string) []Destination {
	if profile < 0 || profile >= len(c.Profiles) {
		return nil
	}
	if own, ok := c.Profiles[profile].Addresses[role]; ok {
		return own
	}
	return c.Addresses[role]
}

// BindingTable returns the name of the table that binds a role for the profile with this
// index. If the site has not bound the role, it is the table in which to bind it.
func (c *Client) BindingTable(profile int, role string) string {
	if profile >= 0 && profile < len(c.Profiles) && c.Profiles[profile].OwnTable {
		_, own := c.Profiles[profile].Addresses[role]
		if _, all := c.Addresses[role]; own || !all {
			return "client.profile.addresses"
		}
	}
	return "client.addresses"
}

// bindingPlace names that table, and the profile that it is below, for hints.
func (c *Client) bindingPlace(profile int, role string) string {
	table := c.BindingTable(profile, role)
	if table == "client.addresses" {
		return "[" + table + "]"
	}
	return "[" + table + "] below profile " + c.Profiles[profile].Profile.Name
}

// leavesOut reports whether the site leaves a rule of the profile out.
func (cp *ClientProfile) leavesOut(r *Rule) bool { return slices.Contains(cp.Without, r.ID) }
