// Write: a comparison as text and as JSON.

package diff

import (
	"fmt"
	"io"
	"strings"

	"sallyport/rules"
)

// WriteText writes the comparison for people. printable makes a text safe for a terminal.
func (r *Result) WriteText(w io.Writer, printable func(string) string) {
	line := func(format string, args ...any) { fmt.Fprintln(w, printable(fmt.Sprintf(format, args...))) }
	line("old  %s", title(r.Old))
	line("new  %s", title(r.New))
	if r.Equal() {
		line("the two revisions are equal")
		return
	}
	if len(r.Profile) > 0 {
		line("")
		for _, f := range r.Profile {
			f.write(line, "profile  ")
		}
	}
	for _, c := range r.Rules {
		line("")
		switch c.Kind {
		case Renamed:
			line("renamed  %s, was %s", c.ID, c.Was)
			for _, f := range c.Fields {
				f.write(line, "         ")
			}
		case Changed:
			line("changed  %s", c.ID)
			for _, f := range c.Fields {
				f.write(line, "         ")
			}
		default:
			p := r.New
			if c.Kind == Removed {
				p = r.Old
			}
			line("%-8s %s: %s to %s, %s%s", c.Kind, c.ID, c.Rule.From, strings.Join(destinations(c.Rule), ", "), reach(p, c.Rule), conditions(c.Rule))
			line("         section %s: %s", c.Rule.Section, c.Rule.Purpose)
			if c.Rule.Note != "" {
				line("         note: %s", c.Rule.Note)
			}
		}
	}
	for _, c := range r.Notes {
		line("")
		r.writeNote(line, &c)
	}
	line("")
	if r.anotherText() {
		line("the rules are equal, but the document has changed: import does not read all of it, so compare the rest by eye")
	}
	if len(r.Notes) > 0 {
		line("NOTE rows, which are not rules yet: %d added, %d removed", r.notesOf(Added), r.notesOf(Removed))
	}
	line("%d added, %d removed, %d renamed, %d changed", len(r.Of(Added)), len(r.Of(Removed)), len(r.Of(Renamed)), len(r.Of(Changed)))
}

// writeNote writes a NOTE row with its place in the file, and its open question.
func (r *Result) writeNote(line func(string, ...any), c *NoteChange) {
	p := r.New
	if c.Kind == Removed {
		p = r.Old
	}
	what := c.Note.Row
	if what == "" {
		what = c.Note.Why
	}
	line("%-8s NOTE: %s (%s:%d)", c.Kind, what, p.File, c.Note.Line)
	if c.Note.Row != "" {
		line("         no rule yet: %s", c.Note.Why)
	}
	for f := range strings.Lines(c.Note.Footnotes) {
		line("         %s", strings.TrimSuffix(f, "\n"))
	}
}

// title returns the profile with its document and revision.
func title(p *rules.Profile) string {
	s := p.Name + ": " + p.Document.Title
	if p.Document.Version != "" {
		s += ", version " + p.Document.Version
	}
	if p.Document.Released != "" {
		s += ", released " + p.Document.Released
	}
	if p.Revision != "" {
		s += ", revision " + p.Revision
	}
	return s + " (" + p.File + ")"
}

// write writes a field. For a list it writes the removed and the added elements, for
// another field the old and the new value.
func (f *Field) write(line func(string, ...any), indent string) {
	switch {
	case f.Name == "sha256":
		line("%s%s: %.12s… -> %.12s…", indent, f.Name, or(f.Old), or(f.New))
		return
	case !f.List:
		line("%s%s: %s -> %s", indent, f.Name, or(f.Old), or(f.New))
		return
	}
	for _, s := range f.Old {
		line("%s%s: - %s", indent, f.Name, s)
	}
	for _, s := range f.New {
		line("%s%s: + %s", indent, f.Name, s)
	}
}

// or returns the only text of a list. It returns "none" for an empty list.
func or(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return list[0]
}

// reach returns the ports of a rule in words.
func reach(p *rules.Profile, r *rules.Rule) string {
	if r.Any {
		return "every protocol and port"
	}
	tcp, udp := p.DefaultPorts(r)
	var parts []string
	if len(tcp) > 0 {
		parts = append(parts, "tcp "+tcp.String())
	}
	if len(udp) > 0 {
		parts = append(parts, "udp "+udp.String())
	}
	return strings.Join(parts, "; ")
}

// conditions returns the conditions of a rule in words.
func conditions(r *rules.Rule) (s string) {
	if r.Local {
		s += ", on one host"
	}
	if len(r.When) > 0 {
		s += ", with " + strings.Join(r.When, " and ")
	}
	if r.Since != "" {
		s += ", since " + r.Since
	}
	if r.Until != "" {
		s += ", below " + r.Until
	}
	return s
}

// JSON is a comparison as sallyport profiles diff --json prints it.
type JSON struct {
	Old     Revision     `json:"old"`
	New     Revision     `json:"new"`
	Equal   bool         `json:"equal"`
	Profile []FieldJSON  `json:"profile,omitempty"`
	Rules   []ChangeJSON `json:"rules,omitempty"`
	Notes   []NoteJSON   `json:"notes,omitempty"`
}

// A NoteJSON is a NoteChange.
type NoteJSON struct {
	Change Kind   `json:"change"`
	Line   int    `json:"line"`
	Row    string `json:"row,omitempty"`
	Why    string `json:"why"`
	Rule   string `json:"rule,omitempty"`

	Footnotes string `json:"footnotes,omitempty"` // one on a line
}

// A Revision names one of the two profiles.
type Revision struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Version  string `json:"version,omitempty"`
	Released string `json:"released,omitempty"`
	Revision string `json:"revision,omitempty"`
	File     string `json:"file"`
}

// A ChangeJSON is a Change.
type ChangeJSON struct {
	Change  Kind        `json:"change"`
	ID      string      `json:"id"`
	Was     string      `json:"was,omitempty"`
	From    string      `json:"from"`
	To      []string    `json:"to"`
	Ports   string      `json:"ports"`
	Purpose string      `json:"purpose"`
	Section string      `json:"section,omitempty"`
	Fields  []FieldJSON `json:"fields,omitempty"`
}

// A FieldJSON is a Field: old and new for a text, removed and added for a list.
type FieldJSON struct {
	Field   string   `json:"field"`
	Old     *string  `json:"old,omitempty"`
	New     *string  `json:"new,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
}

// JSON returns the comparison in its JSON form.
func (r *Result) JSON() JSON {
	j := JSON{Old: revision(r.Old), New: revision(r.New), Equal: r.Equal(), Profile: fieldsJSON(r.Profile)}
	for _, c := range r.Rules {
		p := r.New
		if c.Kind == Removed {
			p = r.Old
		}
		j.Rules = append(j.Rules, ChangeJSON{Change: c.Kind, ID: c.ID, Was: c.Was, From: c.Rule.From, To: destinations(c.Rule), Ports: reach(p, c.Rule),
			Purpose: c.Rule.Purpose, Section: c.Rule.Section, Fields: fieldsJSON(c.Fields)})
	}
	for _, c := range r.Notes {
		j.Notes = append(j.Notes, NoteJSON{c.Kind, c.Note.Line, c.Note.Row, c.Note.Why, c.Note.Rule, c.Note.Footnotes})
	}
	return j
}

func revision(p *rules.Profile) Revision {
	return Revision{Name: p.Name, Title: p.Document.Title, Version: p.Document.Version, Released: p.Document.Released, Revision: p.Revision, File: p.File}
}

func fieldsJSON(fields []Field) (out []FieldJSON) {
	for _, f := range fields {
		j := FieldJSON{Field: f.Name, Removed: f.Old, Added: f.New}
		if !f.List {
			old, now := strings.Join(f.Old, ""), strings.Join(f.New, "")
			j = FieldJSON{Field: f.Name, Old: &old, New: &now}
		}
		out = append(out, j)
	}
	return out
}
