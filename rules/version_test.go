// Versions compare number by number. An unknown version counts as the current
// version.

package rules

import (
	"strings"
	"testing"
)

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

// The releases of Symantec Endpoint Protection from 12.1 on, in the order of their
// publication.
func TestReleasesCompareInTheirOrder(t *testing.T) {
	order := []string{
		"12.1", "12.1 RU1", "12.1 RU1 MP1", "12.1 RU5", "12.1 RU6", "12.1 RU6 MP1", "12.1 RU6 MP10",
		"14", "14 MP1", "14 MP2", "14 RU1", "14 RU1 MP1", "14 RU1 MP2",
		"14.2", "14.2 MP1", "14.2 RU1", "14.2 RU1 MP1", "14.2 RU2", "14.2 RU2 MP1",
		"14.3", "14.3 MP1", "14.3 RU1", "14.3 RU5", "14.3 RU8", "14.3 RU10", "14.3 RU10 Patch 1",
	}
	for i, a := range order {
		for j, b := range order {
			if got, want := CompareVersions(a, b), min(max(i-j, -1), 1); got != want {
				t.Errorf("%q against %q: %d, want %d", a, b, got, want)
			}
		}
	}
	for _, same := range [][2]string{ // two names of one release
		{"14 RU1", "14.0.1"}, {"14.0 RU1 MP2", "14.0.1 MP2"}, {"12.1 RU5", "12.1.5"}, {"14.2-RU1-MP1", "14.2RU1 mp 1"}, {"14.0.0 MP2", "14 MP2"},
	} {
		if CompareVersions(same[0], same[1]) != 0 {
			t.Errorf("%q and %q are one release", same[0], same[1])
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
		{"14 MP2", "14.2", "", false}, // a maintenance patch of 14, and not 14.2
		{"14 MP2", "14.0.1", "", false},
		{"14 RU1 MP2", "14.0.1", "", true},
		{"14 RU1 MP2", "14.2", "", false},
		{"12.1.6", "12.1", "12.2", true},
		{"12.1 RU6 MP5", "12.1", "12.2", true},
		{"12.2", "12.1", "12.2", false},
		{"12.0", "12.1", "12.2", false},
		{"no version", "", "12.2", false},
		{"no version", "1", "", false},
	} {
		if got := inVersions(c.v, c.since, c.until); got != c.want {
			t.Errorf("%q from %q to below %q: %v", c.v, c.since, c.until, got)
		}
	}
}

// A text that cannot be compared is refused, with the forms that can.
func TestCheckVersion(t *testing.T) {
	for s, want := range map[string]bool{
		"6.0.4": true, "14.3 RU8": true, "12.1-MP1": true, "14": true, "14 mp2": true, "14RU1MP2": true, "14.3 RU10 Patch 1": true,
		"": false, "RU8": false, "6,0": false, "6.0\n": false, " 6": false, "6 ": false, "6.": false, "6..1": false, "123456789012345678901234567890123": false,
		"14.2 beta": false, "12.1.x": false, "14 RU": false, "14 MP2 RU1": false, "14 MP1 MP2": false, "14.0.1 RU1": false, "14.0.1.1 MP2": false,
		"14 SP2": false, "14.3 RU5.1": false, "1.2.3.4.5.6.7.8.9": false, "14 RU1 hotfix": false,
	} {
		err := CheckVersion(s)
		if (err == nil) != want {
			t.Errorf("%q: %v", s, err)
		}
		if err != nil && !strings.Contains(err.Error(), VersionForms) {
			t.Errorf("%q: the error does not list the forms: %v", s, err)
		}
	}
}

// Comparison is a total order on what CheckVersion accepts, and letter case means nothing.
func FuzzVersion(f *testing.F) {
	for _, s := range [][3]string{
		{"6.0.4", "14 MP2", "14 RU1 MP2"}, {"14.3 RU5", "14.2 MP1", "14.3-ru5 patch 1"}, {"12.1.x", "RU8", ""}, {"0", "00.0", "0 RU0"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, s := range []string{a, b, c} {
			if CheckVersion(s) != nil {
				if inVersions(s, "1", "") && s != "" {
					t.Errorf("%q is no version, and is after 1", s)
				}
				return
			}
			if n := len(parseVersion(s)); n == 0 || n > mostVersionNumbers {
				t.Errorf("%q has %d numbers", s, n)
			}
			if CompareVersions(s, strings.ToUpper(s)) != 0 {
				t.Errorf("%q is not itself in capitals", s)
			}
			if inVersions(s, s, s) || !inVersions(s, s, "") {
				t.Errorf("%q is not its own first version", s)
			}
		}
		if CompareVersions(a, b) != -CompareVersions(b, a) {
			t.Errorf("%q and %q have two orders", a, b)
		}
		if CompareVersions(a, b) <= 0 && CompareVersions(b, c) <= 0 && CompareVersions(a, c) > 0 {
			t.Errorf("%q, %q, %q are in no order", a, b, c)
		}
	})
}
