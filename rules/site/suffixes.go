// Public suffixes below a name: a wildcard that is not a public suffix may still contain
// one, under which anyone can register a name.

package site

import (
	_ "embed"
	"strings"

	"sallyport/rules"

	"golang.org/x/net/publicsuffix"
)

// suffixParents has a line for each name that is above a public suffix but not a public
// suffix itself: the name, and the shortest suffix below it. The library answers for one
// name and cannot list the suffixes below it. So a test makes this file from the source of
// the library's list, and fails if they differ.
//
//go:embed suffixes.txt
var suffixParents string

// suffixBelow returns a public suffix below n, or "" if there is none. n is not a public
// suffix itself.
func suffixBelow(n rules.Name) string {
	_, after, found := strings.Cut(suffixParents, "\n"+n.String()+" ")
	if !found {
		return ""
	}
	suffix, _, _ := strings.Cut(after, "\n")
	return suffix
}

// managed reports whether n is a public suffix of ICANN's part of the list, like com or
// co.uk. An internal top-level name, like corp, is not.
func managed(n rules.Name) bool {
	suffix, icann := publicsuffix.PublicSuffix(n.String())
	return icann && suffix == n.String()
}
