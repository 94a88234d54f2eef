// Syntax: every problem of a text that is no TOML has its line, its key and its cure.

package tomldoc

import (
	"strings"
	"testing"
)

func TestSyntaxErrorsHaveTheirCure(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"tcp = [8000-8010]", `1: tcp: write a range as a text: "8000-8010"`},
		{"tcp = [\n 443,\n 8000-8010,\n]", `3: tcp: write a range as a text: "8000-8010"`},
		{"tcp = [9000 - 9001]", `1: tcp: write a range as a text: "9000-9001"`},
		{"tcp = 80-443", `1: tcp: write a range as a text: "80-443"`},
		{"expires = 20.12.2026", "1: expires: 20.12.2026 is not a date: " + moments},
		{"expires = 20-12-2026", "1: expires: 20-12-2026 is not a date: " + moments},
		{"expires = 12/20/2026 # end", "1: expires: 12/20/2026 is not a date: " + moments},
		{"expires = 2026-13-40", "1: expires: 2026-13-40 is not a date: " + moments},
		{"expires = 2026-12-20 18:00 CET", "1: expires: 2026-12-20 18:00 CET is not a date: " + moments},
		{"expires = 2026-12-20T18:00:00+0100", "1: expires: 2026-12-20T18:00:00+0100 is not a date: " + moments},
		{"expires = 2026-12-20 18:00 +01:00", "1: expires: 2026-12-20 18:00 +01:00 is not a date: " + moments},
		{"wait = 5s", `1: wait: write a duration as a text: "5s"`},
		{"sources = [\"10.0.0.1\", 10.0.0.2]", `1: sources: write an address as a text: "10.0.0.2"`},
		{"sources = [10.0.0.0/8]", `1: sources: write an address as a text: "10.0.0.0/8"`},
		{"to = [a.example]", `1: to: write a text in quotes: "a.example"`},
		{"to = [*.a.example]", `1: to: write a text in quotes: "*.a.example"`},
		{"since = 14.3.1", `1: since: write a text in quotes: "14.3.1"`},
		{"any = True", `1: any: True: write true or false, in small letters and without quotes`},
		{"name = “x”", `1: name: “x”: write straight quotes ("), as an editor for plain text does`},
		{"name =", `1: name: has no value: write one behind the =, or remove the line`},
		{"name = \"abc\nrole = 1", `1: name: the quote at the end of the text is missing`},
		{"name", `1: "name": write key = value`},
		{"x = 1\nname : 2", `2: "name : 2": write key = value`},
		{"to = [\"a\" \"b\"]", `1: to: a comma is missing between two elements of the list, or the ] at its end`},
		{"to = [\"a\",,\"b\"]", `1: to: the list has two commas: remove one`},
		{"name = \"x\", # y", `1: name: remove the comma behind the value`},
		{"name = \"x\" role = \"y\"", `1: name: "x" role = "y": something follows the value: write one key in each line, and a text in quotes`},
		{"[rule]]", `1: [rule]]: write a table as [rule], and a table of which there can be several as [[rule]]`},
		{"[[rule]", `1: [[rule]: write a table as [rule], and a table of which there can be several as [[rule]]`},
		{"# b\xfccher", `1: the line is not UTF-8: save the file as UTF-8`},
		{"path = \"C:\\path\"", `1: path: invalid escape in string '\p'`},
	} {
		doc, top := Parse("f", []byte(c.text))
		if got := doc.Problems().Error(); top != nil || got != "f:"+c.want {
			t.Errorf("%q:\n%s\nwant\nf:%s", c.text, got, c.want)
		}
	}
}

func TestWhatIsWrittenTwiceHasItsPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a = 1\n[t]\na = 1\nb = 2\na = 3", "5: a: is on line 3 already: keep one of the two"},
		{"[[client]]\n[client.addresses]\na = 1\n[[client]]\n[client.addresses]\na = 1\n[client.addresses]\nb = 2",
			"7: [client.addresses] is on line 5 already, for the same [[client]]: put these keys below line 5; if they belong to another [[client]], put them below its [[client]]"},
		{"[dns]\na = 1\n[dns]", "3: [dns] is on line 1 already: put these keys below line 1"},
		{"[[client]]\n[client.profile.addresses]\na = 1\n[[client.profile]]",
			"4: [[client.profile]] comes too late: [client.profile.addresses] on line 2 belongs to it: move [[client.profile]] with its keys above line 2"},
		{"[[client]]\n[client.profile]\n[[client.profile]]", "3: [[client.profile]]: line 2 has [client.profile]: write the same brackets in both lines"},
		{"[[rule]]\n[rule]", "2: [rule]: line 1 has [[rule]]: write the same brackets in both lines"},
		{"profile = 1\n[[profile]]", "2: [[profile]]: profile on line 1 is a key of the same name: keep one of the two"},
	} {
		doc, top := Parse("f", []byte(c.text))
		if got := doc.Problems().Error(); top != nil || got != "f:"+c.want {
			t.Errorf("%q:\n%s\nwant\nf:%s", c.text, got, c.want)
		}
	}
}

// Any broken text has exactly one problem, with a line and a text.
func FuzzSyntaxErrors(f *testing.F) {
	for _, s := range []string{"tcp = [1-2]", "[a]\n[a]", "a", "[[a]", "a = 2026-1", "[a.b]\n[[a]]", "a = \"", "\xff", "=", "[", "a = [\n1 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, top := Parse("f", []byte(text))
		problems := doc.Problems()
		if top == nil && (len(problems) != 1 || strings.TrimSpace(problems[0].Text) == "") {
			t.Fatalf("%q: %v", text, problems)
		}
	})
}
