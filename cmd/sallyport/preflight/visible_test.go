package preflight

import (
	"strings"
	"testing"
)

// Text from an unknown server reaches the terminal as printable text of limited
// length.
func TestVisible(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"update.example", "update.example"},
		{`"quoted" bücher`, `"quoted" bücher`},
		{"a\x1b[2Jb\nc", `a\x1b[2Jb\nc`},
		{"a\x9b2Jb", `a\x9b2Jb`}, // an 8-bit terminal's ESC [, which is not UTF-8
		{"a\u009b2J\u202eb", `a\u009b2J\u202eb`},
		{strings.Repeat("ü", 100_000), strings.Repeat("ü", maxWords) + "…"},
	} {
		if got := visible(c.in); got != c.want {
			t.Errorf("%.40q: %.60q, want %.60q", c.in, got, c.want)
		}
	}
}
