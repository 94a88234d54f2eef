// Texts: profiles as text, parsed all together, and the result as JSON.

package lint

import (
	"cmp"
	"fmt"
	"slices"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// A Text is the content of a profile's file, or the reason why it cannot be read.
type Text struct {
	File string
	Data []byte
	Err  error
}

// Texts parses profiles and checks them. It reports every error of every text, and the
// findings about every text that can be read as TOML. It returns the profiles without errors.
// The known profiles are the profiles to compare with, such as the shipped profiles.
func Texts(texts []Text, known []*rules.Profile) (sound []*rules.Profile, findings []Finding) {
	var readable []*rules.Profile
	of := map[string][]Finding{} // by file
	named := map[string]*rules.Profile{}
	for _, t := range texts {
		p, problems := read(t)
		if p != nil && p.Name != "" && named[p.Name] != nil {
			problems = append(problems, rules.Problem{File: t.File, Line: p.Line,
				Text: fmt.Sprintf("name: the profile %q is also in %s: give one of them another name", p.Name, named[p.Name].File)})
		}
		if p != nil && p.Replaces != "" { // without it, the text may be that of the shipped profile itself
			_, wrong := profile.Replaced(p, known)
			problems = append(problems, wrong...)
		}
		for _, problem := range problems {
			of[t.File] = append(of[t.File], Finding{Problem: problem, Check: Syntax})
		}
		if p == nil {
			continue
		}
		readable = append(readable, p)
		if problems.Err() == nil {
			named[p.Name] = p
			sound = append(sound, p)
		}
	}
	for _, f := range Profiles(readable, known) {
		if f.Check == Unused && !slices.ContainsFunc(sound, func(p *rules.Profile) bool { return p.File == f.File }) {
			continue // an error of a rule can hide what the rule names
		}
		of[f.File] = append(of[f.File], f)
	}
	for _, t := range texts {
		slices.SortStableFunc(of[t.File], func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
		findings = append(findings, of[t.File]...)
		delete(of, t.File)
	}
	return sound, findings
}

// read parses one text. The profile is nil if the text is no TOML.
func read(t Text) (*rules.Profile, rules.Problems) {
	if t.Err != nil {
		return nil, rules.Problems{{File: t.File, Text: t.Err.Error()}}
	}
	if len(t.Data) > profile.MaxSize {
		return nil, rules.Problems{{File: t.File, Text: fmt.Sprintf("the file is larger than %d MiB: no configuration reads it; divide it into several profiles", profile.MaxSize>>20)}}
	}
	return profile.Read(t.File, t.Data)
}

// JSON is the result as sallyport profiles check --json prints it.
type JSON struct {
	Good     bool          `json:"good"` // no error
	Profiles []string      `json:"profiles"`
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Noted    int           `json:"noted"`
	Findings []FindingJSON `json:"findings"`
}

// A FindingJSON is a finding of a JSON.
type FindingJSON struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Severity string `json:"severity"`
	Check    Check  `json:"check"`
	Rule     string `json:"rule,omitempty"`
	Text     string `json:"text"`
	Note     string `json:"note,omitempty"`
}

// NewJSON returns the JSON form of a result.
func NewJSON(profiles []*rules.Profile, findings []Finding) JSON {
	j := JSON{Profiles: []string{}, Findings: []FindingJSON{}}
	for _, p := range profiles {
		j.Profiles = append(j.Profiles, p.Name)
	}
	for _, f := range findings {
		switch f.Severity() {
		case "error":
			j.Errors++
		case "warning":
			j.Warnings++
		default:
			j.Noted++
		}
		j.Findings = append(j.Findings, FindingJSON{f.File, f.Line, f.Severity(), f.Check, f.Rule, f.Text, f.Note})
	}
	j.Good = j.Errors == 0
	return j
}
