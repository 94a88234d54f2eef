// Rule: one line of a profile or of the site.

package rules

import (
	"time"
)

// SiteProfile is the profile name under which a site's own rules are reported.
const SiteProfile = "site"

// A Rule is one line of a profile, or one of the site's own: which client may reach
// which destination, on which ports, and the document that the rule comes from.
type Rule struct {
	Profile string // the profile's name, or SiteProfile
	ID      string
	From    string // role
	To      []Destination
	List    *List // site rules: what its list files add to To; nil: nothing
	TCP     Ports // the ports as written; a named port has its default
	UDP     Ports
	Any     bool     // every protocol and port, any content
	Local   bool     // documented, but used within one host only; permits nothing across the gateway
	When    []string // features; all must be on
	Since   string   // the first product version with this rule; "": every version
	Until   string   // the first product version without it; "": none
	Purpose string
	Section string
	Note    string // what is unusual about the row

	Client  string    // site rules: the client it is for
	Reason  string    // site rules: why the site needs it
	Parents []string  // site rules: the parents of its flows, or RouteDirect; nil: those of the client
	Expires time.Time // site rules: the instant from which it permits nothing; zero: never

	File string
	Line int

	Document *Document
	Origin   string   // the file of its profile; "": the profile is inside the binary
	TCPNamed []string // names of configurable ports, whose numbers each client can set
	UDPNamed []string
}

// String returns profile/id.
func (r *Rule) String() string { return r.Profile + "/" + r.ID }

// Source returns where the rule comes from: document, version and section, or
// the site's reason. For a profile from a file it also names the profile's revision.
func (r *Rule) Source() string {
	if r.Document == nil {
		return r.Reason
	}
	var version, section, origin string
	if r.Document.Version != "" {
		version = ", version "
	}
	if r.Section != "" {
		section = ", section "
	}
	if r.Origin != "" {
		origin = "; "
	}
	return r.Document.Title + version + r.Document.Version + section + r.Section + origin + r.Origin
}

// ExpiresText returns the value of expires for people and programs: the last day, or the
// instant with its zone. It is "" for a rule that does not expire.
func ExpiresText(at time.Time) string {
	switch utc := at.UTC(); {
	case at.IsZero():
		return ""
	case utc.Equal(utc.Truncate(24 * time.Hour)): // a date means the whole day
		return utc.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return at.Format(time.RFC3339)
}

// isDay reports whether a text of ExpiresText is a day.
func isDay(text string) bool { return len(text) == len(time.DateOnly) }

// expired returns when an expired rule ended, for a sentence.
func (r *Rule) expired() string {
	if text := ExpiresText(r.Expires); !isDay(text) {
		return "at " + text
	}
	return "on " + ExpiresText(r.Expires)
}

// expiring returns when the rule will end, for a sentence.
func (r *Rule) expiring() string {
	if text := ExpiresText(r.Expires); !isDay(text) {
		return "at " + text
	}
	return "at the end of " + ExpiresText(r.Expires) + " (UTC)"
}

// IsIdentifier reports whether s can name a profile, role, feature, port, rule or
// client: letters, digits, dots, underscores and hyphens, with a letter or digit first.
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
