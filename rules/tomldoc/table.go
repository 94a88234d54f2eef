// Tables: typed, strict reading. A key that was not read is an error, and every error has its
// line.

package tomldoc

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Table is one TOML table. It remembers which of its keys were read.
type Table struct {
	Doc  *Document
	path string // "" at the top, else with a trailing dot
	m    map[string]any
	used map[string]bool
	subs map[string]bool // the keys of used that are tables

	// The keys with an error. If the value is true, the key has the wrong type.
	faulty map[string]bool

	missing map[string]int // the problem of each key that is missing: its place in the list of problems
}

// Line returns the line of a key; without that key, the line of the table.
func (t *Table) Line(key string) int {
	if l, ok := t.Doc.at[t.path+key]; ok {
		return l
	}
	return t.Doc.at[strings.TrimSuffix(t.path, ".")]
}

// LineOf returns the line of an element of a list: the first line, from the key's line on,
// that has the element in quotes.
func (t *Table) LineOf(key, element string) int {
	from := t.Line(key)
	if t.Doc.quoted[from] == nil {
		t.Doc.quote(from)
	}
	if line, ok := t.Doc.quoted[from][element]; ok {
		return line
	}
	return from
}

// Errorf adds an error about a key. A key of the wrong type has one error: what its reader
// concludes from the absent value is no second one.
func (t *Table) Errorf(key, format string, args ...any) {
	if t.faulty[key] {
		return
	}
	t.fault(key, false)
	t.Doc.Errorf(t.Line(key), "%s: %s", key, fmt.Sprintf(format, args...))
}

// mistype adds an error about a key of the wrong type.
func (t *Table) mistype(key, format string, args ...any) {
	t.Errorf(key, format, args...)
	t.fault(key, true)
}

func (t *Table) fault(key string, wrongType bool) {
	if t.faulty == nil {
		t.faulty = map[string]bool{}
	}
	t.faulty[key] = wrongType
}

// Has reports whether the table has a key, and marks the key as read.
func (t *Table) Has(key string) bool {
	t.used[key] = true
	_, ok := t.m[key]
	return ok
}

// Raw returns the value of a key as the TOML library gives it, and marks the key
// as read.
func (t *Table) Raw(key string) (any, bool) {
	t.used[key] = true
	v, ok := t.m[key]
	return v, ok
}

// MarkRead marks keys as read without reading them.
func (t *Table) MarkRead(keys ...string) {
	for _, key := range keys {
		t.used[key] = true
	}
}

// Lacks reports whether a list is absent or empty, and marks its key as read.
func (t *Table) Lacks(key string) bool {
	list, ok := t.m[key].([]any)
	return !t.Has(key) || ok && len(list) == 0
}

// Missing adds an error about a required key that the table does not have. It adds none if
// the key is there and has an error already.
func (t *Table) Missing(key, cure string) {
	if _, ok := t.faulty[key]; ok {
		return
	}
	if t.missing == nil {
		t.missing = map[string]int{}
	}
	t.missing[key] = len(t.Doc.problems)
	t.Doc.Errorf(t.Line(""), "%s%s is missing: %s", t.place(), key, cure)
}

// place returns the name of the table for people. An element of an array has its own name, or
// its number.
func (t *Table) place() string {
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

// value returns the value of a key as T. It returns the zero T if the key is absent, or if the
// value has another type, which is an error.
func value[T any](t *Table, key, kind string) (v T, ok bool) {
	t.used[key] = true
	raw, there := t.m[key]
	if !there {
		return v, false
	}
	v, ok = raw.(T)
	if !ok {
		t.mistype(key, "must be %s, not %s", kind, KindOf(raw))
	}
	return v, ok
}

// Str reads a string; "" if the key is absent.
func (t *Table) Str(key string) string {
	s, _ := value[string](t, key, "a string")
	return s
}

// Bool reads true or false; false if the key is absent.
func (t *Table) Bool(key string) bool {
	b, _ := value[bool](t, key, "true or false")
	return b
}

// Int reads a whole number from lo to hi; def if the key is absent.
func (t *Table) Int(key string, def, lo, hi int) int {
	n, ok := value[int64](t, key, "a whole number")
	if !ok {
		return def
	}
	if n < int64(lo) || n > int64(hi) {
		t.Errorf(key, "%d is not from %d to %d", n, lo, hi)
		return def
	}
	return int(n)
}

// Duration reads a duration of at least lo, like "5s" or "10m"; def if the key is absent.
func (t *Table) Duration(key string, def, lo time.Duration) time.Duration {
	s, ok := value[string](t, key, `a duration like "5s" or "10m"`)
	if !ok {
		return def
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < lo || v > math.MaxInt64/2 {
		t.Errorf(key, "%q is not a duration of at least %v, like \"5s\" or \"10m\"", s, lo)
		return def
	}
	return v
}

// Choice reads one of a closed set of texts; the first one is the default.
func (t *Table) Choice(key string, options ...string) string {
	s, ok := value[string](t, key, "a string")
	if !ok {
		return options[0]
	}
	if !slices.Contains(options, s) {
		t.Errorf(key, "%q is not one of %s", s, QuoteList(options))
		return options[0]
	}
	return s
}

// Strs reads a list of strings.
func (t *Table) Strs(key string) []string {
	list, ok := value[[]any](t, key, "a list of strings")
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			t.mistype(key, "must be a list of strings, but contains %s in it", KindOf(e))
			return nil
		}
		if seen[s] {
			t.Doc.Errorf(t.LineOf(key, s), "%s: %q is listed twice", key, s)
		}
		seen[s] = true
		out = append(out, s)
	}
	return out
}

// Sub reads the table [key]; an empty table if it is absent.
func (t *Table) Sub(key string) *Table {
	m, _ := value[map[string]any](t, key, "a table")
	t.isTable(key)
	return &Table{Doc: t.Doc, path: t.path + key + ".", m: m, used: map[string]bool{}}
}

// Subs reads the array of tables [[key]].
func (t *Table) Subs(key string) []*Table {
	t.used[key] = true
	t.isTable(key)
	raw, there := t.m[key]
	if !there {
		return nil
	}
	list, ok := raw.([]map[string]any)
	if !ok {
		t.mistype(key, "must be written as [[%s%s]]", t.path, key)
		return nil
	}
	out := make([]*Table, len(list))
	for i, m := range list {
		out[i] = &Table{Doc: t.Doc, path: t.path + key + "[" + strconv.Itoa(i) + "].", m: m, used: map[string]bool{}}
	}
	return out
}

func (t *Table) isTable(key string) {
	if t.subs == nil {
		t.subs = map[string]bool{}
	}
	t.subs[key] = true
}

// Keys lists the keys of the table, sorted.
func (t *Table) Keys() []string { return slices.Sorted(maps.Keys(t.m)) }
