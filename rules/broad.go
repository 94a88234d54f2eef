// Broad: warns of rules of documents that permit every protocol and port of a destination.

package rules

import "fmt"

// BroadRules returns a warning for each rule in force that a document has with "any
// = true". A document may print ALL where the site needs one port only; no other
// rule of a profile permits more. The file is that of the configuration.
func (p *Policy) BroadRules(file string) (out Problems) {
	for _, g := range p.Grants() {
		if !g.Rule.Any || g.Rule.Profile == SiteProfile || len(g.Names)+len(g.Prefixes) == 0 {
			continue
		}
		cp := &g.Client.Profiles[g.Client.profileIndex(g.Rule)]
		out = append(out, Problem{File: file, Line: cp.Lines.Table, Warning: true, Text: fmt.Sprintf(
			"client %q: rule %s permits every protocol and port of %s and is the broadest rule of its profiles: if the site does not need it, leave it out with without = [%q] beside the profile; if it needs a few ports, permit them in a [[rule]]",
			g.Client.Name, g.Rule, g.Rule.To[0], g.Rule.ID)})
	}
	return out
}
