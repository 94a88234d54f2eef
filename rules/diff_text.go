// The text of a Gain: one line.

package rules

import "strings"

// String returns the gain on one line: the rule, the destination, and what is permitted
// there. It leaves out Client and From.
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

// Where returns the text of the destination; "" if the gain has none.
func (g Gain) Where() string {
	switch {
	case g.To.IsZero():
		return ""
	case g.At.IsZero():
		return g.To.String()
	}
	return g.To.String() + " at " + g.At.String()
}

// What returns the text of what is permitted there.
func (g Gain) What() string {
	switch {
	case g.Audit:
		return `mode "audit": attempts that no rule permits are let through and recorded`
	case !g.Private.IsZero():
		return "[resolve] private: permitted names may resolve to " + g.Private.String()
	case g.Setting == "ech":
		return `ech is no longer "deny": a TLS client may hide the name that it asks for`
	case g.Setting == "strict_destination":
		return "strict_destination is off: a redirected flow may go to an address that its name does not have"
	case g.Setting == "dnssec log":
		return `dnssec is no longer "require": permitted names may resolve to addresses that DNSSEC does not prove, which is recorded`
	case g.Setting == "dnssec off":
		return `dnssec is "off": permitted names may resolve to addresses that DNSSEC does not prove, and nothing is recorded`
	case g.Setting == "nat64 "+DiscoverNAT64:
		return "NAT64 prefixes are no longer discovered: addresses in them count as public, whatever IPv4 address is inside"
	case strings.HasPrefix(g.Setting, "nat64 "):
		return g.Setting[len("nat64 "):] + " is no longer a NAT64 prefix: its addresses count as public, whatever IPv4 address is inside"
	case g.Setting != "":
		return g.Setting + " is no longer a listener of sallyport: it is a destination like any other"
	case g.Any:
		return "every protocol and port, whatever the content"
	}
	parts := ProtoPorts(g.TCP, g.UDP)
	if g.Zone {
		parts = append(parts, "look-ups through its [[dns.zone]], private answers included")
	} else if len(parts) == 0 {
		parts = append(parts, "look-ups")
	}
	return strings.Join(parts, "; ")
}

// String returns the region as text.
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
