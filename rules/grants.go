// Grants: the rules in force as a list. A packet filter enforces them outside of this
// process, and cannot call Decide for every datagram.

package rules

import (
	"net/netip"
	"slices"
)

// A Grant is one rule that is in force for one client, with the choices of the site:
// addresses instead of roles, and the site's numbers for configurable ports.
type Grant struct {
	Client   *Client
	Rule     *Rule
	Names    []Destination // names and wildcards
	Prefixes []netip.Prefix
	List     *List // further names and prefixes; nil: none
	TCP, UDP Ports // without meaning if Rule.Any

	policy *Policy
	scope  *scope
	grant  *scopeRule
}

// Grants returns every rule in force, in the order of the configuration: for each
// client the rules of its profiles, then the site's own. A nil Policy has none.
func (p *Policy) Grants() []Grant {
	if p == nil {
		return nil
	}
	var out []Grant
	for _, s := range p.scopes {
		for i := range s.rules {
			r := &s.rules[i]
			if r.block != 0 {
				continue
			}
			out = append(out, Grant{
				Client: s.client, Rule: r.rule, Names: r.names, Prefixes: r.prefixes, List: r.list, TCP: r.tcp, UDP: r.udp,
				policy: p, scope: s, grant: r,
			})
		}
	}
	return out
}

// BindingTable returns the name of the table of the configuration that binds a role of
// the rule for the client.
func (g *Grant) BindingTable(role string) string {
	return g.Client.BindingTable(g.Client.profileIndex(g.Rule), role)
}

// HasNames reports whether the grant lists a name or a wildcard.
func (g *Grant) HasNames() bool { return len(g.Names) > 0 || g.List.HasNames() }

// Connects reports whether some rule in force permits the client connections to a name of the
// grant, so that a client with synthetic addresses gets one for that name.
func (g *Grant) Connects() bool {
	switch {
	case g.grant == nil:
		return false
	case g.scope.connects(g.grant):
		return true
	}
	for i := range g.scope.rules {
		r := &g.scope.rules[i]
		for _, n := range g.Names {
			if g.scope.connects(r) && g.scope.binds(r, n) {
				return true
			}
		}
	}
	return false
}

// Spread returns the grant with the entries of its list among Names and Prefixes, for
// readers that know no lists. A list may have millions of entries.
func (g Grant) Spread() Grant {
	if g.List != nil {
		g.Names = slices.AppendSeq(slices.Clone(g.Names), g.List.Names())
		g.Prefixes = slices.AppendSeq(slices.Clone(g.Prefixes), g.List.Prefixes())
		g.List = nil
	}
	return g
}

// NamesHost reports whether the grant lists n, exactly or by a wildcard.
func (g *Grant) NamesHost(n Name) bool {
	return g.grant != nil && g.scope.binds(g.grant, Destination{Name: n})
}

// Reach reports whether datagrams to n may go to dest, as Decision.Reach does for a
// flow that this rule permits. The zero Grant reaches nothing.
func (g *Grant) Reach(n Name, dest netip.AddrPort) Reason {
	if g.grant == nil || !g.NamesHost(n) {
		return NotListed
	}
	d := Decision{Verdict: Allow, Rule: g.Rule, Client: g.Client, policy: g.policy, scope: g.scope, grant: g.grant, name: n, proto: UDP}
	return d.Reach(dest)
}
