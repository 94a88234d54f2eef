// Private: warns of permitted names whose addresses the policy refuses as private.

package site

import (
	"fmt"
	"net/netip"
	"slices"

	"sallyport/rules"
)

// CheckPrivate warns of names that a rule permits although connections to them are denied as
// private_address: those to which [hosts] gives only addresses that the policy refuses, and
// those of an internal zone, if the configuration permits no private address for them.
func (c *Config) CheckPrivate(policy *rules.Policy) (out rules.Problems) {
	const cure = "list the address in [resolve] private, or beside the name in the rule or the binding"
	said := map[string]bool{}
	warn := func(line int, key, format string, args ...any) {
		if !said[key] {
			said[key] = true
			out = append(out, rules.Problem{File: c.File, Line: line, Warning: true, Text: fmt.Sprintf(format, args...) + ": " + cure})
		}
	}
	private := c.privateHosts()
	for _, g := range policy.Grants() {
		for name, addrs := range private {
			refused := func(a netip.Addr) bool { return g.Reach(name, netip.AddrPortFrom(a, 443)) == rules.PrivateAddress }
			if g.NamesHost(name) && !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !refused(a) }) {
				warn(c.lines[hostsKey(name)], hostsKey(name), "hosts: %s is %v, so connections to it by rule %s of client %q are denied as private_address", name, addrs[0], g.Rule, g.Client.Name)
			}
		}
		if len(c.Private) > 0 || slices.ContainsFunc(g.Prefixes, rules.SpecialPrefix) {
			continue
		}
		for _, d := range g.Names {
			i := slices.IndexFunc(c.DNS.Zones, func(z Zone) bool { return d.Name == z.Suffix || d.Name.Below(z.Suffix) })
			if _, fixed := c.Hosts[d.Name]; i >= 0 && !fixed {
				line := g.Rule.Line
				if g.Rule.Profile != rules.SiteProfile {
					line = g.Client.Line
				}
				warn(line, fmt.Sprint(line, d), "rule %s of client %q: %s is in the internal zone %s; if its address is private, connections to it are denied as private_address", g.Rule, g.Client.Name, d, c.DNS.Zones[i].Suffix)
			}
		}
	}
	return out.Sorted()
}

// privateHosts returns the names of [hosts] whose addresses are all special.
func (c *Config) privateHosts() map[rules.Name][]netip.Addr {
	out := map[rules.Name][]netip.Addr{}
	for name, addrs := range c.Hosts {
		if len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !rules.Special(a) }) {
			out[name] = addrs
		}
	}
	return out
}

// hostsKey is the key of a name of [hosts] among the lines of a configuration.
func hostsKey(name rules.Name) string { return "hosts " + name.String() }
