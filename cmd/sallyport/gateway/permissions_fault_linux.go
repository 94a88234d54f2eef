// Fault: joins what is said about several files if one command mends it.

package gateway

import (
	"slices"
	"strings"
)

// A fault is one directory or file that others can change or read.
type fault struct {
	keys []string // of the configuration; "" is the configuration itself
	line int      // of the first key
	text string
	own  bool // it is no fault of the path only
}

// withFault adds a fault. Several files can have one directory in common: what one command mends is
// one fault.
func withFault(found []fault, f fault) []fault {
	cure := func(text string) string { return text[max(0, strings.LastIndex(text, ": ch")):] }
	for i := range found {
		old := &found[i]
		if cure(old.text) != cure(f.text) {
			continue
		}
		if !slices.Contains(old.keys, f.keys[0]) {
			old.keys = append(old.keys, f.keys[0])
		}
		if f.own && !old.own {
			old.text, old.own = f.text, true
		}
		return found
	}
	return append(found, f)
}

// prefix names the keys of the files that have the fault.
func (f fault) prefix() string {
	if len(f.keys) == 1 && f.keys[0] == "" {
		return ""
	}
	names := slices.Clone(f.keys)
	for i, key := range names {
		if key == "" {
			names[i] = "this file"
		}
	}
	return strings.Join(names, ", ") + ": "
}
