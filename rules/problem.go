// Problem: one mistake in a file with its line, and the list of all mistakes.

package rules

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Problem is one error or warning about a configuration or profile.
type Problem struct {
	File    string
	Line    int // 0: the whole file
	Text    string
	Warning bool
	Serving bool // a warning for a command, and an error for a process that serves

	Cause *fs.PathError // the file that could not be opened; nil: another problem
}

// Unwrap returns the causes of the errors.
func (ps Problems) Unwrap() (causes []error) {
	for _, p := range ps {
		if !p.Warning && p.Cause != nil {
			causes = append(causes, p.Cause)
		}
	}
	return causes
}

// String returns "file:line: text". A file's name with characters that a terminal obeys or
// hides is in quotes.
func (p Problem) String() string {
	text := shown(p.Text)
	if p.Warning {
		text = "warning: " + text
	}
	file := p.File
	if strings.ContainsFunc(file, hidden) {
		file = strconv.Quote(file)
	}
	if p.Line == 0 {
		return file + ": " + text
	}
	return fmt.Sprintf("%s:%d: %s", file, p.Line, text)
}

// shown returns a text with the characters escaped that a terminal obeys or hides. The text
// keeps its lines.
func shown(s string) string {
	keep := func(r rune) bool { return r == '\n' || r == '\t' || !hidden(r) }
	if !strings.ContainsFunc(s, func(r rune) bool { return !keep(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if keep(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// hidden reports whether a terminal obeys or hides a character.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

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

// ToServe returns ps for a process that serves.
func (ps Problems) ToServe() Problems {
	out := slices.Clone(ps)
	for i := range out {
		out[i].Warning = out[i].Warning && !out[i].Serving
	}
	return out
}

// Sorted sorts ps by file and line, and returns it without repetitions.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(ps)
}
