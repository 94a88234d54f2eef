// Match: which rule or NOTE of one file is the same row of the document as one of another file.

package merge

import (
	"slices"
	"strings"
)

// match fills became and made.
func (m *merger) match() {
	m.became, m.made = map[*entry]*entry{}, map[*entry][]*entry{}
	taken := map[*entry]bool{}
	for _, same := range []func(a, b *entry) bool{
		func(a, b *entry) bool { return a.words == b.words && (a.rule == nil) == (b.rule == nil) },
		func(a, b *entry) bool { return sameTo(a, b) && a.purpose == b.purpose },
		func(a, b *entry) bool { return sameTo(a, b) && a.ports == b.ports },
		sameTo,
		sameID,
		func(a, b *entry) bool { return overlap(a, b) > 0 },
		sameWords,
	} {
		for _, o := range m.old.entries {
			for _, n := range m.next.entries {
				if m.became[o] == nil && !taken[n] && same(o, n) {
					m.became[o], taken[n] = n, true
				}
			}
		}
	}
	m.matchReviewed()
}

// matchReviewed finds the entry of the old draft that each rule or NOTE of the person comes from.
// Several can come from one. What comes from none is the person's own.
func (m *merger) matchReviewed() {
	from := map[*entry]*entry{}
	used := map[*entry]bool{}
	claim := func(once bool, same func(o, e *entry) bool) {
		for _, e := range m.reviewed.entries {
			for _, o := range m.old.entries {
				if from[e] == nil && !(once && used[o]) && same(o, e) {
					from[e], used[o] = o, true
				}
			}
		}
	}
	claim(true, func(o, e *entry) bool { return o.words == e.words && (o.rule == nil) == (e.rule == nil) })
	claim(true, func(o, e *entry) bool { return e.rule == nil && o.rule == nil && firstCell(o) == firstCell(e) })
	isRule := func(same func(o, e *entry) bool) func(o, e *entry) bool {
		return func(o, e *entry) bool { return e.rule != nil && same(o, e) }
	}
	claim(true, isRule(sameID))
	claim(true, isRule(func(o, e *entry) bool { return sameTo(o, e) && o.purpose == e.purpose }))
	claim(true, isRule(func(o, e *entry) bool { return sameTo(o, e) && o.ports == e.ports }))
	for _, e := range m.reviewed.entries {
		if from[e] != nil || e.rule == nil {
			continue
		}
		var best *entry
		for _, o := range m.old.entries {
			if n := overlap(o, e); n > 0 && (best == nil || n > overlap(best, e) || n == overlap(best, e) && o.purpose == e.purpose && best.purpose != e.purpose) {
				best = o
			}
		}
		from[e] = best
	}
	claim(true, isRule(sameWords))
	for _, e := range m.reviewed.entries {
		if o := from[e]; o != nil {
			m.made[o] = append(m.made[o], e)
		}
	}
}

// sameTo reports whether two entries have the same source and the same destinations.
func sameTo(a, b *entry) bool { return a.from == b.from && len(a.to) > 0 && slices.Equal(a.to, b.to) }

// sameID reports whether two entries have one id, which is not only the number of a row.
func sameID(a, b *entry) bool {
	return a.id == b.id && a.from == b.from && a.id != "" && !strings.HasPrefix(a.id, "row-")
}

// overlap returns how many destinations two entries of one source have in common. A wildcard
// counts as common with a name below it: people write the names in place of it.
func overlap(a, b *entry) (n int) {
	if a.from != b.from {
		return 0
	}
	below := func(name, wild string) bool {
		return strings.HasPrefix(wild, "*.") && strings.HasSuffix(name, wild[1:])
	}
	for _, x := range a.to {
		for _, y := range b.to {
			if x == y || below(x, y) || below(y, x) {
				n++
			}
		}
	}
	return n
}

// sameWords reports whether two entries have one purpose, if one of them names no destination,
// as a NOTE about a party of the site.
func sameWords(a, b *entry) bool {
	if len(a.to) > 0 && len(b.to) > 0 && a.rule == nil == (b.rule == nil) {
		return false
	}
	if a.purpose != "" {
		return a.purpose == b.purpose && (len(a.to) == 0 || len(b.to) == 0)
	}
	return firstCell(a) != "" && firstCell(a) == firstCell(b)
}

// firstCell returns the first cell of a NOTE's row.
func firstCell(e *entry) string {
	cell, _, _ := strings.Cut(e.note.Row, " | ")
	return markForm.ReplaceAllString(cell, "")
}

// leftOutBefore returns the row of the old draft that the person left out and that the document does
// not have any more, if n differs from it in the destinations only: the document may have renamed it.
func (m *merger) leftOutBefore(n *entry) *entry {
	for _, o := range m.old.entries {
		if m.became[o] == nil && len(m.made[o]) == 0 && n.rule != nil && o.from == n.from && o.ports == n.ports && o.purpose == n.purpose && n.purpose != "" {
			return o
		}
	}
	return nil
}
