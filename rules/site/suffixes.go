// Public suffixes below a name: a wildcard that is not a public suffix may still contain
// one, under which anyone can register a name.

package site

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

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

// suffixOf returns the suffix below each name of suffixParents.
var suffixOf = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(suffixParents) {
		if name, suffix, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && name != "#" {
			out[name] = suffix
		}
	}
	return out
})

// suffixBelow returns a public suffix below n, or "" if there is none. n is not a public
// suffix itself.
func suffixBelow(n rules.Name) string {
	return suffixOf()[n.String()]
}

// permitsSuffix is the warning about a wildcard above a public suffix.
func permitsSuffix(d rules.Destination, suffix string) string {
	return fmt.Sprintf("%s also permits *.%s, a public suffix under which anyone can register a name; name the domains", d, strings.TrimPrefix(suffix, "*."))
}

// managed reports whether n is a public suffix of ICANN's part of the list, like com or
// co.uk. An internal top-level name, like corp, is not.
func managed(n rules.Name) bool {
	suffix, icann := publicsuffix.PublicSuffix(n.String())
	return icann && suffix == n.String()
}
