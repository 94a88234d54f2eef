// Versions compare number by number. An unknown version counts as the current one.

package rules

import "testing"

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"6.0.4", "6.0.4", 0},
		{"6.0.10", "6.0.4", 1},
		{"6.0.4", "6.0.4.0", 0},
		{"6.0.4", "6.0.4.1", -1},
		{"14.3 RU8", "14.3 RU8", 0},
		{"14.3 RU10", "14.3 RU8", 1},
		{"14.3 RU8", "14.3", 1},
		{"14.3 ru8", "14.3.8", 0},
		{"14", "14.0.1", -1},
		{"14.2", "14.0.1", 1},
		{"12.1.6", "12.2", -1},
		{"06.00", "6", 0},
		{"99999999999999999999", "99999999999", 0}, // numbers this large compare as equal and do not overflow
		{"99999999999999999999", "6", 1},
	} {
		if got := CompareVersions(c.a, c.b); got != c.want {
			t.Errorf("%q against %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := CompareVersions(c.b, c.a); got != -c.want {
			t.Errorf("%q against %q: %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

func TestInVersions(t *testing.T) {
	for _, c := range []struct {
		v, since, until string
		want            bool
	}{
		{"", "", "", true},
		{"", "14.2", "", true},      // "" is the current version, so it is after any "since"
		{"", "", "6.0.4", false},    // an "until" excludes the current version
		{"", "12.1", "12.2", false}, // a closed range excludes it, too
		{"6.0.3", "", "6.0.4", true},
		{"6.0.4", "", "6.0.4", false}, // until is the first version without the rule
		{"6.0.10", "", "6.0.4", false},
		{"14.2", "14.2", "", true}, // since is the first version with the rule
		{"14.1 RU9", "14.2", "", false},
		{"14.3 RU8", "14.2", "", true},
		{"12.1.6", "12.1", "12.2", true},
		{"12.2", "12.1", "12.2", false},
		{"12.0", "12.1", "12.2", false},
	} {
		if got := inVersions(c.v, c.since, c.until); got != c.want {
			t.Errorf("%q from %q to below %q: %v", c.v, c.since, c.until, got)
		}
	}
}

func TestValidVersion(t *testing.T) {
	for s, want := range map[string]bool{
		"6.0.4": true, "14.3 RU8": true, "12.1-MP1": true, "14": true,
		"": false, "RU8": false, "6,0": false, "6.0\n": false, " 6": false, "123456789012345678901234567890123": false,
	} {
		if ValidVersion(s) != want {
			t.Errorf("%q is a version: %v", s, !want)
		}
	}
}
