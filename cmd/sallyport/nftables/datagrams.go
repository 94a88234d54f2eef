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
		if what, _ := passedPorts(g); what == "" || len(g.Names) == 0 {
			continue
		}
		line := g.Rule.Line
		if g.Rule.Profile != rules.SiteProfile {
			line = g.Client.Line
		}
		var names []string
		for _, d := range g.Names {
			names = append(names, d.String())
		}
		out = append(out, rules.Problem{File: cfg.File, Line: line, Warning: true, Text: fmt.Sprintf(
			"client %q: rule %s permits datagrams to %s: the packet filter knows the addresses of names only while sallyport runs with --live-sets; if it does, give check --live-sets too",
			g.Client.Name, g.Rule, oneLine(strings.Join(names, ", ")))})
	}
	return out
}
