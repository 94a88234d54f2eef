// Texts: profiles as text, parsed all together, and the result as JSON.

package lint

import (
	"errors"
	"fmt"

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
// findings about the texts that have no error. The known profiles are those to compare with,
// such as the shipped ones.
func Texts(texts []Text, known []*rules.Profile) (profiles []*rules.Profile, findings []Finding) {
	named := map[string]*rules.Profile{}
	broken := map[string][]Finding{}
	for _, t := range texts {
		p, err := (*rules.Profile)(nil), t.Err
		if err == nil {
			p, err = profile.Parse(t.File, t.Data)
		}
		var problems rules.Problems
		switch {
		case errors.As(err, &problems):
		case err != nil:
			problems = rules.Problems{{File: t.File, Text: err.Error()}}
		case named[p.Name] != nil:
			problems = rules.Problems{{File: t.File, Line: 1, Text: fmt.Sprintf("name: the profile %q is also in %s: give one of them another name", p.Name, named[p.Name].File)}}
		}
		for _, p := range problems {
			broken[t.File] = append(broken[t.File], Finding{Problem: p, Check: Syntax})
		}
		if problems == nil {
			named[p.Name] = p
			profiles = append(profiles, p)
		}
	}
	sound := map[string][]Finding{}
	for _, f := range Profiles(profiles, known) {
		sound[f.File] = append(sound[f.File], f)
	}
	for _, t := range texts {
		findings = append(findings, broken[t.File]...)
		findings = append(findings, sound[t.File]...)
		delete(broken, t.File)
		delete(sound, t.File)
	}
	return profiles, findings
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
