// Profile, Rule and their document: the data that a policy is compiled from.

package rules

import (
	"time"
)

// SiteProfile is the profile name under which a site's own rules are reported.
const SiteProfile = "site"

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

	Document *Document
	TCPNamed []string // names of configurable ports, to be looked up per client
	UDPNamed []string
}

// String returns profile/id.
func (r *Rule) String() string { return r.Profile + "/" + r.ID }

// Source returns where the rule comes from: document, version and section, or
// the site's reason.
func (r *Rule) Source() string {
	if r.Document == nil {
		return r.Reason
	}
	s := r.Document.Title
	if r.Document.Version != "" {
		s += ", version " + r.Document.Version
	}
	if r.Section != "" {
		s += ", section " + r.Section
	}
	return s
}

// IsIdentifier reports whether s can name a profile, role, feature, port, rule or
// client: letters, digits, dots, underscores and hyphens, a letter or digit first.
func IsIdentifier(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z'
		if !alnum && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
