// Public suffixes below a name: whether a wildcard, although it is none itself,
// holds domains under which anybody can have names.

package site

import (
	_ "embed"
	"strings"

	"sallyport/rules"

	"golang.org/x/net/publicsuffix"
)

// suffixParents has a line for each name that is above a public suffix and is
// none itself: the name, and the shortest of the suffixes below it. The library
// answers for one name and cannot list what is below it, so a test makes this
// file from the list that the library was made of, and fails where they differ.
//
//go:embed suffixes.txt
var suffixParents string

// suffixBelow returns a public suffix that a wildcard on n holds; "": there is
// none. It is for a wildcard that wildcardTooWide lets pass.
func suffixBelow(n rules.Name) string {
	_, after, found := strings.Cut(suffixParents, "\n"+n.String()+" ")
	if !found {
		return ""
	}
	suffix, _, _ := strings.Cut(after, "\n")
	return suffix
}

// managed tells whether n is a public suffix that ICANN's part of the list
// names, like com or co.uk; an internal top-level name, like corp, is not.
func managed(n rules.Name) bool {
	suffix, icann := publicsuffix.PublicSuffix(n.String())
	return icann && suffix == n.String()
}
