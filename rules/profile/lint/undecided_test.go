// Tests of rows that are still a NOTE.

package lint

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"sallyport/rules"
)

// lines lists n lines from the first one, each below a NOTE of two lines.
func lines(first, n int) string {
	var out []string
	for i := range n {
		out = append(out, strconv.Itoa(first+2*i))
	}
	return strings.Join(out, ", ")
}

// All NOTE rows of a profile are one warning, with their lines. A decided row and another comment
// are none.
func TestRowsThatAreNotDecided(t *testing.T) {
	ok := row("ok", "server", `"ok.vendor.com"`, "tcp = [443]")
	const note = "# NOTE: line 3 is no rule yet: the port has no protocol.\n#   a.vendor.com | 443\n"
	for _, c := range []struct {
		what, text string
		want       []string
	}{
		{"everything is decided", ok + "# support.vendor.com, ALL: no rule. NOTE that support is not used here.\n", nil},
		{"one", note + ok, []string{"b.toml:9: warning: 1 row is not decided: read the NOTE on line 9"}},
		{"two", note + ok + note, []string{"b.toml:9: warning: 2 rows are not decided: read the NOTE on lines 9 and 18"}},
		{"ten", ok + strings.Repeat(note, 10), []string{"b.toml:16: warning: 10 rows are not decided: read the NOTE on lines 16, 18, 20, 22, 24, 26, 28, 30, 32 and 34"}},
		{"more than a person reads one by one", ok + strings.Repeat(note, 202), []string{"b.toml:16: warning: 202 rows are not decided: read the NOTE on lines " + lines(16, 200) + " and 2 more: grep -n '^# NOTE: ' b.toml"}},
	} {
		var got []string
		for _, f := range Profiles([]*rules.Profile{parsed(t, "b.toml", head+c.text)}, nil) {
			if f.Check == Undecided {
				got = append(got, f.String())
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
