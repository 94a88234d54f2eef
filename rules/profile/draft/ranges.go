// Ranges: ranges of addresses and of names, which become a doubt with the exact list.

package draft

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sallyport/rules"
)

// maxNames is how many names of a range a draft proposes.
const maxNames = 64

// rangeWord is what stands between the two ends of a range.
const rangeWord = `\s*(?:-|–|—|−|~|～|→|->|\.{2,3}|…|至|到|\b(?:to|bis|through|thru|until|a|à)\b)\s*`

var (
	addressRange = regexp.MustCompile(`(?i)([0-9]+(?:\.[0-9]+){3}|[0-9a-f]*:[0-9a-f:.]*[0-9a-f:])` + rangeWord + `([0-9a-f]*:[0-9a-f:.]*[0-9a-f:]|[0-9]+(?:\.[0-9]+){0,3})`)
	// nameRange is "host[1-4].x.example", "host{1..4}.x.example", "host1..4.x.example"
	// and "host1-4.x.example".
	nameRange = regexp.MustCompile(`^((?:[\pL0-9-]+\.)*[\pL0-9-]*?)[\[({<]?([0-9]+)(?:-|–|\.{2,3}|…|~)([0-9]+)[\])}>]?(\..+)$`)
	// bullets begin a line of a list.
	bullets = regexp.MustCompile(`(?m)^[ \t]*[-–—•·▪‣◦][ \t]+`)
)

// addressRanges takes every range of addresses out of a cell. It returns the rest, the
// exact prefixes of the ranges, and a doubt for each range.
func addressRanges(cell string) (rest string, prefixes, doubts []string) {
	rest = addressRange.ReplaceAllStringFunc(cell, func(found string) string {
		m := addressRange.FindStringSubmatch(found)
		first, err := netip.ParseAddr(m[1])
		if err != nil {
			return found
		}
		last, err := netip.ParseAddr(lastOf(m[1], m[2]))
		if err != nil || last.Is4() != first.Is4() || last.Less(first) {
			doubts = append(doubts, fmt.Sprintf("%q is not a range of addresses: its end is not after its beginning", clean(m[0])))
		} else {
			doubts = append(doubts, fmt.Sprintf("%q is a range: write its prefixes", clean(m[0])))
			prefixes = append(prefixes, prefixesOf(first, last)...)
		}
		return " "
	})
	return rest, prefixes, doubts
}

// lastOf completes the end of a range: "10.1.1.1-20" ends at 10.1.1.20.
func lastOf(first, last string) string {
	if strings.Contains(last, ":") || strings.Contains(first, ":") {
		return last
	}
	octets, end := strings.Split(first, "."), strings.Split(last, ".")
	return strings.Join(append(octets[:4-len(end)], end...), ".")
}

// prefixesOf returns the fewest prefixes that contain first to last and nothing else.
func prefixesOf(first, last netip.Addr) []string {
	var out []string
	for {
		p := netip.PrefixFrom(first, first.BitLen())
		for p.Bits() > 0 {
			wider := netip.PrefixFrom(first, p.Bits()-1).Masked()
			if wider.Addr() != first || last.Less(lastAddr(wider)) {
				break
			}
			p = wider
		}
		if p.IsSingleIP() {
			out = append(out, first.String())
		} else {
			out = append(out, p.String())
		}
		end := lastAddr(p)
		if end == last {
			return out
		}
		first = end.Next()
	}
}

// lastAddr returns the last address of a prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// looseNetwork reads a network that is not written as a prefix: "10.1.0.0/255.255.0.0",
// "10.1.x.x", "10.1.*".
func looseNetwork(s string) (netip.Prefix, bool) {
	if base, mask, ok := strings.Cut(s, "/"); ok {
		a, err1 := netip.ParseAddr(base)
		m, err2 := netip.ParseAddr(mask)
		if err1 != nil || err2 != nil || !a.Is4() || !m.Is4() {
			return netip.Prefix{}, false
		}
		b := m.As4()
		bits := 0
		for bits < 32 && b[bits/8]&(0x80>>(bits%8)) != 0 {
			bits++
		}
		p := netip.PrefixFrom(a, bits).Masked()
		return p, m == netip.AddrFrom4(maskOf(bits)) && p.Addr() == a
	}
	var octets []string
	labels := strings.Split(s, ".")
	for i, l := range labels {
		if wild := strings.Trim(l, "x*") == "" && l != ""; !wild && len(octets) < i || len(labels) > 4 {
			return netip.Prefix{}, false
		} else if !wild {
			octets = append(octets, l)
		}
	}
	known := len(octets)
	if known == 0 || known == len(labels) {
		return netip.Prefix{}, false
	}
	a, err := netip.ParseAddr(strings.Join(append(octets, []string{"0", "0", "0"}[:4-known]...), "."))
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, known*8), true
}

// maskOf returns the IPv4 mask of a number of bits.
func maskOf(bits int) (mask [4]byte) {
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// namesOf returns the names of a range of names. It returns nil if s is a plain name, or
// if the range has too many names.
func namesOf(s string) (names []string, ok bool) {
	m := nameRange.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	plain := m[1]+m[2]+"-"+m[3]+m[4] == s
	first, err1 := strconv.Atoi(m[2])
	last, err2 := strconv.Atoi(m[3])
	if plain && (err1 != nil || err2 != nil || last <= first || m[1] == "" || strings.ContainsAny(m[1][len(m[1])-1:], "-.0123456789")) {
		return nil, false // a name such as "ec2-10-20.example"
	}
	if err1 != nil || err2 != nil || last <= first || last-first >= maxNames {
		return nil, true
	}
	for i := first; i <= last; i++ {
		name := fmt.Sprintf("%s%0*d%s", m[1], len(m[2]), i, m[4])
		a, err := rules.ParseHost(name)
		if err != nil || a.Addr.IsValid() {
			return nil, true
		}
		names = append(names, a.Host())
	}
	return names, true
}

// numbered is a name whose first label ends with a number.
var numbered = regexp.MustCompile(`^([A-Za-z-]*[A-Za-z])([0-9]+)(\..+)$`)

// joinRanges makes one range of "a1.x.example - a3.x.example", as namesOf reads it.
func joinRanges(tokens []string) (out []string) {
	for i := 0; i < len(tokens); i++ {
		if i+2 < len(tokens) && slices.Contains([]string{"-", "–", "—", "to", "through"}, tokens[i+1]) {
			first, last := numbered.FindStringSubmatch(tokens[i]), numbered.FindStringSubmatch(tokens[i+2])
			if first != nil && last != nil && first[1] == last[1] && first[3] == last[3] {
				out = append(out, first[1]+first[2]+"-"+last[2]+first[3])
				i += 2
				continue
			}
		}
		out = append(out, tokens[i])
	}
	return out
}
