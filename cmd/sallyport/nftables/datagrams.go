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
