// Tests of what a person reads about a configuration with many errors.

package gateway

import (
	"errors"
	"strings"
	"testing"

	"sallyport/rules"
)

func TestBriefErrors(t *testing.T) {
	problems := func(n int) error {
		var out rules.Problems
		for i := range n {
			out = append(out, rules.Problem{File: "p.toml", Line: i + 1, Text: "wrong"})
		}
		return out
	}
	for n, want := range map[int]string{
		1:  "p.toml:1: wrong",
		3:  "p.toml:1: wrong; p.toml:2: wrong; p.toml:3: wrong",
		31: "p.toml:1: wrong; p.toml:2: wrong; p.toml:3: wrong; and 28 more: sallyport check --config site.toml",
	} {
		if got := brief(problems(n), "site.toml"); got != want {
			t.Errorf("%d errors: %q, want %q", n, got, want)
		}
	}
	if got := StillRuns(problems(1)).Error(); !strings.HasPrefix(got, "p.toml:1: wrong\na running sallyport keeps its earlier policy") {
		t.Errorf("%q", got)
	}
	for _, err := range []error{nil, errors.New("no such file"), rules.Problems{{File: "p.toml", Text: "this is a profile, not a configuration"}}} {
		if got := StillRuns(err); got != nil && got.Error() != err.Error() || (got == nil) != (err == nil) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// The question that a person means by another form of it. What is not clear means nothing.
func TestMeant(t *testing.T) {
	for args, want := range map[string]string{
		"https://a.example/path?q": "tcp a.example 443", "http://a.example": "tcp a.example 80", "https://a.example:8443/": "tcp a.example 8443",
		"a.example:443": "tcp a.example 443", "tcp a.example:443": "tcp a.example 443", "udp a.example:53": "udp a.example 53", "UDP [2001:db8::1]:53": "udp 2001:db8::1 53",
		"a.example 443": "tcp a.example 443", "192.0.2.1:22": "tcp 192.0.2.1 22",
		"": "", "a.example": "", "tcp": "", "tcp a.example": "", "https://": "", "a.example:0": "", "ftp://a.example": "", "a b c d": "", "-": "",
	} {
		if got := Meant(strings.Fields(args)); got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}
