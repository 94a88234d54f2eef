// Product versions: numbers with dots, and the names that vendors give to releases in
// between, such as 14.3 RU8 or 14 RU1 MP2. They are compared number by number.

package rules

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// VersionForms are examples of the versions that can be compared.
const VersionForms = `"6.0.4", "14 MP2" (maintenance patch), "14.3 RU5" (release update), "14 RU1 MP2" or "14.3 RU10 Patch 1"`

// mostVersionNumbers is the number of numbers that a version can have.
const mostVersionNumbers = 8

// versionNames returns the names of releases in their order, each with the place of its
// number. Symantec's page writes 12.1.5 for what Symantec also calls 12.1 RU5, and 14.0.1
// for 14 RU1: a release update is the third number. A maintenance patch (MP) belongs to one
// release update, and is the fourth number.
func versionNames() [3]struct {
	name  string
	place int
} {
	return [...]struct {
		name  string
		place int
	}{{"ru", 2}, {"mp", 3}, {"patch", 4}}
}

// parseVersion returns the numbers of a version: "14.3 RU8" is 14, 3, 8, and "14 MP2" is 14,
// 0, 0, 2. Trailing zeros do not count. It returns nil for a text of another form.
func parseVersion(s string) []int {
	rest := strings.ToLower(s)
	var out []int
	for {
		n, after, ok := leadingNumber(rest)
		if !ok || len(out) == mostVersionNumbers {
			return nil
		}
		out, rest = append(out, n), after
		if !strings.HasPrefix(rest, ".") {
			break
		}
		rest = rest[1:]
	}
	for _, v := range versionNames() {
		after, named := strings.CutPrefix(strings.TrimLeft(rest, " -"), v.name)
		if !named {
			continue
		}
		n, after, ok := leadingNumber(strings.TrimLeft(after, " -"))
		for len(out) <= v.place {
			out = append(out, 0)
		}
		if !ok || slices.ContainsFunc(out[v.place:], func(n int) bool { return n != 0 }) {
			return nil // no number, or its place has one already, as in 14.0.1 RU1
		}
		out[v.place], rest = n, after
	}
	if rest != "" {
		return nil
	}
	for len(out) > 1 && out[len(out)-1] == 0 {
		out = out[:len(out)-1]
	}
	return out
}

// leadingNumber returns the decimal number that s begins with, at most 1<<30, and what
// follows it.
func leadingNumber(s string) (n int, rest string, ok bool) {
	i := 0
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		n = min(n*10+int(s[i]-'0'), 1<<30)
	}
	return n, s[i:], i > 0
}

// CompareVersions compares two versions number by number. A missing number counts as 0.
func CompareVersions(a, b string) int {
	x, y := parseVersion(a), parseVersion(b)
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			m = x[i]
		}
		if i < len(y) {
			n = y[i]
		}
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
	}
	return 0
}

// inVersions reports whether since <= v < until. The version "" is the current one:
// it is after every since and not before any until. A text that is no version is in no
// range.
func inVersions(v, since, until string) bool {
	if v == "" {
		return until == ""
	}
	if since == "" && until == "" {
		return true
	}
	return CheckVersion(v) == nil && (since == "" || CompareVersions(v, since) >= 0) && (until == "" || CompareVersions(v, until) < 0)
}

// CheckVersion returns an error with the forms of versions if s has none of them.
func CheckVersion(s string) error {
	if len(s) > 32 || parseVersion(s) == nil {
		return errors.New("write a version as " + VersionForms)
	}
	return nil
}

func versionRange(r *Rule) string {
	switch {
	case r.Since != "" && r.Until != "":
		return "from " + r.Since + " to below " + r.Until
	case r.Since != "":
		return "from " + r.Since
	}
	return "below " + r.Until
}

func versionOr(v string) string {
	if v == "" {
		return "no version set, which means the current one"
	}
	return "version " + v
}
