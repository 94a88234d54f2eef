// Profile, Rule and their document: the data that a policy is compiled from.

package rules

import (
	"net/netip"
	"time"
)

// SiteProfile is the profile name under which a site's own rules are reported.
const SiteProfile = "site"

// A Document is where a profile's rules were read.
type Document struct {
	Title    string
	Version  string
	Released string // YYYY-MM-DD
	URL      string
}

// A Feature is a condition that a document itself states.
type Feature struct{ Name, Meaning string }

// A Port is a port that a document calls configurable.
type Port struct {
	Name    string
	Default uint16
	Meaning string
}

// A Profile is one product's documented network needs.
type Profile struct {
	Name     string
	Product  string
	Roles    []string // parties that a client can be; the first is the default
	Binds    []string // further parties that only occur as destinations
	Document Document
	Features []Feature
	Ports    []Port
	Rules    []*Rule
	File     string
}

// A Rule is one line of a profile, or one of the site's own: who may reach
// what, on which ports, and which document says so.
type Rule struct {
	Profile string // the profile's name, or SiteProfile
	ID      string
	From    string // role
	To      []Destination
	TCP     Ports // as written, named ports at their defaults
	UDP     Ports
	Any     bool     // every protocol and port, no demand on content
	Local   bool     // used on one host only: documented, permits nothing across the gateway
	When    []string // features; all must be on
	Since   string   // first product version it holds for; "": any
	Until   string   // first product version it no longer holds for; "": none
	Purpose string
	Section string
	Note    string // what is odd about the row

	Client  string    // site rules: the client it is for
	Reason  string    // site rules: why it is there
	Expires time.Time // site rules: first instant it no longer holds; zero: never

	File string
	Line int

	document *Document
	tcpNamed []string // names of configurable ports, to be looked up per client
	udpNamed []string
}

// String returns profile/id.
func (r *Rule) String() string { return r.Profile + "/" + r.ID }

// Source returns where the rule comes from: document, version and section, or
// the site's reason.
func (r *Rule) Source() string {
	if r.document == nil {
		return r.Reason
	}
	s := r.document.Title
	if r.document.Version != "" {
		s += ", version " + r.document.Version
	}
	if r.Section != "" {
		s += ", section " + r.Section
	}
	return s
}

// A Destination is one entry of a rule's "to". Exactly one of its kinds is set.
type Destination struct {
	Name     Name         // an exact name, or the x of *.x
	Wildcard bool         // *.Name: any depth below Name, and not Name
	Prefix   netip.Prefix // an address (full length) or a prefix
	Role     string       // "role:manager": what the site bound to that party
}

// String returns the destination as in a profile.
func (d Destination) String() string {
	switch {
	case d.Role != "":
		return "role:" + d.Role
	case d.Prefix.IsValid() && d.Prefix.IsSingleIP():
		return d.Prefix.Addr().String()
	case d.Prefix.IsValid():
		return d.Prefix.String()
	case d.Wildcard:
		return "*." + d.Name.String()
	}
	return d.Name.String()
}
