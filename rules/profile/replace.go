// Replace: which shipped profile the profile of a file replaces.

package profile

import (
	"fmt"
	"slices"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// Replaced returns the shipped profile that the profile of a file replaces; nil if the
// profile has a name of its own. A file with the name of a shipped profile must give the
// version of its document or its revision, so that rules are replaced only by a person who has
// seen them. Otherwise Replaced returns a problem.
func Replaced(p *rules.Profile, shipped []*rules.Profile) (*rules.Profile, rules.Problems) {
	problem := func(line int, format string, args ...any) rules.Problems {
		return rules.Problems{{File: p.File, Line: line, Text: fmt.Sprintf(format, args...)}}
	}
	i := slices.IndexFunc(shipped, func(o *rules.Profile) bool { return o.Name == p.Name })
	if i < 0 {
		if p.Replaces == "" {
			return nil, nil
		}
		known := make([]string, len(shipped))
		for i, o := range shipped {
			known[i] = o.Name
		}
		return nil, problem(p.ReplacesLine, "replaces: no shipped profile has the name %q, so that there is nothing to replace%s", p.Name, tomldoc.DidYouMean(p.Name, known, "the shipped profiles are"))
	}
	old := shipped[i]
	switch p.Replaces {
	case "":
		return nil, problem(p.Line, "name: %q is the name of a shipped profile: choose another name, or, to replace the shipped one, write replaces = %q", p.Name, old.Revision)
	case old.Revision, old.Document.Version:
		return old, nil
	}
	return nil, problem(p.ReplacesLine, "replaces: the shipped profile %s has %s, not %q: compare the two profiles, then write replaces = %q", p.Name, Identity(old), p.Replaces, old.Revision)
}

// Identity returns the version of a profile's document and the revision of the profile.
func Identity(p *rules.Profile) string {
	if p.Document.Version == "" {
		return "revision " + p.Revision
	}
	return fmt.Sprintf("version %s, revision %s", p.Document.Version, p.Revision)
}
