// Destination: one entry of a rule's "to", and the parser of its text.

package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// A Destination is one entry of a rule's "to": a name, a wildcard, a prefix or a role.
type Destination struct {
	Name     Name         // an exact name, or the x of *.x
	Wildcard bool         // *.Name: any depth below Name, and not Name
	Prefix   netip.Prefix // an address (full length) or a prefix
	Role     string       // "role:manager": the addresses that the site gives for this role
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

// ParseDestination parses one entry of "to": a name, *.name, an address, a prefix or
// role:NAME.
func ParseDestination(s string) (Destination, error) {
	if role, ok := strings.CutPrefix(s, "role:"); ok {
		if !IsIdentifier(role) {
			return Destination{}, fmt.Errorf("%q is not role: and the name of a role", s)
		}
		return Destination{Role: role}, nil
	}
	if strings.IndexByte(s, '/') >= 0 {
		p, err := parsePrefix(s)
		return Destination{Prefix: p}, err
	}
	rest, wild := strings.CutPrefix(s, "*.")
	if strings.IndexByte(rest, '*') >= 0 {
		return Destination{}, fmt.Errorf(`%q: a wildcard is "*." and a name, like "*.corp.example", and nothing else`, s)
	}
	if !wild {
		if a, err := ParseHost(s); err == nil && a.Addr.IsValid() {
			return Destination{Prefix: netip.PrefixFrom(a.Addr, a.Addr.BitLen())}, nil
		}
	}
	n, err := ParseIDN(rest)
	if err != nil {
		if a, aerr := ParseAuthority(s, 1); aerr == nil && !a.Name.IsZero() {
			return Destination{}, fmt.Errorf("%q: write the name without its port: %q", s, a.Name)
		}
		return Destination{}, fmt.Errorf("%s: %w", strconv.Quote(s), err)
	}
	if wild {
		if err := wildcardTooWide(n); err != nil {
			return Destination{}, fmt.Errorf("%q: %w", s, err)
		}
	}
	return Destination{Name: n, Wildcard: wild}, nil
}

// parsePrefix parses an entry with a slash in it.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err == nil && !p.Addr().Is4In6() && p == p.Masked():
		return p, nil
	case err == nil && !p.Addr().Is4In6():
		return netip.Prefix{}, &HostBitsError{p}
	}
	text := s
	if _, behind, ok := strings.Cut(s, "://"); ok {
		text = behind
	}
	host, _, _ := strings.Cut(text, "/")
	if a, err := ParseAuthority(host, 1); err == nil && !a.Name.IsZero() {
		return netip.Prefix{}, fmt.Errorf("%q: write the name without scheme, port and path: %q", s, a.Name)
	}
	return netip.Prefix{}, fmt.Errorf("%q is not a prefix like 10.0.0.0/8", s)
}

// A HostBitsError is the error for a prefix with bits set after its length. Such a text
// could mean the prefix or the address.
type HostBitsError struct{ prefix netip.Prefix }

// Error names both texts that could be meant.
func (e *HostBitsError) Error() string {
	return fmt.Sprintf("%q has bits set after its prefix length: write %q or %q", e.prefix, e.prefix.Masked(), e.prefix.Addr())
}

// wildcardTooWide refuses a wildcard under which anyone can register a name: a public
// suffix, or a name whose children are all public suffixes, like kawasaki.jp.
func wildcardTooWide(n Name) error {
	if isSuffix(n.s) {
		return errors.New("anyone can register a name under this public suffix; name the domain")
	}
	if below := "any-child." + n.s; isSuffix(below) {
		return fmt.Errorf("each name below %s is a public suffix, under which anyone can register a name; name the domain", n)
	}
	return nil
}

// isSuffix reports whether a name is on the list of public suffixes, or is a top-level
// name that is not on the list.
func isSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}
