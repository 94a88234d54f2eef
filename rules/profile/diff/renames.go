// Renames: which rule of the new revision is a rule of the old one with another id. An id is often
// made of the destination, so that a row whose destination was renamed gets another one.

package diff

import (
	"slices"

	"sallyport/rules"
)

// renames returns the old rule of each new rule that is plainly the same row: all but the id is
// equal, or the destinations, or the ports and the purpose. Of several candidates for the latter two,
// none is plain.
func renames(r *Result, was, is map[string]*rules.Rule) map[*rules.Rule]*rules.Rule {
	var gone, come []*rules.Rule
	for _, o := range r.Old.Rules {
		if is[o.ID] == nil {
			gone = append(gone, o)
		}
	}
	for _, n := range r.New.Rules {
		if was[n.ID] == nil {
			come = append(come, n)
		}
	}
	out, taken := map[*rules.Rule]*rules.Rule{}, map[*rules.Rule]bool{}
	for pass, same := range []func(o, n *rules.Rule) bool{
		func(o, n *rules.Rule) bool { return len(ruleFields(r.Old, r.New, o, n)) == 0 },
		func(o, n *rules.Rule) bool {
			return r.equalBut(o, n, "tcp", "udp", "any", "purpose", "note", "section")
		},
		func(o, n *rules.Rule) bool { return o.Purpose != "" && r.equalBut(o, n, "to", "note", "section") },
	} {
		for _, n := range come {
			var found []*rules.Rule
			for _, o := range gone {
				if !taken[o] && same(o, n) {
					found = append(found, o)
				}
			}
			rivals := 0
			for _, other := range come {
				if len(found) > 0 && out[other] == nil && same(found[0], other) {
					rivals++
				}
			}
			if out[n] == nil && len(found) > 0 && (pass == 0 || len(found) == 1 && rivals == 1) {
				out[n], taken[found[0]] = found[0], true
			}
		}
	}
	return out
}

// equalBut reports whether two rules differ in nothing else than some fields.
func (r *Result) equalBut(o, n *rules.Rule, fields ...string) bool {
	return !slices.ContainsFunc(ruleFields(r.Old, r.New, o, n), func(f Field) bool { return !slices.Contains(fields, f.Name) })
}

// Gone returns the rules of the old revision that the new one does not have under their id: the
// removed ones, and those that were renamed and reach something else now.
func (r *Result) Gone() (out []*rules.Rule) {
	for _, c := range r.Rules {
		switch {
		case c.Kind == Removed:
			out = append(out, c.Rule)
		case c.Kind == Renamed && !r.equalBut(c.old, c.Rule, "purpose", "note", "section"):
			out = append(out, c.old)
		}
	}
	return out
}
