// Product versions, which are compared number by number.

package rules

import (
	"cmp"
	"slices"
	"strings"
)

// versionNumbers returns the numbers of a version text in order: "14.3 RU8" is 14,
// 3, 8. Trailing zeros do not count. It returns nil for a text without numbers.
func versionNumbers(s string) []int {
	var out []int
	for f := range strings.FieldsFuncSeq(s, func(r rune) bool { return r < '0' || r > '9' }) {
		n := 0
		for i := 0; i < len(f); i++ {
			n = min(n*10+int(f[i]-'0'), 1<<30)
		}
		out = append(out, n)
	}
	for len(out) > 1 && out[len(out)-1] == 0 {
		out = out[:len(out)-1]
	}
	return out
}

// CompareVersions compares two version texts number by number. A missing number
// counts as 0.
func CompareVersions(a, b string) int {
	x, y := versionNumbers(a), versionNumbers(b)
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
// it is after every since and not before any until.
func inVersions(v, since, until string) bool {
	if v == "" {
		return until == ""
	}
	return (since == "" || CompareVersions(v, since) >= 0) && (until == "" || CompareVersions(v, until) < 0)
}

// ValidVersion reports whether s begins with a digit and has only letters, digits,
// dots, spaces and hyphens.
func ValidVersion(s string) bool {
	if s == "" || len(s) > 32 || s[0] < '0' || s[0] > '9' {
		return false
	}
	return !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '.' || c == ' ' || c == '-')
	})
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
