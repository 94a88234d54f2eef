// Tests of Remedy: the text of a hint, and the rule of a suggestion.

package rules

import "testing"

func TestVersionIn(t *testing.T) {
	for _, c := range [][3]string{{"14.2", "", "14.2"}, {"", "6.0.4", "6.0.3"}, {"", "7", "6"}, {"", "12.0", "11"}, {"12.1", "12.2", "12.1"}, {"", "14.3 RU8", "14.3.7"}} {
		if got := versionIn(c[0], c[1]); got != c[2] {
			t.Errorf("since %q until %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
