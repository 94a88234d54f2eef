// Parent, datagrams: warns of rules for datagrams where a parent carries the connections.

package site

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// CheckDatagrams warns of rules in force that permit datagrams to a client whose connections go
// through a parent. No parent carries datagrams: they leave the gateway straight to their
// destinations. Without a listener through which datagrams come there is no warning.
func (c *Config) CheckDatagrams(policy *rules.Policy) (out rules.Problems) {
	if len(c.Listen.SOCKS5)+len(c.Listen.Transparent)+len(c.Listen.TPROXY) == 0 {
		return nil
	}
	const why = "no parent carries datagrams, so they leave this host straight to their destinations"
	ofProfiles := map[*rules.Client][]string{}
	for _, g := range policy.Grants() {
		switch {
		case g.Route() == nil || !permitsDatagrams(g):
		case g.Rule.Profile == rules.SiteProfile:
			out = append(out, rules.Problem{File: c.File, Line: g.Rule.Line, Warning: true,
				Text: fmt.Sprintf("client %q: rule %s permits datagrams: %s: if that way is open, write parent = %q into the rule", g.Client.Name, g.Rule, why, rules.RouteDirect)})
		default:
			ofProfiles[g.Client] = append(ofProfiles[g.Client], g.Rule.String())
		}
	}
	for client, listed := range ofProfiles {
		slices.Sort(listed)
		what := "rules %s permit datagrams"
		if listed = slices.Compact(listed); len(listed) > mostListed {
			listed = append(listed[:mostListed], fmt.Sprintf("and %d more", len(listed)-mostListed))
		}
		if len(listed) == 1 {
			what = "rule %s permits datagrams"
		}
		out = append(out, rules.Problem{File: c.File, Line: client.Line, Warning: true,
			Text: fmt.Sprintf("client %q: "+what+": %s: open that way, or leave out with without what the site does not need", client.Name, strings.Join(listed, ", "), why)})
	}
	return out.Sorted()
}

// permitsDatagrams reports whether a grant permits datagrams other than DNS, which the DNS filter
// answers.
func permitsDatagrams(g rules.Grant) bool {
	if len(g.Names)+len(g.Prefixes) == 0 && g.List == nil {
		return false // the site has not bound the party
	}
	return g.Rule.Any || slices.ContainsFunc(g.UDP, func(r rules.PortRange) bool { return r.First != 53 || r.Last != 53 })
}
