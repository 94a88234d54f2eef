// Texts for problems: the kind of a value, lists in quotes, the text that was probably meant.

package tomldoc

import (
	"fmt"
	"strconv"
	"strings"
	"time"

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
