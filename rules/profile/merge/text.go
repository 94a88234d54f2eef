// Text: the merged file, and the NOTEs that the merge writes.

package merge

import (
	"fmt"
	"slices"
	"strings"
)

// clash writes one NOTE in place of rules whose row changed on both sides. It permits nothing.
func (m *merger) clash(why string, o, n *entry, es []*entry) {
	var ids []string
	for _, e := range es {
		ids = append(ids, e.id)
	}
	lines := m.note(strings.Join(ids, ", "), why, o, n, es)
	for i, e := range es {
		e.lead = nil
		m.replaced[e.block] = []string{}
		if i == 0 {
			m.replaced[e.block] = lines
		}
	}
	m.reportNote(Conflict, strings.Join(ids, ", "), lines[0], "%s", why)
}

// note writes a NOTE with both sides: the row as the document has it now, and the rules of the
// person until now.
func (m *merger) note(ids, why string, o, n *entry, es []*entry) []string {
	out := []string{fmt.Sprintf("# NOTE: %s is no rule yet: %s.", quotedIDs(ids), why), "#   the row was: " + o.said()}
	if n != nil {
		out = append(out, "#   the row is: "+n.said())
	}
	if n != nil && n.rule == nil {
		for _, f := range strings.Split(n.note.Footnotes, "\n") {
			if f != "" {
				out = append(out, "#   "+f)
			}
		}
		out = append(out, "#   open in the document: "+n.note.Why)
	}
	for _, e := range es {
		out = append(out, "#   your rule until now:")
		out = append(out, commented(e.lead, e.lines)...)
	}
	switch {
	case n != nil && n.rule != nil:
		out = append(out, "#   the document's rule now:")
		out = append(out, commented(n.lead, n.lines)...)
	case n != nil:
		if proposed := uncommented(n.lines); len(proposed) > 0 {
			out = append(out, "#   the rule that the new row may become:")
			out = append(out, commented(nil, proposed)...)
		}
	}
	return out
}

// quotedIDs writes ids for people.
func quotedIDs(ids string) string { return `"` + strings.ReplaceAll(ids, ", ", `", "`) + `"` }

// said returns a row in one line: its cells, or its rule.
func (e *entry) said() string {
	if e.rule == nil {
		return e.note.Row
	}
	return fmt.Sprintf("%s | %s | %s", strings.Join(e.to, ", "), e.ports, e.purpose)
}

// commented makes comments of lines. A comment among them must not begin another NOTE.
func commented(lead, lines []string) (out []string) {
	for _, line := range slices.Concat(lead, lines) {
		line = strings.TrimRight(line, " \t\r")
		if isComment(line) {
			line = "  " + strings.TrimLeft(strings.TrimSpace(line), "# ")
			line = strings.Replace(line, "NOTE", "note", 1)
		}
		out = append(out, strings.TrimRight("# "+line, " "))
	}
	return out
}

// text assembles the merged file: the reviewed file with the changed blocks.
func (m *merger) text() []byte {
	var out []string
	begun := false
	start := func() {
		if !begun {
			begun = true
			for _, lines := range m.first {
				out = append(out, lines...)
				out = append(out, "")
			}
		}
	}
	for _, b := range m.reviewed.blocks {
		if b.kind == ruleBlock || b.kind == noteBlock {
			start()
		}
		lines, is := m.replaced[b]
		switch {
		case !is:
			lines = slices.Concat(b.lead, b.lines)
		case len(lines) > 0 && b.kind != noteBlock:
			lines = slices.Concat(b.lead, lines)
		}
		out = append(out, lines...)
		for _, more := range m.after[b] {
			out = append(out, more...)
		}
	}
	if len(m.first) > 0 && !begun {
		out = append(out, "")
		start()
	}
	return []byte(strings.TrimRight(strings.Join(single(out), "\n"), "\n") + "\n")
}

// single leaves one of several blank lines, which removed rules leave behind.
func single(lines []string) (out []string) {
	for _, line := range lines {
		if strings.TrimSpace(line) == "" && len(out) > 0 && strings.TrimSpace(out[len(out)-1]) == "" {
			continue
		}
		out = append(out, line)
	}
	return out
}
