// Names: which names a policy permits by themselves, to be resolved ahead.

package rules

import (
	"cmp"
	"slices"
)

// Names lists every exact name of a rule in force, each once, sorted. They are
// what a gateway can resolve before anybody asks.
func (p *Policy) Names() []Name {
	var out []Name
	for _, s := range p.scopes {
		for i := range s.rules {
			if s.rules[i].block != 0 {
				continue
			}
			for _, d := range s.rules[i].names {
				if !d.Wildcard {
					out = append(out, d.Name)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Name) int { return cmp.Compare(a.s, b.s) })
	return slices.Compact(out)
}
