// Open: the questions that a draft or a merged profile leaves to a person, on one screen.

package merge

import (
	"fmt"
	"io"
	"strings"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// A Question is a row without a decision, or a rule with a warning beside it.
type Question struct {
	ID        string   `json:"id"`
	Line      int      `json:"line"`
	Row       string   `json:"row,omitempty"`
	Why       []string `json:"why"`
	Footnotes []string `json:"footnotes,omitempty"`
	Proposal  []string `json:"proposal,omitempty"` // rules, one text each
	Mine      []string `json:"mine,omitempty"`     // of a conflict: your rules until now
}

// Open returns the questions of a profile, in the order of its lines.
func Open(t Text) ([]Question, error) {
	f, problems := split(t)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	out := []Question{}
	for _, e := range f.entries {
		q := Question{ID: e.id, Line: f.lineOf(e)}
		if e.rule != nil {
			for _, line := range e.lead {
				if why, is := strings.CutPrefix(line, "# "+profile.Beside); is {
					q.Why = append(q.Why, why)
				}
			}
			if len(q.Why) == 0 {
				continue
			}
			q.Row = fmt.Sprintf("%s | %s | %s", strings.Join(e.to, ", "), e.ports, e.purpose)
			out = append(out, q)
			continue
		}
		if q.ID == "" {
			q.ID = fmt.Sprintf("line-%d", q.Line)
		}
		q.Row, q.Why = e.note.Row, []string{e.note.Why}
		if e.note.Footnotes != "" {
			q.Footnotes = strings.Split(e.note.Footnotes, "\n")
		}
		mine, document := proposals(e.lines)
		q.Mine, q.Proposal = brief(mine), brief(document)
		if i := strings.Index(q.Row, " your rule until now:"); i >= 0 {
			q.Row = q.Row[:i]
		}
		out = append(out, q)
	}
	return out, nil
}

// brief writes each rule in one line, with the keys that decide.
func brief(lines []string) (out []string) {
	for _, table := range tables(lines) {
		if !strings.HasPrefix(table[0], "[[rule]]") {
			continue
		}
		var parts []string
		for _, s := range segments(table) {
			switch s.key {
			case "to", "tcp", "udp", "any", "when", "since", "until":
				parts = append(parts, inLine(strings.Join(s.lines, " ")))
			}
		}
		out = append(out, strings.Join(parts, "; "))
	}
	return out
}

// WriteOpen writes the questions for people. printable makes a text safe for a terminal.
func WriteOpen(w io.Writer, file string, questions []Question, printable func(string) string) {
	line := func(format string, args ...any) { fmt.Fprintln(w, printable(fmt.Sprintf(format, args...))) }
	for _, q := range questions {
		line("%s (%s:%d)", q.ID, file, q.Line)
		line("  row       %s", q.Row)
		for _, why := range q.Why {
			line("  open      %s", why)
		}
		for _, f := range q.Footnotes {
			line("  %s", f)
		}
		for _, r := range q.Mine {
			line("  your rule %s", r)
		}
		for _, r := range q.Proposal {
			line("  proposal  %s", r)
		}
		fmt.Fprintln(w)
	}
	line("%s to decide in %s", rules.Counted(len(questions), "row", "rows"), file)
}
