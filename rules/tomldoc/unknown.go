// Unknown: the keys of a table that were not read.

package tomldoc

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Done adds an error for every key that was not read. If such a key is the misspelling of a key
// that is missing, the two are one error.
func (t *Table) Done() {
	for _, key := range t.Keys() {
		if t.used[key] {
			continue
		}
		known := slices.Sorted(maps.Keys(t.used))
		cure := "known here: " + strings.Join(known, ", ")
		if near := nearestText(key, known); near != "" {
			cure = "did you mean " + strconv.Quote(near) + "?"
			if i, ok := t.missing[near]; ok {
				t.Doc.problems[i].Text = ""
			}
		}
		if t.ofTheFile(key) {
			cure = "it belongs to the top of the file: move it above the first [table]"
		}
		t.Doc.Errorf(t.Line(key), "unknown key %q: %s", key, cure)
	}
}

// ofTheFile reports whether an unknown key belongs to the top of the file. A line that is
// appended to a file ends up in its last table.
func (t *Table) ofTheFile(key string) bool {
	_, isTable := t.m[key].(map[string]any)
	top := t.Doc.top
	return t.path != "" && !isTable && top != nil && top.used[key] && !top.subs[key]
}
