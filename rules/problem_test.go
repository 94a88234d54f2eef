// Problems: what a file's name and a text cannot do to a terminal.

package rules

import "testing"

func TestProblemsShowWhatATerminalObeys(t *testing.T) {
	for _, c := range []struct {
		problem Problem
		want    string
	}{
		{Problem{File: "/etc/a b.toml", Line: 3, Text: "no Gerät"}, "/etc/a b.toml:3: no Gerät"},
		{Problem{File: "a\x1b[2J.toml", Line: 3, Text: "no"}, `"a\x1b[2J.toml":3: no`},
		{Problem{File: "a.toml\nb.toml:1: fine", Text: "no"}, `"a.toml\nb.toml:1: fine": no`},
		{Problem{File: "a\u202e\xff", Text: "no", Warning: true}, `"a\u202e\xff": warning: no`},
		{Problem{File: "a.toml", Text: "also in b\x1b[31m\u202e\x9b.toml\r"}, `a.toml: also in b\x1b[31m\u202e` + "�" + `.toml\r`},
		{Problem{File: "a.toml", Text: "first\n\tsecond"}, "a.toml: first\n\tsecond"},
	} {
		if got := c.problem.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
