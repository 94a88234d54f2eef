// Synthetic: describes the synthetic addresses of the policy in force, for people and metrics.

package gateway

import (
	"fmt"
	"strings"

	"sallyport/rules"
)

// describeSynthetic describes the synthetic addresses in one line; "" if names have none.
func (g *Gateway) describeSynthetic() string {
	policy := g.live.Policy()
	if !policy.HasSynthetic() {
		return ""
	}
	var prefixes []string
	all := policy.Synthetic()
	for _, p := range all.Prefixes() {
		prefixes = append(prefixes, p.String())
	}
	names, later := policy.SyntheticNames()
	text := fmt.Sprintf("%s: %s of rules, and %s below wildcards that clients asked for", strings.Join(prefixes, ", "),
		rules.Counted(names, "name", "names"), rules.Counted(g.filter.SyntheticNames(), "name", "names"))
	if later > 0 {
		text += "; " + rules.Counted(later, "address", "addresses") + " by a later choice, because two names wanted the same one"
	}
	return text
}

// exportSynthetic sends how many names have synthetic addresses.
func (g *Gateway) exportSynthetic(e exporter) {
	policy := g.live.Policy()
	if !policy.HasSynthetic() {
		return
	}
	names, later := policy.SyntheticNames()
	e.send("sallyport_synthetic_names", float64(names), "exact")
	e.send("sallyport_synthetic_names", float64(g.filter.SyntheticNames()), "asked")
	e.send("sallyport_synthetic_later_choices", float64(later))
}
