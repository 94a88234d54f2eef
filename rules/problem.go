// Problem: one mistake in a file with its line, and the list of all mistakes.

package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one error or warning about a configuration or profile.
type Problem struct {
	File    string
	Line    int // 0: the whole file
	Text    string
	Warning bool
}

// String returns "file:line: text".
func (p Problem) String() string {
	text := p.Text
	if p.Warning {
		text = "warning: " + text
	}
	if p.Line == 0 {
		return p.File + ": " + text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, text)
}

// Problems is a list of errors and warnings. As an error it has the text of the errors
// only.
type Problems []Problem

// Error returns every error, one in each line.
func (ps Problems) Error() string {
	var b strings.Builder
	for _, p := range ps {
		if !p.Warning {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(p.String())
		}
	}
	return b.String()
}

// Err returns ps as an error if it contains an error, and nil otherwise.
func (ps Problems) Err() error {
	for _, p := range ps {
		if !p.Warning {
			return ps
		}
	}
	return nil
}

// Sorted sorts ps by file and line, and returns it without repetitions.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(ps)
}
