// Datagrams: warns of rules for UDP to names, which need live sets.

package nftables

import (
	"fmt"
	"strings"

	"sallyport/rules"
	"sallyport/rules/site"
)

// DatagramsToNames warns of rules in force that let datagrams pass to names. The packet
// filter forwards by address, so they pass only while sallyport keeps the addresses of the
// names in sets. With TPROXY sallyport carries the datagrams itself. Without a listener for
// REDIRECT there is no warning.
func DatagramsToNames(cfg *site.Config, policy *rules.Policy) (out rules.Problems) {
	if len(cfg.Listen.Transparent) == 0 {
		return nil
	}
	for _, g := range policy.Grants() {
		if what, _ := passedPorts(g); what == "" || !g.HasNames() {
			continue
		}
		out = append(out, warnOfDatagrams(cfg, g, ": the packet filter knows the addresses of names only while sallyport runs with --live-sets; if it does, give check --live-sets too"))
	}
	return out
}

// DatagramsWithoutWay warns of each client whose rules in force permit datagrams, if the
// configuration has no listener through which datagrams of a client could go. The look-ups of
// the DNS listener are no such datagrams.
func DatagramsWithoutWay(cfg *site.Config, policy *rules.Policy) (out rules.Problems) {
	l := cfg.Listen
	if len(l.SOCKS5) > 0 || l.Redirected() {
		return nil
	}
	var of []*rules.Client
	stuck := map[*rules.Client][]string{}
	for _, g := range policy.Grants() {
		if len(g.UDP) == 0 || g.Rule.Any || len(l.DNS) > 0 && g.UDP.String() == "53" {
			continue
		}
		if stuck[g.Client] == nil {
			of = append(of, g.Client)
		}
		stuck[g.Client] = append(stuck[g.Client], fmt.Sprintf("%s (udp %s)", g.Rule, g.UDP))
	}
	for _, c := range of {
		names := stuck[c]
		if more := len(names) - mostStuck; more > 0 {
			names = append(names[:mostStuck:mostStuck], fmt.Sprintf("%d more", more))
		}
		out = append(out, rules.Problem{File: cfg.File, Line: c.Line, Warning: true, Text: fmt.Sprintf("client %q: no listener carries datagrams, so they never pass by %s: %s; a way is [listen] socks5 for clients with SOCKS5 (UDP ASSOCIATE), or tproxy or transparent with the packet filter of sallyport nft",
			c.Name, rules.Noun(len(stuck[c]), "this rule", "these rules"), oneLine(strings.Join(names, ", ")))})
	}
	return out
}

// mostStuck is the number of rules that the warning lists.
const mostStuck = 8

// warnOfDatagrams returns the warning of a grant for datagrams to names. Its line is the one of the
// site's rule, or of the client whose profile has the rule.
func warnOfDatagrams(cfg *site.Config, g rules.Grant, why string) rules.Problem {
	line := g.Rule.Line
	if g.Rule.Profile != rules.SiteProfile {
		line = g.Client.Line
	}
	return rules.Problem{File: cfg.File, Line: line, Warning: true,
		Text: fmt.Sprintf("client %q: rule %s permits datagrams to %s%s", g.Client.Name, g.Rule, namesOf(g), why)}
}

// namesOf lists the names of a grant, and the files of its list, in one line.
func namesOf(g rules.Grant) string {
	var names []string
	for _, d := range g.Names {
		names = append(names, d.String())
	}
	if g.List.HasNames() {
		names = append(names, "the names of "+strings.Join(g.List.Files(), ", "))
	}
	return oneLine(strings.Join(names, ", "))
}
