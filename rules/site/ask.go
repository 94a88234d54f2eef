// Ask: a question to the policy of a configuration, as a front end would ask it, without
// touching the network.

package site

import (
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
)

// Question returns the attempt that a front end would make for a host and a port from an
// address. A host that is not a name is a question too: its answer is malformed_name.
func Question(from netip.Addr, proto rules.Proto, host string, port uint16) rules.Attempt {
	a := rules.Attempt{Client: netip.AddrPortFrom(from, 0), Provisional: true, Proto: proto, Via: rules.ViaConnect}
	if proto == rules.UDP {
		a.Via = rules.ViaUDP
	}
	text := host
	if in, ok := strings.CutPrefix(text, "["); ok && strings.Contains(in, ":") {
		text = strings.TrimSuffix(in, "]") // [::1], as people copy it
	}
	h, err := rules.ParseHost(text)
	if err != nil {
		a.Fault, a.Detail, a.Raw = rules.MalformedName, err.Error(), []byte(host)
	}
	a.Authority, a.Dest = h.Name, netip.AddrPortFrom(h.Addr, port)
	return a
}

// Ask returns the decision of a policy on an attempt, and the attempt that was
// decided last. A synthetic address stands for its name. If the policy permits a name that [hosts] gives addresses, Ask
// asks about each address: the gateway reaches the name if it reaches one of these
// addresses.
func (c *Config) Ask(policy *rules.Policy, a rules.Attempt) (rules.Attempt, rules.Decision) {
	if name, ok := policy.SyntheticName(a.Dest.Addr()); ok && a.Authority.IsZero() {
		a.Authority, a.Dest = name, netip.AddrPortFrom(netip.Addr{}, a.Dest.Port())
	}
	asked, d := a, policy.Decide(a)
	if !d.Allowed() || a.Authority.IsZero() {
		return asked, d
	}
	for _, addr := range c.Hosts[a.Authority] {
		asked.Dest = netip.AddrPortFrom(addr, a.Dest.Port())
		if d = policy.Decide(asked); d.Allowed() {
			break
		}
	}
	return asked, d
}

// DNSSECFor returns [dns] dnssec if it holds for a name: "log" or "require". It returns ""
// for names in [hosts] and in zones, which need no proof, and for no name.
func (c *Config) DNSSECFor(name rules.Name) string {
	inZone := slices.ContainsFunc(c.DNS.Zones, func(z Zone) bool { return name == z.Suffix || name.Below(z.Suffix) })
	if c.DNS.DNSSEC == "off" || name.IsZero() || inZone || c.Hosts[name] != nil {
		return ""
	}
	return c.DNS.DNSSEC
}

// anywhere is an address for a client without sources (RFC 5737).
var anywhere = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// SourceOf returns an address that the policy recognizes as the client, with all that it demands. It reports false
// if earlier clients cover the first and the last address of every source.
func SourceOf(policy *rules.Policy, cl *rules.Client) (netip.Addr, bool) {
	identity := cl.Demanded()
	if len(cl.Sources) == 0 && policy.ClientAs(anywhere, identity) == cl {
		return anywhere, true
	}
	for _, p := range cl.Sources {
		for _, a := range []netip.Addr{p.Addr(), lastAddr(p)} {
			if policy.ClientAs(a, identity) == cl {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

// lastAddr returns the last address of a prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
