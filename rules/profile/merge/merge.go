// Package merge carries the decisions of a person over into the draft of a document's next
// revision. It compares three profiles: the draft of the old revision, the profile that a
// person made of it, and the draft of the new revision. A rule that the person did not change
// follows the document. A change of the person stays where the document did not change. Where
// both changed, the result has a NOTE, which permits nothing.
package merge

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// A Text is a profile's file.
type Text struct {
	File string
	Data []byte
}

// A Result is the merged profile, with what became of each row and each rule.
type Result struct {
	Old, Reviewed, New *rules.Profile
	Merged             *rules.Profile
	Data               []byte // the text of Merged
	Outcomes           []Outcome
	Warning            string // about all rows; "": there is none
}

// An Outcome is what became of one row of the document, or of one rule of the person.
type Outcome struct {
	Kind Kind
	ID   string
	Why  string
	Line int // in the merged text; 0: nothing is left of it

	first string // the first line of its NOTE; "": it is a rule
}

// A Kind says what became of a rule.
type Kind string

// The kinds of outcome. "Undecided" is a NOTE of the new draft that was no decision before
// either. "Conflict" is a NOTE that Merge wrote, because both sides changed.
const (
	Follows   Kind = "follows"
	Added     Kind = "added"
	Removed   Kind = "removed"
	Kept      Kind = "kept"
	Joined    Kind = "joined"
	Own       Kind = "own"
	Undecided Kind = "undecided"
	Conflict  Kind = "conflict"
)

// kinds lists the kinds in the order of the report.
func kinds() []Kind { return []Kind{Conflict, Undecided, Added, Removed, Follows, Joined, Kept, Own} }

// Count returns the number of outcomes of a kind.
func (r *Result) Count(k Kind) (n int) {
	for _, o := range r.Outcomes {
		if o.Kind == k {
			n++
		}
	}
	return n
}

// Merge merges. The error lists what makes the three texts no old draft, its reviewed form and
// the next draft.
func Merge(old, reviewed, next Text) (*Result, error) {
	var files [3]*file
	var problems rules.Problems
	for i, t := range []Text{old, reviewed, next} {
		f, found := split(t)
		files[i], problems = f, append(problems, found...)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	m := &merger{old: files[0], reviewed: files[1], next: files[2]}
	if err := m.agree(); err != nil {
		return nil, err
	}
	m.match()
	m.settle()
	if err := m.head(); err != nil {
		return nil, err
	}
	return m.result()
}

// A merger has the three files, which of their entries belong together, and the decisions about
// the blocks of the reviewed file.
type merger struct {
	old, reviewed, next *file
	became              map[*entry]*entry   // entry of old -> entry of next
	made                map[*entry][]*entry // entry of old -> entries of reviewed
	replaced            map[*block][]string // block of reviewed -> its lines; no lines: removed
	after               map[*block][][]string
	first               [][]string // in front of every rule
	expect              map[string]string
	taken               map[string]bool
	outcomes            []Outcome
	headings            map[string]bool
}

// agree reports texts that are not three forms of one profile.
func (m *merger) agree() error {
	o, e, n := m.old.profile, m.reviewed.profile, m.next.profile
	switch {
	case o.Name != e.Name || e.Name != n.Name:
		return fmt.Errorf("merge needs three forms of one profile: %s has the name %q, %s %q, and %s %q", o.File, o.Name, e.File, e.Name, n.File, n.Name)
	case o.Document.SHA256 != "" && e.Document.SHA256 != "" && o.Document.SHA256 != e.Document.SHA256:
		return fmt.Errorf("%s was not made from %s: their [document] sha256 differ; --old is the draft that %[1]s was a copy of", e.File, o.File)
	}
	return nil
}

// result writes the merged text, and refuses a text that is not what was decided.
func (m *merger) result() (*Result, error) {
	data := m.text()
	p, err := profile.Parse("the merged profile", data)
	if err != nil {
		return nil, fmt.Errorf("the merged profile would have errors; merge by hand, with sallyport profiles diff: %w", err)
	}
	is := map[string]string{}
	for _, r := range p.Rules {
		is[r.ID] = reach(p, r)
	}
	for id, want := range m.expect {
		if is[id] != want {
			return nil, fmt.Errorf("rule %q would become %q instead of %q; merge by hand, with sallyport profiles diff", id, is[id], want)
		}
		delete(is, id)
	}
	for id := range is {
		return nil, fmt.Errorf("rule %q would be in the merged profile without a decision; merge by hand, with sallyport profiles diff", id)
	}
	m.lines(p, data)
	return &Result{Old: m.old.profile, Reviewed: m.reviewed.profile, New: m.next.profile, Merged: p, Data: data, Outcomes: m.outcomes, Warning: m.otherFlags()}, nil
}

// lines finds the line of each outcome in the merged text, and orders the outcomes.
func (m *merger) lines(p *rules.Profile, data []byte) {
	at := map[string]int{} // the first line of each NOTE -> its number
	for i, line := range strings.Split(string(data), "\n") {
		if at[line] == 0 {
			at[line] = i + 1
		}
	}
	for i := range m.outcomes {
		o := &m.outcomes[i]
		if o.first != "" {
			o.Line = at[o.first]
			continue
		}
		for _, r := range p.Rules {
			if r.ID == o.ID && o.Kind != Removed {
				o.Line = r.Line
			}
		}
	}
	order := kinds()
	slices.SortStableFunc(m.outcomes, func(a, b Outcome) int {
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
}
