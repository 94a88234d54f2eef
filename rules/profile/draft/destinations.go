// Destinations: the cell of a table that lists names and addresses.

package draft

import (
	"fmt"
	"net/netip"
	"strings"

	"sallyport/rules"
)

// A destCell is the content of a destination cell. If it has doubts, it has no
// destinations.
type destCell struct {
	to      []string // names, *.names, addresses and prefixes, as a profile writes them
	port    string   // the port of a URL; "": none
	doubts  []string
	remarks []string
}

// destBreaks separate the destinations of a cell.
const destBreaks = " \t\r\n,;"

// readDestinations reads a destination cell, which may have several destinations. Other
// words in the cell are a doubt: "all but x.example" must not permit x.example.
//
// For a URL, the host is the destination. The forms "*.x.example" and "x.example/*" are
// read too. These forms are doubts: ".x.example", which for some vendors is x.example
// too; a star within a label; a part in brackets that the reader must fill in; a range
// of addresses.
func readDestinations(text string) destCell {
	var c destCell
	var words []string
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(destBreaks, r) || r == '\u00a0' }) {
		token = strings.Trim(token, `"'<>“”‘’`)
		switch low := strings.ToLower(token); {
		case low == "" || low == "and" || low == "&" || low == "•" || low == "-":
		case !strings.ContainsAny(low, ".:") || strings.HasSuffix(low, ":"):
			words = append(words, token)
		default:
			c.token(low)
		}
	}
	switch {
	case len(words) > 0 && len(c.to) > 0:
		c.doubts = []string{fmt.Sprintf("there are words beside the names: %q", clean(text))}
	case len(words) > 0:
		c.doubts = []string{fmt.Sprintf("%q is no name and no address: a role, perhaps", clean(text))}
	}
	if len(c.doubts) > 0 {
		c.to = nil
	}
	return c
}

// token reads one destination.
func (c *destCell) token(s string) {
	host, path := s, ""
	if _, rest, ok := strings.Cut(s, "://"); ok {
		host = rest
	} else if p, err := netip.ParsePrefix(s); err == nil {
		c.to = appendNew(c.to, p.Masked().String())
		return
	}
	if at := strings.IndexByte(host, '/'); at >= 0 {
		host, path = host[:at], strings.TrimRight(host[at:], "*/")
	}
	if path != "" {
		c.remarks = append(c.remarks, fmt.Sprintf("the path %s is left out: a rule is for the whole host", path))
	}
	host = strings.TrimSuffix(host, ".")
	if h, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
		host = h
		if _, err := rules.ParsePort(port); err != nil {
			c.doubts = append(c.doubts, fmt.Sprintf("%q has no port after its colon", s))
			return
		}
		c.port = port
	}
	switch rest, wild := strings.CutPrefix(host, "*."); {
	case strings.ContainsAny(host, "[]{}<>()%"):
		c.doubts = append(c.doubts, fmt.Sprintf("%q has a part to be filled in: list the names that are meant", s))
	case strings.HasPrefix(host, "."):
		c.doubts = append(c.doubts, fmt.Sprintf("%q can mean every name below %s, or that name too", s, host[1:]))
	case strings.Contains(rest, "*"):
		c.doubts = append(c.doubts, fmt.Sprintf("%q has a star inside or after a label, which a rule cannot express; list the names", s))
	case isRange(host):
		c.doubts = append(c.doubts, fmt.Sprintf("%q is a range: write its prefixes", s))
	default:
		c.named(s, rest, wild)
	}
}

// named adds a host that has the form of a name or an address.
func (c *destCell) named(s, host string, wild bool) {
	a, err := rules.ParseHost(host)
	switch {
	case err != nil:
		c.doubts = append(c.doubts, fmt.Sprintf("%q is not a name: %v", s, err))
	case wild && a.Addr.IsValid():
		c.doubts = append(c.doubts, fmt.Sprintf("%q is not a name", s))
	case wild:
		c.to = appendNew(c.to, "*."+a.Host())
	case a.Addr.IsValid():
		c.to = appendNew(c.to, a.Addr.String())
	default:
		c.to = appendNew(c.to, a.Host())
	}
}

// isRange reports whether s is two addresses with a hyphen between.
func isRange(s string) bool {
	first, last, ok := strings.Cut(strings.ReplaceAll(s, "–", "-"), "-")
	if !ok {
		return false
	}
	_, err := netip.ParseAddr(first)
	return err == nil && last != ""
}
