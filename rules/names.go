// Names: the exact names of a policy, which a gateway can resolve in advance.

package rules

import (
	"cmp"
	"slices"
)

// exactNames returns the names that have a place in the table of synthetic addresses.
func (p *Policy) exactNames(s Synthetic) []Name {
	if len(s.Prefixes()) == 0 {
		return nil
	}
	return p.Names()
}

// Names returns every exact name of a rule in force, each once, sorted. A gateway
// can resolve them before a client asks. It leaves out the names of lists, because these
// may be millions.
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
