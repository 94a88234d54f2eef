// Text: identifiers, comments and addresses, as no format can misread them.

package export

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sallyport/rules"
)

// widest is the number of octets of a text in one line of comment. Programs read lines of a
// limited length: Squid takes what is behind the first 8,191 octets for a line of its own.
const widest = 900

// commentf writes a text as comments, behind begin: the indentation and the comment
// character. A long text has several lines, each but the first with "…" in front.
func commentf(b *bytes.Buffer, begin, format string, args ...any) {
	part, rest := cut(oneLine(fmt.Sprintf(format, args...)))
	fmt.Fprintf(b, "%s%s\n", begin, oneLine(part))
	for rest != "" {
		part, rest = cut(rest)
		fmt.Fprintf(b, "%s… %s\n", begin, oneLine(part))
	}
}

// cut divides a text: the first part has at most widest octets, and ends before a space if
// there is one in the second half.
func cut(s string) (part, rest string) {
	if len(s) <= widest {
		return s, ""
	}
	at := widest
	for !utf8.RuneStart(s[at]) {
		at--
	}
	if space := strings.LastIndexByte(s[:at], ' '); space > widest/2 {
		at = space
	}
	return s[:at], strings.TrimSpace(s[at:])
}

// oneLine returns a text that stays inside a comment: every character that could end a
// line or hide a part of it becomes a space. A backslash at the end would join the next
// line to the comment, so it is followed by a full stop.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if strings.HasSuffix(s, `\`) {
		s += "."
	}
	return s
}

// tag returns an identifier for a client: lower-case letters, digits and hyphens, at most
// 24 characters, with a letter first. Different names give different identifiers, because
// a name that has to be changed gets a hash.
func tag(name string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	letter := plain != "" && 'a' <= plain[0] && plain[0] <= 'z'
	if plain == name && len(name) <= 24 && letter && !strings.HasSuffix(name, "-") {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("c%s-%08x", plain[:min(len(plain), 12)], h.Sum32())
}

// address returns a prefix as most programs write it: without the length if it is one
// address.
func address(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// families divides prefixes into IPv4 and IPv6, each sorted. It leaves out each prefix
// that another prefix covers.
func families(prefixes []netip.Prefix) (v4, v6 []string) {
	sorted := slices.SortedFunc(slices.Values(prefixes), netip.Prefix.Compare)
	var last netip.Prefix
	for _, p := range sorted {
		if last.IsValid() && rules.Covers(last, p) {
			continue
		}
		last = p
		if p.Addr().Is4() {
			v4 = append(v4, address(p))
		} else {
			v6 = append(v6, address(p))
		}
	}
	return v4, v6
}

// names divides the names of a rule into exact names and the domains of wildcards. It
// leaves out each name that a wildcard of the same rule covers.
func names(g *rules.Grant) (exact, below []rules.Name) {
	wild, seen := map[rules.Name]bool{}, map[rules.Destination]bool{}
	for _, d := range g.Names {
		if d.Wildcard {
			wild[d.Name] = true
		}
	}
	for _, d := range g.Names {
		if seen[d] || covered(wild, d.Name) {
			continue
		}
		seen[d] = true
		if d.Wildcard {
			below = append(below, d.Name)
		} else {
			exact = append(exact, d.Name)
		}
	}
	return exact, below
}

// covered reports whether a name is below one of the domains.
func covered(domains map[rules.Name]bool, n rules.Name) bool {
	for n = n.Parent(); !n.IsZero(); n = n.Parent() {
		if domains[n] {
			return true
		}
	}
	return false
}

// needs returns the ports of a rule in words.
func needs(g *rules.Grant) string {
	if g.Rule.Any {
		return "every protocol and port"
	}
	return strings.Join(rules.ProtoPorts(g.TCP, g.UDP), "; ")
}

// both returns the prefixes of both families, IPv4 first.
func both(prefixes []netip.Prefix) []string {
	v4, v6 := families(prefixes)
	return append(v4, v6...)
}
