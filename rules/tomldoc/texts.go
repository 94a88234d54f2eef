// Texts for problems: the kind of a value, lists in quotes, the text that was probably meant.

package tomldoc

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// KindOf names the kind of a TOML value, like "a string".
func KindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case bool:
		return "true or false"
	case time.Time:
		return "a date"
	case []any:
		return "a list"
	case map[string]any, []map[string]any:
		return "a table"
	}
	return fmt.Sprintf("%T", v)
}

// QuoteList writes texts in quotes, joined by commas.
func QuoteList(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = strconv.Quote(s)
	}
	return strings.Join(q, ", ")
}

// nearestText returns the candidate that is at most two edits away; "" if there is none.
func nearestText(s string, candidates []string) string {
	best, at := "", 3
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(strings.ToLower(s), strings.ToLower(c)); d < at && d < len(c) {
			best, at = c, d
		}
	}
	return best
}

// DidYouMean returns the end of a problem about an unknown text: the nearest known text, or
// intro and all known texts.
func DidYouMean(s string, known []string, intro string) string {
	if near := nearestText(s, known); near != "" {
		return ": did you mean " + strconv.Quote(near) + "?"
	}
	return "; " + intro + " " + QuoteList(known)
}

// Text reads a text for people, which is printed as it is: on terminals, on pages, in the
// comments of exports. The text has one line: a line break becomes a space. A character that
// terminals obey, or that hides or turns a part of the text, is an error.
func (t *Table) Text(key string) string {
	s := strings.ReplaceAll(t.Str(key), "\r\n", "\n")
	if strings.Contains(s, "\n") {
		s = strings.TrimSpace(strings.ReplaceAll(s, "\n", " "))
	}
	return strings.Map(func(r rune) rune {
		if !disguises(r) {
			return r
		}
		t.Errorf(key, "has the character %U, which terminals obey or which hides text: remove it, and write the text in plain characters", r)
		return ' '
	}, s)
}

// disguises reports whether a character makes people see another text: the control
// characters but the tab, the separators of lines and paragraphs, and the characters that
// turn the direction of writing.
func disguises(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		'\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}
