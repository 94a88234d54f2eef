// Destinations: the cell of a table that lists names and addresses.

package draft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
)

// A destCell is the content of a destination cell. If it has doubts, it has no
// destinations.
type destCell struct {
	to      []string // names, *.names, addresses and prefixes, as a profile writes them
	likely  []string // what a person probably writes, although there are doubts
	left    []string // the destinations that likely leaves out
	private bool     // a destination is an address that only a site can give
	party   string   // the words of a cell that names no host, but a party of the site, as a role has it
	port    string   // the port of a URL; "": none
	bare    bool     // a destination has no port of its own
	urls    bool     // each destination is a URL of HTTP, which runs over TCP
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
// of addresses or names; a footnote mark.
func readDestinations(text string) destCell {
	var c destCell
	var words []string
	rest, marks := unmark(text)
	rest, prefixes, ranges := addressRanges(rest)
	c.doubts, c.likely, c.urls = append(marks, ranges...), prefixes, true
	rest = bullets.ReplaceAllString(rest, "")
	for _, token := range joinRanges(strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(destBreaks, r) || r == '\u00a0' })) {
		token = unquoted(token)
		switch low := strings.ToLower(token); {
		case low == "" || low == "and" || low == "&" || low == "•":
		case !strings.ContainsAny(low, ".:") || strings.HasSuffix(low, ":"):
			words = append(words, token)
		default:
			doubts, found := len(c.doubts), len(c.to)+len(c.likely)
			if c.token(low); len(c.doubts) > doubts && len(c.to)+len(c.likely) == found {
				c.left = appendNew(c.left, token)
			}
		}
	}
	switch {
	case len(words) > 0 && len(c.to) > 0:
		c.doubts = append(c.doubts, fmt.Sprintf("there are words beside the names: %q", clean(text)))
	case len(words) > 0 && len(c.likely) == 0:
		c.doubts = append(c.doubts, fmt.Sprintf("%q is no name and no address: a role, perhaps", clean(text)))
		c.party = partyOf(words)
	case len(words) > 0:
		c.doubts = append(c.doubts, fmt.Sprintf("there are words beside the addresses: %q", clean(text)))
	}
	for _, t := range c.to {
		c.likely = appendNew(c.likely, t)
	}
	if len(c.doubts) > 0 {
		c.to = nil
	}
	c.urls = c.urls && len(c.likely) > 0
	if c.port != "" && c.bare && len(c.doubts) == 0 {
		c.doubts, c.to = append(c.doubts, fmt.Sprintf("the port %s is behind one of the destinations, and not behind another", c.port)), nil
	}
	return c
}

// partyOf returns the name of a role for the words of a cell: "syslog-server" for "Your syslog
// server". "": the words mean every host, or are too many for a name.
func partyOf(words []string) string {
	rest := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return slices.Contains([]string{"your", "the", "a", "an", "own", "local", "internal", "customer", "customer's"}, strings.ToLower(w))
	})
	every := func(w string) bool {
		return slices.Contains([]string{"any", "all", "every", "everything", "anywhere", "internet", "none", "no", "n/a", "various", "see", "below", "above"}, strings.ToLower(w))
	}
	if len(rest) == 0 || len(rest) > 4 || slices.ContainsFunc(rest, every) {
		return ""
	}
	return ruleID(strings.Join(rest, "-"))
}

// unquoted removes the quotes around a word, and the angle brackets around a whole URL. The
// brackets of "<tenant>.x.example" are a part to be filled in.
func unquoted(token string) string {
	token = strings.Trim(token, `"'“”‘’`)
	if inner, is := strings.CutPrefix(token, "<"); is && strings.HasSuffix(inner, ">") && !strings.ContainsAny(inner[:len(inner)-1], "<>") {
		token = inner[:len(inner)-1]
	}
	return strings.Trim(token, `"'“”‘’`)
}

// token reads one destination.
func (c *destCell) token(s string) {
	host, path := s, ""
	scheme, rest, isURL := strings.Cut(s, "://")
	c.urls = c.urls && isURL && (scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss")
	if isURL {
		host = rest
	} else if p, err := netip.ParsePrefix(s); err == nil && p.Masked() != p {
		c.doubts = append(c.doubts, fmt.Sprintf("%q can be one address or the network %s", s, p.Masked()))
		c.propose(p.Addr().String())
		return
	} else if network, ok := looseNetwork(s); ok {
		c.doubts = append(c.doubts, fmt.Sprintf("%q is a network: write its prefix", s))
		c.likely = appendNew(c.likely, network.String())
		return
	} else if err == nil {
		c.address(p)
		return
	}
	if at := strings.IndexByte(host, '/'); at >= 0 {
		host, path = host[:at], host[at:]
	}
	printed := path
	path = strings.TrimRight(path, "*/")
	if second, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); path != "" && !isURL && (strings.Contains(second, ".") || !strings.ContainsAny(host, ".:")) {
		c.doubts = append(c.doubts, fmt.Sprintf("%q can be a path or several names", s))
		c.propose(host)
		c.propose(second)
		return
	}
	if path != "" {
		c.remarks = append(c.remarks, fmt.Sprintf("The path %s is left out: a rule is for the whole host.", printed))
	}
	host = strings.TrimSuffix(host, ".")
	if h, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
		host = h
		if _, err := rules.ParsePort(port); err != nil {
			c.doubts = append(c.doubts, fmt.Sprintf("%q has no port after its colon", s))
			return
		}
		if c.port != "" && c.port != port {
			c.doubts = append(c.doubts, fmt.Sprintf("the destinations have different ports: %s and %s", c.port, port))
		}
		c.port = port
	} else {
		c.bare = true
	}
	if names, ok := namesOf(host); ok {
		c.doubts = append(c.doubts, fmt.Sprintf("%q is a range of names: list the names", s))
		c.likely = append(c.likely, names...)
		return
	}
	switch rest, wild := strings.CutPrefix(host, "*."); {
	case strings.ContainsAny(host, "[]{}<>()%"):
		c.doubts = append(c.doubts, fmt.Sprintf("%q has a part to be filled in: list the names that are meant", s))
	case strings.HasPrefix(host, "."):
		c.doubts = append(c.doubts, fmt.Sprintf("%q can mean every name below %s, or that name too", s, host[1:]))
		c.propose("*" + host)
	case strings.Contains(rest, "*"):
		c.doubts = append(c.doubts, fmt.Sprintf("%q has a star inside or after a label, which a rule cannot express; list the names", s))
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
	case !a.Addr.IsValid() && endsWithDigit(a.Host()):
		c.doubts = append(c.doubts, fmt.Sprintf("%q ends with a digit, as no top-level domain does: a footnote mark, perhaps", s))
		if host = strings.TrimRight(host, "0123456789"); wild {
			host = "*." + host
		}
		c.propose(host)
	case wild && a.Addr.IsValid():
		c.doubts = append(c.doubts, fmt.Sprintf("%q is not a name", s))
	case wild:
		if _, err := rules.ParseDestination("*." + a.Host()); err != nil {
			c.doubts = append(c.doubts, fmt.Sprintf("%q is too wide: %v", s, err))
			return
		}
		c.to = appendNew(c.to, "*."+a.Host())
	case a.Addr.IsValid():
		c.address(netip.PrefixFrom(a.Addr, a.Addr.BitLen()))
	default:
		c.to = appendNew(c.to, a.Host())
	}
}

// address adds an address or a prefix. A private one is a doubt: it is no address of the vendor,
// and a rule would permit it in the site's own network.
func (c *destCell) address(p netip.Prefix) {
	text := p.String()
	if p.IsSingleIP() {
		text = p.Addr().String()
	}
	if p.Bits() == 0 {
		c.doubts = append(c.doubts, fmt.Sprintf("%q is every address: list the vendor's prefixes", text))
		return
	}
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) // RFC 6598
	if a := p.Addr(); a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.Is4() && shared.Contains(a) {
		c.doubts = append(c.doubts, fmt.Sprintf("%q is private: it is an address of the site, and not of the vendor; a role stands for it, and the site binds the role to its addresses", text))
		c.private = true
		return
	}
	c.to = appendNew(c.to, text)
}

// propose adds a likely destination.
func (c *destCell) propose(s string) {
	rest, wild := strings.CutPrefix(s, "*.")
	a, err := rules.ParseHost(rest)
	switch {
	case err != nil || !strings.ContainsAny(rest, ".:") || wild && a.Addr.IsValid():
	case !a.Addr.IsValid() && endsWithDigit(a.Host()):
	case wild:
		c.likely = appendNew(c.likely, "*."+a.Host())
	default:
		c.likely = appendNew(c.likely, a.Host())
	}
}

// endsWithDigit reports whether the last label of a name ends with a digit. Top-level
// domains are letters only (RFC 3696, section 2), or the coded form of a name in another
// script.
func endsWithDigit(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last != "" && last[len(last)-1] >= '0' && last[len(last)-1] <= '9' && !strings.HasPrefix(last, "xn--")
}
