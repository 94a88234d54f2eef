// Decide: writes the decisions of a person about rows into a draft, in place of the NOTEs.

package merge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// An Answer is what a person decides about a row.
type Answer string

// The verdicts.
const (
	Accept   Answer = "accept"    // the rules that the NOTE proposes; of a conflict, those of the document
	Keep     Answer = "keep"      // of a conflict: the rules of the person
	LeaveOut Answer = "leave-out" // no rule
)

// A Choice is about one row: the ID of the rule that its NOTE proposes, or "line-N" with the
// number of the NOTE's line. The Reason goes into the note of the rule, or into the comment of a row
// that is left out.
type Choice struct {
	ID     string
	Answer Answer
	Reason string
}

// Decide returns the profile with the decisions. The error lists every decision that does not fit.
func Decide(t Text, decisions []Choice) ([]byte, error) {
	f, problems := split(t)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	m := &merger{reviewed: f, replaced: map[*block][]string{}}
	done := map[*entry]bool{}
	for _, d := range decisions {
		e := f.open(d.ID)
		switch {
		case e == nil:
			problems = append(problems, rules.Problem{File: t.File, Text: fmt.Sprintf("no NOTE and no rule has the id %q; sallyport profiles decide %s lists them", d.ID, t.File)})
		case done[e]:
			problems = append(problems, rules.Problem{File: t.File, Line: f.lineOf(e), Text: fmt.Sprintf("%s is decided twice", d.ID)})
		default:
			done[e] = true
			if why := m.decide(e, d); why != "" {
				problems = append(problems, rules.Problem{File: t.File, Line: f.lineOf(e), Text: d.ID + ": " + why})
			}
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	data := m.text()
	if _, err := profile.Parse("the result", data); err != nil {
		return nil, fmt.Errorf("the decisions would make a profile with errors: edit the file by hand: %w", err)
	}
	return data, nil
}

// open finds what a decision is about: a NOTE before a rule of the same id.
func (f *file) open(id string) *entry {
	for _, note := range []bool{true, false} {
		for _, e := range f.entries {
			if (e.rule == nil) == note && (e.id == id || note && id == fmt.Sprintf("line-%d", e.note.Line)) && id != "" {
				return e
			}
		}
	}
	return nil
}

// lineOf returns the line of an entry.
func (f *file) lineOf(e *entry) int {
	if e.rule != nil {
		return e.rule.Line
	}
	return e.note.Line
}

// decide changes the lines of one entry. It returns why it cannot.
func (m *merger) decide(e *entry, d Choice) string {
	if e.rule != nil {
		switch d.Answer {
		case LeaveOut:
			m.replaced[e.block] = leftOutLines(d, e.id, strings.Join(e.to, ", ")+" | "+e.ports+" | "+e.purpose)
		case Accept:
			m.replaced[e.block] = withReason(e.lines, d.Reason)
		default:
			return "it is no conflict: --accept or --leave-out"
		}
		e.lead = slices.DeleteFunc(slices.Clone(e.lead), func(line string) bool { return strings.HasPrefix(line, "# "+profile.Beside) })
		if d.Answer == LeaveOut {
			e.lead = nil
		}
		return ""
	}
	mine, document := proposals(e.lines)
	chosen := document
	switch {
	case d.Answer == LeaveOut:
		m.replaced[e.block] = leftOutLines(d, e.id, e.note.Row)
		return ""
	case d.Answer == Keep && len(mine) == 0:
		return "it is no conflict: --accept or --leave-out"
	case d.Answer == Keep:
		chosen = mine
	case len(document) == 0 && len(mine) > 0:
		return "the document has no rule for it any more: --keep your rule, or --leave-out"
	case len(document) == 0:
		return "the NOTE proposes no rule: write one in its place, or --leave-out"
	}
	if blankList.MatchString(strings.Join(chosen, "\n")) {
		return "the proposal lacks the destinations or the ports: write the rule in its place"
	}
	var out []string
	for i, part := range tables(chosen) {
		if i > 0 {
			out = append(out, "")
		}
		if strings.HasPrefix(part[0], "[[rule]]") {
			part = withReason(part, d.Reason)
		}
		out = append(out, part...)
	}
	m.replaced[e.block] = out
	m.bind(out)
	return ""
}

var (
	blankList = regexp.MustCompile(`(?m)^(?:to|tcp|udp) *= \[\]`)
	// answered is a comment of import that asks what an accepted proposal answers.
	answered  = regexp.MustCompile(`^(to *= \[[^\]]*\]) # (?:a wildcard: |if only the site knows ).*$`)
	rolesForm = regexp.MustCompile(`"role:([^"]+)"`)
)

// proposals returns the tables that a NOTE has as comments: of a conflict those of the person, and
// those of the document.
func proposals(lines []string) (mine, document []string) {
	into := &document
	inTable := false
	for _, line := range lines {
		text := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "#"), " ")
		switch strings.TrimSpace(text) {
		case "your rule until now:":
			into, inTable = &mine, false
			continue
		case "the document's rule now:", "the rule that the new row may become:":
			into, inTable = &document, false
			continue
		}
		if inTable = inTable || strings.HasPrefix(text, "[["); inTable {
			*into = append(*into, answered.ReplaceAllString(text, "$1"))
		}
	}
	return mine, document
}

// tables divides lines at the heads of tables, without the blank lines between them.
func tables(lines []string) (out [][]string) {
	for _, line := range lines {
		if strings.HasPrefix(line, "[[") {
			out = append(out, nil)
		}
		if strings.TrimSpace(line) != "" {
			out[len(out)-1] = append(out[len(out)-1], line)
		}
	}
	return out
}

// withReason returns the lines of a rule with a reason at the end of its note.
func withReason(lines []string, reason string) []string {
	list := segments(lines)
	note := reason
	if old := find(list, "note"); old != nil {
		if value := quotedForm.FindStringSubmatch(old[0]); value != nil {
			note = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value[1])
			if !strings.HasSuffix(note, ".") {
				note += "."
			}
			note += " " + reason
		}
	}
	line := "note    = " + tomlText(note)
	if find(list, "note") == nil {
		if i := slices.IndexFunc(list, func(s segment) bool { return s.key == "section" }); i >= 0 {
			return joined(slices.Insert(list, i, segment{"note", []string{line}}))
		}
	}
	return joined(set(list, "note", []string{line}))
}

// leftOutLines is the comment in place of a row that is left out.
func leftOutLines(d Choice, id, row string) []string {
	if id == "" {
		id = "a row"
	}
	return []string{fmt.Sprintf("# %s: no rule. %s", id, inLine(d.Reason)), "#   " + inLine(row)}
}

// bind adds the parties of rules to binds, if the profile does not have them.
func (m *merger) bind(lines []string) {
	p := m.reviewed.profile
	for _, found := range rolesForm.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
		if party := found[1]; !slices.Contains(p.Roles, party) && !slices.Contains(p.Binds, party) {
			p.Binds = append(p.Binds, party)
			b := m.reviewed.block(top)
			b.lines = joined(set(segments(b.lines), "binds", []string{fmt.Sprintf("binds   = [%s]", `"`+strings.Join(p.Binds, `", "`)+`"`)}))
		}
	}
}

// tomlText writes a TOML basic string.
func tomlText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(inLine(s)) + `"`
}

// inLine replaces what would end a line or a comment.
func inLine(s string) string { return strings.Join(strings.Fields(s), " ") }
