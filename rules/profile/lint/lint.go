// Package lint looks at profiles as a second reader does: it finds what is valid, but often a
// mistake of the document or of the person who typed it.
//
// The parser reports the errors. The checks here report findings that a person should
// compare with the document once more. A note in the rule answers a finding: it stays
// visible, and counts as explained.
package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// A Check is one kind of finding.
type Check string

// The checks.
const (
	Syntax    Check = "syntax"    // an error of the parser
	Spelling  Check = "spelling"  // a name is one edit away from another name
	Shared    Check = "shared"    // other customers of a provider can have such a name
	Wildcard  Check = "wildcard"  // a wildcard among exact names
	Source    Check = "source"    // a blank purpose, or no section
	Ports     Check = "ports"     // more ports than a service needs
	Special   Check = "special"   // an address that no host of the Internet has
	Role      Check = "role"      // a port that the document gives to another role
	Unused    Check = "unused"    // a feature, a port or a party that no rule names
	Undecided Check = "undecided" // a row of the document that is still a NOTE
)

// A Finding is one thing in a profile that a person should look at.
type Finding struct {
	rules.Problem
	Check Check
	Rule  string // profile/id; "" for an error of the parser, and for a finding about the whole profile
	Note  string // the note of the rule that explains the finding; "" if none does

	Subject string // what a note contains that explains the finding; "": no note can
}

// Noted reports whether a note of the rule explains the finding.
func (f Finding) Noted() bool { return f.Note != "" }

// Severity returns "error", "warning" or "noted".
func (f Finding) Severity() string {
	switch {
	case !f.Warning:
		return "error"
	case f.Noted():
		return "noted"
	}
	return "warning"
}

// String returns the finding as one line: "file:line: warning: text".
func (f Finding) String() string {
	if !f.Noted() {
		return f.Problem.String()
	}
	p := f.Problem
	p.Warning = false
	p.Text = fmt.Sprintf("noted: %s (note: %s)", p.Text, f.Note)
	return p.String()
}

// Problems returns the findings that no note explains.
func Problems(findings []Finding) (out rules.Problems) {
	for _, f := range findings {
		if !f.Noted() {
			out = append(out, f.Problem)
		}
	}
	return out
}

// Profiles checks profiles and returns the findings, in the order of the profiles and
// their lines. It compares their names with each other and with the names of known
// profiles. It does not check the known profiles.
func Profiles(checked, known []*rules.Profile) []Finding {
	var out []Finding
	spelled, list := spelling(checked, known), providers()
	for _, p := range checked {
		c := checker{profile: p, known: known, providers: list}
		c.count()
		c.unused()
		c.undecided()
		for _, r := range p.Rules {
			c.check(r)
			for _, s := range spelled[r] {
				c.find(r, Spelling, s.text, s.cure, s.subjects...)
			}
		}
		slices.SortStableFunc(c.found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
		out = append(out, c.found...)
	}
	return out
}

// FromFiles takes the profiles of a configuration, and checks the profiles that come from
// files. It compares them with all profiles of the configuration, and with the shipped
// profiles that they replace.
func FromFiles(profiles []*rules.Profile) []Finding {
	var files []*rules.Profile
	known := slices.Clone(profiles)
	for _, p := range profiles {
		if p.Origin != "" {
			files = append(files, p)
		}
		if p.Replaced != nil {
			known = append(known, p.Replaced)
		}
	}
	return Profiles(files, known)
}

// A checker checks one profile.
type checker struct {
	profile   *rules.Profile
	known     []*rules.Profile
	providers []provider
	exact     []listed // the exact names of the profile
	names     int      // how many exact names they are: a name can be in several rules
	wild      int      // how many wildcards the profile has
	found     []Finding
}

// A listed is a destination with the rule that lists it.
type listed struct {
	rules.Destination
	rule *rules.Rule
}

// count counts exact names and wildcards.
func (c *checker) count() {
	seen := map[rules.Destination]bool{}
	for _, r := range c.profile.Rules {
		for _, d := range r.To {
			switch first := !seen[d]; {
			case d.Name.IsZero():
			case d.Wildcard && first:
				c.wild++
			case d.Wildcard:
			case first:
				c.names++
				fallthrough
			default:
				c.exact = append(c.exact, listed{d, r})
			}
			seen[d] = true
		}
	}
}

// check applies the checks of a single rule.
func (c *checker) check(r *rules.Rule) {
	if r.Purpose != "" && strings.TrimSpace(r.Purpose) == "" { // the parser reports a missing purpose
		c.find(r, Source, "purpose is blank", "write the purpose that the document gives for this row")
	}
	if strings.TrimSpace(r.Section) == "" {
		c.find(r, Source, "section is missing", "name the part of the document that has this row, so that the next reader finds it")
	}
	c.ports(r)
	c.roles(r)
	for _, d := range r.To {
		c.special(r, d)
		c.shared(r, d)
		c.wildcard(r, d)
		c.unconditional(r, d)
	}
}

// find adds a finding about a rule: what is doubtful, and the cure. The note of the rule
// explains the finding if the note contains one of the subjects. The finding then has no
// cure.
func (c *checker) find(r *rules.Rule, check Check, what, cure string, subjects ...string) {
	f := Finding{
		Problem: rules.Problem{File: r.File, Line: r.Line, Text: fmt.Sprintf("rule %q: %s", r.ID, what), Warning: true},
		Check:   check, Rule: r.String(),
	}
	if slices.ContainsFunc(subjects, func(s string) bool { return hasWord(r.Note, s) }) {
		f.Note = r.Note
	} else {
		f.Text += "; " + cure
	}
	if len(subjects) > 0 {
		f.Subject = subjects[0]
	}
	c.found = append(c.found, f)
}

// hasWord reports whether text contains word, and not only as a part of a longer name or
// number.
func hasWord(text, word string) bool {
	inName := func(c byte) bool {
		return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for from := 0; word != ""; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return false
		}
		at += from
		end := at + len(word)
		before := at == 0 || !inName(text[at-1]) && text[at-1] != '.'
		after := end == len(text) || !inName(text[end]) && (text[end] != '.' || end+1 == len(text) || !inName(text[end+1]))
		if before && after {
			return true
		}
		from = at + 1
	}
	return false
}
