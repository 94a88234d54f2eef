// Identity: what a client proves about itself beside its address, and the clients that demand it.

package rules

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// An Identity is what a client has proven beside its address. A nil Identity is nothing. The proof
// itself, such as a password, is never part of it.
type Identity struct {
	Certificate []string // the names in the certificate that the client has shown: "CN=…", "DNS:…", or a URI
	User        string   // the user who has logged in; "": none
}

// userMark is the beginning of a user in the text of an identity.
const userMark = "user:"

// Of returns the identity as text: the user, and the name of the certificate by which c knows the
// client. If c knows it by no name, it is the first one.
func (i *Identity) Of(c *Client) string {
	if i == nil {
		return ""
	}
	text := ""
	if i.User != "" {
		text = userMark + i.User
	}
	if len(i.Certificate) == 0 {
		return text
	}
	name := i.Certificate[0]
	if c != nil {
		if at := slices.IndexFunc(i.Certificate, func(n string) bool { return slices.Contains(c.Certificates, n) }); at >= 0 {
			name = i.Certificate[at]
		}
	}
	if text != "" {
		text += " "
	}
	return text + name
}

// ParseIdentity parses the text that Of returns. A policy answers the result like the identity that
// the text is of. It returns false for a text that is none.
func ParseIdentity(text string) (*Identity, bool) {
	if text == "" {
		return nil, true
	}
	var i Identity
	if user, ok := strings.CutPrefix(text, userMark); ok {
		i.User, text, _ = strings.Cut(user, " ")
		if CheckUser(i.User) != "" {
			return nil, false
		}
	}
	if text != "" {
		i.Certificate = []string{text}
	}
	return &i, true
}

// Equal reports whether two identities are the same.
func (i *Identity) Equal(o *Identity) bool {
	if i == nil || o == nil {
		return i == o
	}
	return i.User == o.User && slices.Equal(i.Certificate, o.Certificate)
}

// maxUser bounds the name of a user, in octets. RFC 1929 permits 255.
const maxUser = 64

// CheckUser returns why a text is no name of a user; "" if it is one.
func CheckUser(name string) string {
	switch {
	case name == "":
		return "the name of the user is empty"
	case len(name) > maxUser:
		return "the name of the user has more than 64 octets"
	case strings.ToValidUTF8(name, "") != name || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f || r >= 0x80 && r < 0xa0 }):
		return "the name of a user has no colons, spaces and control characters, and is UTF-8"
	}
	return ""
}

// Users are the names in one users_file.
type Users struct {
	File  string
	Names map[string]bool
}

// Demands reports whether a client must prove more than its address.
func (c *Client) Demands() bool { return len(c.Certificates) > 0 || c.Users != nil }

// Demanded returns an identity that has all that the client demands; nil if it demands nothing.
func (c *Client) Demanded() *Identity {
	if !c.Demands() {
		return nil
	}
	i := &Identity{}
	if len(c.Certificates) > 0 {
		i.Certificate = c.Certificates[:1]
	}
	if c.Users != nil {
		i.User = slices.Min(slices.Collect(maps.Keys(c.Users.Names)))
	}
	return i
}

// at reports whether the client may have this address. A client without sources may have any.
func (c *Client) at(addr netip.Addr) bool {
	return len(c.Sources) == 0 || slices.ContainsFunc(c.Sources, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// certified reports whether the client has shown a certificate that c demands, if c demands one.
func (c *Client) certified(i *Identity) bool {
	return len(c.Certificates) == 0 ||
		i != nil && slices.ContainsFunc(c.Certificates, func(name string) bool { return slices.Contains(i.Certificate, name) })
}

// proven reports whether i has all that c demands.
func (c *Client) proven(i *Identity) bool {
	return c.certified(i) && (c.Users == nil || i != nil && c.Users.Names[i.User])
}

// identify finds the first client that has the address, and for which the identity is proven. It
// notes whether a login could lead to another client, and whether some client at this address
// demands more than is proven.
func (p *Policy) identify(d *Decision, a *Attempt) (s *scope) {
	addr := a.Client.Addr()
	if s = p.scopeOf(addr); len(p.demanding) == 0 {
		return s
	}
	for _, demand := range p.demanding {
		c := demand.client
		if !c.at(addr) {
			continue
		}
		if c.Users != nil && c.certified(a.Identity) {
			d.login = true
		}
		if !c.proven(a.Identity) {
			d.unproven, d.Listed = true, d.Listed || len(c.Sources) > 0
		} else if s == nil || demand.number < s.number {
			s = demand
		}
	}
	return s
}

// A Hash is the bcrypt hash of a password. It prints as nothing that helps a thief.
type Hash string

// String hides the hash.
func (Hash) String() string { return "(hash)" }

// GoString hides the hash.
func (h Hash) GoString() string { return h.String() }

// MarshalText hides the hash.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }
