// Diff in words: one line for each gain.

package rules

import "strings"

// String spells the gain on one line: the rule, the destination, and what is
// permitted there. Whose gain it is, Client and From say.
func (g Gain) String() string {
	if g.To.IsZero() {
		return g.What()
	}
	s := g.Where() + ": " + g.What()
	if g.Rule != nil {
		s = g.Rule.String() + ": " + s
	}
	return s
}

// Where spells the destination; "": the gain is about none.
func (g Gain) Where() string {
	switch {
	case g.To.IsZero():
		return ""
	case g.At.IsZero():
		return g.To.String()
	}
	return g.To.String() + " at " + g.At.String()
}

// What spells what is gained there.
func (g Gain) What() string {
	switch {
	case g.Audit:
		return `mode "audit": whatever no rule permits is let through, and recorded`
	case !g.Private.IsZero():
		return "[resolve] private: permitted names may resolve to " + g.Private.String()
	case g.Setting == "ech":
		return `ech is not "deny" any more: a TLS client may hide the name that it wants`
	case g.Setting == "strict_destination":
		return "strict_destination is off: a redirected flow may have been headed to an address that is none of its name's"
	case g.Setting == "nat64 "+DiscoverNAT64:
		return "NAT64 prefixes are not discovered any more: addresses below them are public ones, whatever IPv4 address is inside"
	case strings.HasPrefix(g.Setting, "nat64 "):
		return g.Setting[len("nat64 "):] + " is no NAT64 prefix any more: its addresses are public ones, whatever IPv4 address is inside"
	case g.Setting != "":
		return g.Setting + " is no listener of sallyport's any more, and like any other destination"
	case g.Any:
		return "every protocol and port, whatever it carries"
	}
	var parts []string
	if len(g.TCP) > 0 {
		parts = append(parts, "tcp "+g.TCP.String())
	}
	if len(g.UDP) > 0 {
		parts = append(parts, "udp "+g.UDP.String())
	}
	if g.Zone {
		parts = append(parts, "look-ups through its [[dns.zone]], private answers included")
	} else if len(parts) == 0 {
		parts = append(parts, "look-ups")
	}
	return strings.Join(parts, "; ")
}

// String spells the region.
func (r Region) String() string {
	if len(r.Except) == 0 {
		return r.Of.String()
	}
	parts := make([]string, len(r.Except))
	for i, d := range r.Except {
		parts[i] = d.String()
	}
	return r.Of.String() + ", but not " + strings.Join(parts, ", ")
}
