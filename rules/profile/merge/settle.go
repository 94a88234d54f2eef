// Settle: decides what becomes of each row of the document, and of each rule of the person.

package merge

import (
	"fmt"
	"slices"
	"strings"
)

// settle goes through the rows of the new draft in their order, then through the rows that are
// gone, then through the rules that come from no row.
func (m *merger) settle() {
	m.replaced, m.after, m.expect, m.taken, m.headings = map[*block][]string{}, map[*block][][]string{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	origin := map[*entry]*entry{} // entry of next -> entry of old
	for o, n := range m.became {
		origin[n] = o
	}
	for _, e := range m.reviewed.entries {
		if e.heading != "" {
			m.headings[e.heading] = true
		}
		if e.rule != nil {
			m.taken[e.id] = true
		}
	}
	var anchor *block // of reviewed: new rows stand behind it
	for _, n := range m.next.entries {
		o := origin[n]
		es := m.made[o]
		switch {
		case o == nil && m.leftOutBefore(n) != nil:
			m.leftOut(anchor, m.leftOutBefore(n), n)
		case o == nil:
			m.add(anchor, n)
		case o.words == n.words:
			m.unchanged(o, n, es)
		case len(es) == 0:
			m.leftOut(anchor, o, n)
		case len(es) == 1 && o.rule != nil && n.rule != nil && es[0].rule != nil:
			m.join(o, n, es[0])
		default:
			m.redecide(o, n, es)
		}
		if len(es) > 0 {
			anchor = es[len(es)-1].block
		}
	}
	for _, o := range m.old.entries {
		if m.became[o] == nil {
			m.gone(o, m.made[o])
		}
	}
	m.own()
}

// report adds an outcome.
func (m *merger) report(k Kind, id, format string, args ...any) {
	m.outcomes = append(m.outcomes, Outcome{Kind: k, ID: id, Why: fmt.Sprintf(format, args...)})
}

// reportNote adds an outcome whose place is a NOTE.
func (m *merger) reportNote(k Kind, id, first, format string, args ...any) {
	m.report(k, id, format, args...)
	m.outcomes[len(m.outcomes)-1].first = first
}

// keep leaves a rule as the person wrote it.
func (m *merger) keep(e *entry) { m.expect[e.id] = e.reach }

// add puts a new row of the document into the file. Its id must not be one of the person's.
func (m *merger) add(anchor *block, n *entry) {
	lines := slices.Concat(n.lead, n.lines)
	if n.rule == nil {
		m.insert(anchor, n, lines)
		m.reportNote(Undecided, n.id, lines[0], "a new row of the document: %s", n.note.Row)
		return
	}
	id := n.id
	for i := 2; m.taken[id]; i++ {
		id = fmt.Sprintf("%s-%d", n.id, i)
	}
	m.taken[id] = true
	m.insert(anchor, n, slices.Concat(n.lead, withID(n.lines, id)))
	m.expect[id] = n.reach
	m.report(Added, id, "%s to %s, %s", n.from, strings.Join(n.to, ", "), n.ports)
}

// insert puts lines behind a block, with the heading of the document's section.
func (m *merger) insert(anchor *block, n *entry, lines []string) {
	lines = slices.Concat([]string{""}, lines)
	if n.heading != "" && !m.headings[n.heading] {
		m.headings[n.heading] = true
		lines = slices.Concat([]string{"", n.heading}, lines)
	}
	if anchor == nil {
		m.first = append(m.first, lines)
		return
	}
	m.after[anchor] = append(m.after[anchor], lines)
}

// unchanged keeps what the person made of a row that the document did not change.
func (m *merger) unchanged(o, n *entry, es []*entry) {
	if len(es) == 0 {
		m.report(Kept, o.id, "you left it out, and the document did not change it")
	}
	for _, e := range es {
		switch {
		case e.rule == nil && e.words == o.words:
			m.replaced[e.block] = n.lines // the same question, at its new place
			m.reportNote(Undecided, e.id, n.lines[0], "the row was a NOTE before: %s", n.note.Row)
		case e.rule == nil:
			m.reportNote(Undecided, e.id, e.lines[0], "your NOTE stays: %s", e.note.Row)
		case e.words == o.words:
			m.keep(e)
		default:
			m.keep(e)
			m.report(Kept, e.id, "your change stays: the document did not change the row")
		}
	}
}

// leftOut writes a NOTE for a row that the person left out, and that the document changed.
func (m *merger) leftOut(anchor *block, o, n *entry) {
	lines := m.note(o.id, "you left this row out, and the document has changed it", o, n, nil)
	m.insert(anchor, n, lines)
	m.reportNote(Conflict, o.id, lines[0], "you left this row out, and the document has changed it")
}

// follow writes the document's form of a rule in place of a rule that the person did not change.
// The rule keeps its id, under which the journal knows it.
func (m *merger) follow(o, n, e *entry) {
	if n.rule == nil {
		m.replaced[e.block] = n.lines
		m.reportNote(Undecided, e.id, n.lines[0], "the document has changed the row, and it is not clear any more: %s", n.note.Why)
		return
	}
	id := e.id
	if e.rule == nil {
		for i := 2; id == "" || m.taken[id]; i++ {
			id = n.id
			if m.taken[id] {
				id = fmt.Sprintf("%s-%d", n.id, i)
			}
		}
		m.taken[id] = true
	}
	theirs := slices.DeleteFunc(slices.Clone(e.lead), func(line string) bool { return slices.Contains(o.lead, line) })
	e.block.lead = slices.Concat(n.lead, theirs)
	m.replaced[e.block] = withID(n.lines, id)
	m.expect[id] = n.reach
	m.report(Follows, id, "%s to %s, %s", n.from, strings.Join(n.to, ", "), n.ports)
}

// join merges a rule key by key. If the person and the document changed one thing in two ways, it
// writes a NOTE.
func (m *merger) join(o, n, e *entry) {
	if e.words == o.words {
		m.follow(o, n, e)
		return
	}
	was, mine, now := groups(m.old.profile, o.rule), groups(m.reviewed.profile, e.rule), groups(m.next.profile, n.rule)
	mineLines, nowLines := segments(e.lines), segments(n.lines)
	out := []segment{{"", find(mineLines, "")}, {"id", find(mineLines, "id")}}
	var taken, clash []string
	value := map[string]string{}
	for _, g := range ruleGroups() {
		from := mineLines
		value[g.name] = mine[g.name]
		switch {
		case mine[g.name] == now[g.name], was[g.name] == now[g.name]:
		case was[g.name] == mine[g.name], g.name == "section":
			from, value[g.name] = nowLines, now[g.name]
			taken = append(taken, fmt.Sprintf("%s: %s -> %s", g.name, none(was[g.name]), none(now[g.name])))
		case g.name == "purpose":
			taken = append(taken, fmt.Sprintf("the purpose is now %q, yours stays", now[g.name]))
		default:
			clash = append(clash, fmt.Sprintf("%s: it was %s, is now %s in the document, and %s in your rule", g.name, none(was[g.name]), none(now[g.name]), none(mine[g.name])))
		}
		for _, key := range g.keys {
			if lines := find(from, key); lines != nil {
				out = append(out, segment{key, lines})
			}
		}
	}
	if len(clash) > 0 {
		m.clash(strings.Join(clash, "; "), o, n, []*entry{e})
		return
	}
	m.replaced[e.block] = joined(out)
	m.expect[e.id] = strings.Join([]string{value["from"], value["to"], value["ports"], value["local"], value["when"], value["versions"]}, "\x00")
	m.report(Joined, e.id, "your change stays, and the document's change is added: %s", strings.Join(taken, "; "))
}

// redecide settles a row that the document changed, if the person made several rules of it, or a
// rule of a NOTE. A rule that says the same as the document stays. Another one becomes a NOTE.
func (m *merger) redecide(o, n *entry, es []*entry) {
	placed := false
	var open []*entry
	for _, e := range es {
		switch {
		case e.words == o.words && (e.rule == nil) == (o.rule == nil) && !placed:
			m.follow(o, n, e)
			placed = true
		case e.rule == nil:
			m.reportNote(Undecided, e.id, e.lines[0], "your NOTE stays, although the document has changed the row")
		case n.rule != nil && e.reach == n.reach && !placed:
			m.keep(e)
			placed = true
			m.report(Kept, e.id, "the document now says what you decided; read your note again")
		default:
			open = append(open, e)
		}
	}
	if len(open) == 0 {
		return
	}
	why := "the document has changed the row that you made this rule of"
	if placed {
		n = nil
		why = "the document has changed the row that you made this rule of, and the row does not have this any more"
	}
	m.clash(why, o, n, open)
}

// gone settles a row that the document does not have any more.
func (m *merger) gone(o *entry, es []*entry) {
	var open []*entry
	for _, e := range es {
		switch {
		case e.words == o.words && (e.rule == nil) == (o.rule == nil):
			m.replaced[e.block], e.lead = []string{}, nil
			m.report(Removed, e.id, "the document does not have the row any more")
		case e.rule != nil && o.rule != nil && e.reach == o.reach:
			m.replaced[e.block], e.lead = []string{}, nil
			m.report(Removed, e.id, "the document does not have the row any more; you had changed its texts only")
		case e.rule == nil:
			m.reportNote(Undecided, e.id, e.lines[0], "your NOTE stays, although the document does not have the row any more")
		default:
			open = append(open, e)
		}
	}
	if len(open) > 0 {
		m.clash("the document does not have the row any more that you made this rule of", o, nil, open)
	}
}

// own keeps the rules that come from no row of the old draft.
func (m *merger) own() {
	from := map[*entry]bool{}
	for _, es := range m.made {
		for _, e := range es {
			from[e] = true
		}
	}
	for _, e := range m.reviewed.entries {
		switch {
		case from[e]:
		case e.rule == nil:
			m.reportNote(Undecided, e.id, e.lines[0], "your own NOTE: %s", e.note.Why)
		default:
			m.keep(e)
			m.report(Own, e.id, "it comes from no row of the old draft")
		}
	}
}

// none returns a value for people.
func none(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// withID returns the lines of a rule with another id.
func withID(lines []string, id string) []string {
	out := slices.Clone(lines)
	for i, line := range out {
		if m := keyForm.FindStringSubmatch(line); m != nil && m[1] == "id" {
			out[i] = fmt.Sprintf("id      = %q", id)
			break
		}
	}
	return out
}
