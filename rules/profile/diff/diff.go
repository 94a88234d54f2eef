// Package diff compares two revisions of a profile: which rules were added, removed and
// changed, and how. It prints the comparison for a person who decides whether to load the
// new revision.
package diff

import (
	"slices"

	"sallyport/rules"
)

// A Kind says how a rule changed.
type Kind string

// The kinds of change.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Renamed Kind = "renamed" // another id, of a rule that is plainly the same row
	Changed Kind = "changed"
)

// A Field is one part of a rule or of a profile that differs. If the part is a list, the
// Field has only the elements that were removed and added.
type Field struct {
	Name string
	List bool     // Old has the removed elements of a list, and New the added elements
	Old  []string // if the field is no list: its one value, or nothing if it was empty
	New  []string
}

// A Change is one rule that differs.
type Change struct {
	Kind   Kind
	ID     string // the id in the new revision; of a removed rule, the id in the old revision
	Was    string // the id in the old revision, if the rule was renamed
	Rule   *rules.Rule
	Fields []Field // the fields that differ, of a rule with one id or with another one

	old *rules.Rule // of a changed or renamed rule
}

// A NoteChange is a row that one of the revisions has as a NOTE, and the other one does not
// have in the same words.
type NoteChange struct {
	Kind Kind // Added or Removed
	Note rules.Note
}

// A Result is the comparison of two revisions.
type Result struct {
	Old, New *rules.Profile
	Profile  []Field  // what differs outside of the rules
	Rules    []Change // in the order of the new revision; removed rules last
	Notes    []NoteChange
}

// Compare compares two revisions of a profile.
func Compare(old, now *rules.Profile) *Result {
	r := &Result{Old: old, New: now, Profile: profileFields(old, now), Notes: compareNotes(old.Notes, now.Notes)}
	was := map[string]*rules.Rule{}
	for _, o := range old.Rules {
		was[o.ID] = o
	}
	is := map[string]*rules.Rule{}
	for _, n := range now.Rules {
		is[n.ID] = n
	}
	renamed := renames(r, was, is)
	for _, n := range now.Rules {
		o := was[n.ID]
		if o != nil {
			if fields := ruleFields(old, now, o, n); len(fields) > 0 {
				r.Rules = append(r.Rules, Change{Kind: Changed, ID: n.ID, Rule: n, Fields: fields, old: o})
			}
			continue
		}
		if o = renamed[n]; o == nil {
			r.Rules = append(r.Rules, Change{Kind: Added, ID: n.ID, Rule: n})
			continue
		}
		r.Rules = append(r.Rules, Change{Kind: Renamed, ID: n.ID, Was: o.ID, Rule: n, Fields: ruleFields(old, now, o, n), old: o})
		is[o.ID] = n
	}
	for _, o := range old.Rules {
		if is[o.ID] == nil {
			r.Rules = append(r.Rules, Change{Kind: Removed, ID: o.ID, Rule: o})
		}
	}
	return r
}

// Equal reports whether nothing differs.
func (r *Result) Equal() bool { return len(r.Profile)+len(r.Rules)+len(r.Notes) == 0 }

// anotherText reports whether the documents are two texts whose rules and NOTE rows are equal.
func (r *Result) anotherText() bool {
	return len(r.Rules)+len(r.Notes) == 0 && slices.ContainsFunc(r.Profile, func(f Field) bool { return f.Name == "sha256" || f.Name == "version" })
}

// compareNotes compares the NOTE rows by their words. Two equal rows count twice.
func compareNotes(old, now []rules.Note) (out []NoteChange) {
	words := func(n rules.Note) rules.Note { n.Line = 0; return n }
	left := map[rules.Note]int{}
	for _, n := range old {
		left[words(n)]++
	}
	for _, n := range now {
		if left[words(n)] > 0 {
			left[words(n)]--
		} else {
			out = append(out, NoteChange{Added, n})
		}
	}
	for _, n := range slices.Backward(old) { // of equal rows the last ones are gone
		if left[words(n)] > 0 {
			left[words(n)]--
			out = append(out, NoteChange{Removed, n})
		}
	}
	return out
}

// notesOf counts the NOTE rows of one kind of change.
func (r *Result) notesOf(k Kind) (n int) {
	for _, c := range r.Notes {
		if c.Kind == k {
			n++
		}
	}
	return n
}

// Of returns the changes of one kind.
func (r *Result) Of(k Kind) (out []Change) {
	for _, c := range r.Rules {
		if c.Kind == k {
			out = append(out, c)
		}
	}
	return out
}
