// Report: what a merge did, as text and as JSON.

package merge

import (
	"fmt"
	"io"

	"sallyport/rules"
)

// WriteText writes what became of each row and rule, and then the counts. file is the merged
// file; printable makes a text safe for a terminal.
func (r *Result) WriteText(w io.Writer, file string, printable func(string) string) {
	if r.Warning != "" {
		fmt.Fprintln(w, printable("warning   "+r.Warning))
	}
	for _, o := range r.Outcomes {
		at := ""
		if o.Line > 0 {
			at = fmt.Sprintf(" (%s:%d)", file, o.Line)
		}
		id := o.ID
		if id == "" {
			id = "NOTE"
		}
		fmt.Fprintln(w, printable(fmt.Sprintf("%-9s %s: %s%s", o.Kind, id, o.Why, at)))
	}
	same := len(r.Merged.Rules) - r.Count(Added) - r.Count(Follows) - r.Count(Joined) - r.Count(Own) - r.keptRules()
	fmt.Fprintf(w, "%s as before", rules.Counted(same, "rule", "rules"))
	for _, k := range []Kind{Added, Removed, Follows, Joined, Kept, Own} {
		if n := r.Count(k); n > 0 {
			fmt.Fprintf(w, ", %d %s", n, k)
		}
	}
	fmt.Fprintf(w, "; to decide: %s, %d undecided\n", rules.Counted(r.Count(Conflict), "conflict", "conflicts"), r.Count(Undecided))
}

// keptRules counts the kept decisions that are rules, and not rows that were left out.
func (r *Result) keptRules() (n int) {
	for _, o := range r.Outcomes {
		if o.Kind == Kept && o.Line > 0 {
			n++
		}
	}
	return n
}

// JSON is a merge as sallyport profiles merge --json prints it.
type JSON struct {
	Old       Revision      `json:"old"`
	Reviewed  Revision      `json:"reviewed"`
	New       Revision      `json:"new"`
	Merged    Revision      `json:"merged"`
	Conflicts int           `json:"conflicts"`
	Undecided int           `json:"undecided"`
	Warning   string        `json:"warning,omitempty"`
	Outcomes  []OutcomeJSON `json:"outcomes"`
}

// A Revision names one of the profiles.
type Revision struct {
	File     string `json:"file"`
	Version  string `json:"version,omitempty"`
	Revision string `json:"revision"`
	Rules    int    `json:"rules"`
}

// An OutcomeJSON is an Outcome.
type OutcomeJSON struct {
	Outcome Kind   `json:"outcome"`
	ID      string `json:"id,omitempty"`
	Why     string `json:"why"`
	Line    int    `json:"line,omitempty"`
}

// JSON returns the merge in its JSON form. file is the merged file.
func (r *Result) JSON(file string) JSON {
	of := func(p *rules.Profile, file string) Revision {
		return Revision{file, p.Document.Version, p.Revision, len(p.Rules)}
	}
	j := JSON{Old: of(r.Old, r.Old.File), Reviewed: of(r.Reviewed, r.Reviewed.File), New: of(r.New, r.New.File), Merged: of(r.Merged, file),
		Conflicts: r.Count(Conflict), Undecided: r.Count(Undecided), Warning: r.Warning, Outcomes: []OutcomeJSON{}}
	for _, o := range r.Outcomes {
		j.Outcomes = append(j.Outcomes, OutcomeJSON{o.Kind, o.ID, o.Why, o.Line})
	}
	return j
}
