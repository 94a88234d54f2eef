// Typed, strict reading of TOML tables: what is not asked for is an error, and
// every error names its line.

package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A table is one TOML table and what was read of it.
type table struct {
	doc  *tomlDoc
	path string // "" at the top, else with a trailing dot
	m    map[string]any
	used map[string]bool
}

// line returns where key is, else where the table is.
func (t *table) line(key string) int {
	if l, ok := t.doc.at[t.path+key]; ok {
		return l
	}
	return t.doc.at[strings.TrimSuffix(t.path, ".")]
}

// lineOf returns the line of an element of a list: the first one from the
// key's line on that has it in quotes.
func (t *table) lineOf(key, element string) int {
	from := t.line(key)
	for i := max(from, 1); i <= len(t.doc.lines); i++ {
		l := t.doc.lines[i-1]
		if strings.Contains(l, `"`+element+`"`) || strings.Contains(l, `'`+element+`'`) {
			return i
		}
		if i > from && strings.Contains(l, "=") {
			break
		}
	}
	return from
}

func (t *table) errorf(key, format string, args ...any) {
	t.doc.add(t.line(key), "%s: %s", key, fmt.Sprintf(format, args...))
}

// has tells whether a key is there. To ask makes the key a known one.
func (t *table) has(key string) bool {
	t.used[key] = true
	_, ok := t.m[key]
	return ok
}

// lacks tells whether a list is absent or empty.
func (t *table) lacks(key string) bool {
	list, ok := t.m[key].([]any)
	return !t.has(key) || ok && len(list) == 0
}

// missing reports a required key that is not there.
func (t *table) missing(key, cure string) {
	t.doc.add(t.line(""), "%s%s is missing: %s", t.place(), key, cure)
}

// place names the table for people: an element of an array by its own name
// where it has one.
func (t *table) place() string {
	path, isElement := strings.CutSuffix(t.path, "].")
	at := strings.LastIndexByte(path, '[')
	if !isElement || at < 0 {
		return t.path
	}
	n, _ := strconv.Atoi(path[at+1:])
	kind := path[:at]
	if _, inner, ok := strings.Cut(kind, "]."); ok { // within another array's element
		kind = kind[:strings.IndexByte(kind, '[')] + "." + inner
	}
	for _, key := range []string{"id", "name", "suffix"} {
		if s, _ := t.m[key].(string); s != "" {
			return kind + " " + strconv.Quote(s) + ": "
		}
	}
	return "the " + ordinal(n+1) + " [[" + kind + "]]: "
}

func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// value gives the value of a key as T; the zero T if it is absent or has
// another type, which is an error.
func value[T any](t *table, key, kind string) (v T, ok bool) {
	t.used[key] = true
	raw, there := t.m[key]
	if !there {
		return v, false
	}
	v, ok = raw.(T)
	if !ok {
		t.errorf(key, "must be %s, not %s", kind, kindOf(raw))
	}
	return v, ok
}

func (t *table) str(key string) string {
	s, _ := value[string](t, key, "a string")
	return s
}

func (t *table) boolean(key string) bool {
	b, _ := value[bool](t, key, "true or false")
	return b
}

// integer reads a number from lo to hi; def where the key is absent.
func (t *table) integer(key string, def, lo, hi int) int {
	n, ok := value[int64](t, key, "a whole number")
	if !ok {
		return def
	}
	if n < int64(lo) || n > int64(hi) {
		t.errorf(key, "%d is not from %d to %d", n, lo, hi)
		return def
	}
	return int(n)
}

// duration reads "5s" or "10m", at least lo; def where the key is absent.
func (t *table) duration(key string, def, lo time.Duration) time.Duration {
	s, ok := value[string](t, key, `a duration like "5s" or "10m"`)
	if !ok {
		return def
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < lo || v > math.MaxInt64/2 {
		t.errorf(key, "%q is not a duration of at least %v, like \"5s\" or \"10m\"", s, lo)
		return def
	}
	return v
}

// choice reads one of a closed set; the first is the default.
func (t *table) choice(key string, options ...string) string {
	s, ok := value[string](t, key, "a string")
	if !ok {
		return options[0]
	}
	if !slices.Contains(options, s) {
		t.errorf(key, "%q is not one of %s", s, quoteList(options))
		return options[0]
	}
	return s
}

// strs reads a list of strings.
func (t *table) strs(key string) []string {
	list, ok := value[[]any](t, key, "a list of strings")
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			t.errorf(key, "must be a list of strings, and has %s in it", kindOf(e))
			return nil
		}
		if slices.Contains(out, s) {
			t.doc.add(t.lineOf(key, s), "%s: %q is listed twice", key, s)
		}
		out = append(out, s)
	}
	return out
}

// sub reads [key]; an empty table where it is absent.
func (t *table) sub(key string) *table {
	m, _ := value[map[string]any](t, key, "a table")
	return &table{doc: t.doc, path: t.path + key + ".", m: m, used: map[string]bool{}}
}

// subs reads [[key]].
func (t *table) subs(key string) []*table {
	t.used[key] = true
	raw, there := t.m[key]
	if !there {
		return nil
	}
	list, ok := raw.([]map[string]any)
	if !ok {
		t.errorf(key, "must be written as [[%s%s]]", t.path, key)
		return nil
	}
	out := make([]*table, len(list))
	for i, m := range list {
		out[i] = &table{doc: t.doc, path: t.path + key + "[" + strconv.Itoa(i) + "].", m: m, used: map[string]bool{}}
	}
	return out
}

// keys lists the keys of a table whose names are the site's, sorted.
func (t *table) keys() []string { return slices.Sorted(maps.Keys(t.m)) }

// done reports every key that nobody asked for.
func (t *table) done() {
	for _, key := range t.keys() {
		if t.used[key] {
			continue
		}
		known := slices.Sorted(maps.Keys(t.used))
		cure := "known here: " + strings.Join(known, ", ")
		if near := nearestText(key, known); near != "" {
			cure = "did you mean " + strconv.Quote(near) + "?"
		}
		if t.ofTheFile(key) {
			cure = "it is none of this table's, but of the whole file's: put it in front of the first [table]"
		}
		t.doc.add(t.line(key), "unknown key %q: %s", key, cure)
	}
}

// ofTheFile tells whether an unknown key is one that belongs to no table. What
// is appended to a file ends up in its last one.
func (t *table) ofTheFile(key string) bool {
	_, isTable := t.m[key].(map[string]any)
	return t.path != "" && !isTable && t.doc.top != nil && t.doc.top.used[key]
}

func kindOf(v any) string {
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

func quoteList(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = strconv.Quote(s)
	}
	return strings.Join(q, ", ")
}

// nearestText returns the candidate that is at most two edits away, "" if none.
func nearestText(s string, candidates []string) string {
	best, at := "", 3
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(s), strings.ToLower(c)); d < at && d < len(c) {
			best, at = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// date reads a date, bare or in quotes.
func (t *table) date(key string) time.Time {
	t.used[key] = true
	switch v := t.m[key].(type) {
	case time.Time:
		return time.Date(v.Year(), v.Month(), v.Day(), 0, 0, 0, 0, time.UTC)
	case string:
		if d, err := time.Parse(time.DateOnly, v); err == nil {
			return d
		}
	}
	t.errorf(key, "must be a date like 2027-06-30")
	return time.Time{}
}

// version reads a product version; "" where absent.
func (t *table) version(key string) string {
	s := t.str(key)
	if t.has(key) && !validVersion(s) {
		t.errorf(key, "%q is not a version like \"6.0.4\" or \"14.3 RU8\"", s)
	}
	return s
}
