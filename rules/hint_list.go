// Entries of lists in reports: where a list has a permitted destination, and which entry is
// like a denied one.

package rules

import (
	"fmt"
	"strconv"
)

// Entry returns where a list of the permitting rule has the destination of an attempt, as
// "file:line". It returns "" if no list has it, or if "to" of the rule has it too.
func Entry(a Attempt, d Decision) string {
	r := d.grant
	if r == nil || r.list == nil || d.Verdict != Allow {
		return ""
	}
	var file string
	var line int
	if n := d.name; !n.IsZero() && !d.scope.bindsByTo(r, Destination{Name: n}) {
		file, line = r.list.Find(n)
	} else if addr := a.Dest.Addr(); n.IsZero() && !d.scope.hasAddrByTo(r, addr) {
		file, line = r.list.FindAddr(addr)
	}
	if line == 0 {
		return ""
	}
	return file + ":" + strconv.Itoa(line)
}

// RuleSource returns where the permitting rule comes from, and the entry of its list. For a
// denial it returns where the nearest rule comes from; "" if there is none.
func RuleSource(a Attempt, d Decision) string {
	switch {
	case d.Rule != nil:
		if entry := Entry(a, d); entry != "" {
			return d.Rule.Source() + ", " + entry
		}
		return d.Rule.Source()
	case d.Nearest != nil:
		return d.Nearest.Source()
	}
	return ""
}

// listWindow is the number of entries on each side of a denied name, in the order of the
// list, that are compared with the name.
const listWindow = 512

// likeIn returns the names of a list that are the most similar to n: all of them, if they are
// few, otherwise those around the place that n would have.
func (l *List) likeIn(n Name) (out []Name) {
	if !l.HasNames() {
		return nil
	}
	at := 0
	if l.count > mostNamesRead {
		at = l.names.placeOf(n)
		for range listWindow {
			if at == 0 {
				break
			}
			at = l.names.entryBefore(at)
		}
	}
	for o, kind := range l.names.from(at) {
		if kind&hasExact != 0 {
			out = append(out, o)
		}
		if len(out) == 2*listWindow && l.count > mostNamesRead {
			break
		}
	}
	return out
}

// hintEntry explains the denial of a name by an entry for its parent, or for the names below
// it. It returns "" if the list of the rule has no such entry.
func (r *Rule) hintEntry(target Name) string {
	if !r.List.HasNames() {
		return ""
	}
	if has, at := r.List.names.whole(target); has&hasWild != 0 {
		file, line := r.List.place(r.List.names.lineAt(at, true))
		return fmt.Sprintf("*.%s (%s:%d) is %s: it permits every name below %[1]s, but not that name itself", target, file, line, r.documented())
	}
	for p := target.Parent(); !p.IsZero(); p = p.Parent() {
		if r.List.hasExact(p) {
			return fmt.Sprintf("%s is %s: it permits that name itself, but no name below it", r.List.placed(p), r.documented())
		}
	}
	return ""
}

// placed returns a name of the list with its place.
func (l *List) placed(n Name) string {
	file, line := l.Find(n)
	return fmt.Sprintf("%s (%s:%d)", n, file, line)
}

// placeOf returns where the first entry begins that is not before n.
func (t *listTable) placeOf(n Name) int {
	low, high := 0, len(t.text)
	for low < high {
		at := t.entryBefore((low+high)/2 + 1)
		from := at
		for t.text[from] >= 0x80 {
			from++
		}
		if end := nameEnd(t.text, from); compareBackwards(t.text[from:end], n.s) < 0 {
			low = end
		} else {
			high = at
		}
	}
	return low
}

// entryBefore returns where the entry begins that has the octet before a place.
func (t *listTable) entryBefore(at int) int {
	for at--; at > 0 && t.text[at] < 0x80; at-- {
	}
	for at > 0 && t.text[at-1] >= 0x80 {
		at--
	}
	return at
}
