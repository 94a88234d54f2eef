// Public suffixes below a name: whether a wildcard, although it is none itself,
// holds domains under which anybody can have names.

package rules

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// suffixParents has a line for each name that is above a public suffix and is
// none itself: the name, and the shortest of the suffixes below it. The library
// answers for one name and cannot list what is below it, so a test makes this
// file from the list that the library was made of, and fails where they differ.
//
//go:embed suffixes.txt
var suffixParents string

// wildcardTooWide refuses a wildcard under which strangers can register names:
// a public suffix, or a name of whose children each is one, like kawasaki.jp.
func wildcardTooWide(n Name) error {
	if isSuffix(n.s) {
		return errors.New("anybody can have a name under this public suffix; name the domain")
	}
	if below := "any-child." + n.s; isSuffix(below) {
		return fmt.Errorf("each name below %s is a public suffix, under which anybody can have names; name the domain", n)
	}
	return nil
}

// isSuffix tells whether a name is on the list of public suffixes, or is a
// top-level name that the list does not know.
func isSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

// suffixBelow returns a public suffix that a wildcard on n holds; "": there is
// none. It is for a wildcard that wildcardTooWide lets pass.
func suffixBelow(n Name) string {
	_, after, found := strings.Cut(suffixParents, "\n"+n.s+" ")
	if !found {
		return ""
	}
	suffix, _, _ := strings.Cut(after, "\n")
	return suffix
}

// managed tells whether n is a public suffix that ICANN's part of the list
// names, like com or co.uk; an internal top-level name, like corp, is not.
func managed(n Name) bool {
	suffix, icann := publicsuffix.PublicSuffix(n.s)
	return icann && suffix == n.s
}
