// Documents: lines of problems, strictness, and the scan for statements.

package tomldoc

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// texts returns problems as text.
func texts(d *Document) (out []string) {
	for _, p := range d.Problems() {
		out = append(out, p.String())
	}
	return out
}

func TestEveryProblemHasItsLine(t *testing.T) {
	doc, top := Parse("f.toml", []byte(`count = 1.5
names = ["a", "b",
  "a"]
pace = "fast"
colour = "blue"
[inner]
day = "soon"
size = 70000
[[item]]
name = "one"
[[item]]
`))
	if top == nil {
		t.Fatal(doc.Problems())
	}
	if n := top.Int("count", 7, 1, 9); n != 7 {
		t.Errorf("a wrong number gives %d, want the default", n)
	}
	top.Strs("names")
	top.Choice("pace", "slow", "quick")
	if top.Str("color") != "" {
		t.Error("an absent key has a text")
	}
	inner := top.Sub("inner")
	if day := inner.Date("day"); !day.IsZero() {
		t.Errorf("a wrong date gives %v", day)
	}
	inner.Int("size", 1, 1, 65535)
	inner.Done()
	for _, item := range top.Subs("item") {
		if item.Lacks("name") || item.Str("name") == "" {
			item.Missing("name", "give one")
		}
		item.Done()
	}
	doc.Warnf(2, "only a warning")
	top.Done()
	want := []string{
		`f.toml:1: count: must be a whole number, not a number with a fraction`,
		`f.toml:2: warning: only a warning`,
		`f.toml:2: names: "a" is listed twice`, // on the line of the first "a"
		`f.toml:4: pace: "fast" is not one of "slow", "quick"`,
		`f.toml:5: unknown key "colour": did you mean "color"?`,
		`f.toml:7: day: must be a date like 2027-06-30`,
		`f.toml:8: size: 70000 is not from 1 to 65535`,
		`f.toml:11: the 2nd [[item]]: name is missing: give one`,
	}
	got := texts(doc)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSyntaxErrorsEndTheReading(t *testing.T) {
	for text, want := range map[string]string{
		"a = ":         "f.toml:1: ",
		"a = 1\na = 2": "f.toml:2: ",
	} {
		doc, top := Parse("f.toml", []byte(text))
		if got := texts(doc); top != nil || len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q: %v, %q, want one problem at %s", text, top, got, want)
		}
	}
}

func TestValuesAreRead(t *testing.T) {
	doc, top := Parse("f.toml", []byte("on = true\nwait = \"90s\"\nday = 2027-06-30\nlist = [\"x\", \"y\"]\nother = 1\n"))
	if !top.Bool("on") || top.Duration("wait", 0, time.Second) != 90*time.Second || top.Duration("rest", time.Minute, 0) != time.Minute {
		t.Error("true or a duration is not read")
	}
	if day := top.Date("day"); !day.Equal(time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the date is %v", day)
	}
	if list := top.Strs("list"); !slices.Equal(list, []string{"x", "y"}) {
		t.Errorf("the list is %q", list)
	}
	if v, ok := top.Raw("other"); !ok || v != int64(1) {
		t.Errorf("the raw value is %v, %v", v, ok)
	}
	top.MarkRead("marked")
	top.Done()
	if got := texts(doc); len(got) != 0 || doc.File() != "f.toml" {
		t.Errorf("problems of %s: %q", doc.File(), got)
	}
}

func TestStatements(t *testing.T) {
	lines := strings.Split("# x = 1\na.\"b c\" = [ # ]\n  1, # [\n]\n[t]\nd = \"\"\"\ne = 1\n\"\"\"\n[[u.v]]\nf = 'g # h' # i", "\n")
	var got []string
	for _, s := range Statements(lines) {
		got = append(got, strings.Join(s.Path, "/")+" "+s.Text+" "+string(rune('0'+s.Line))+"-"+string(rune('0'+min(s.Last-s.Line, 9))))
	}
	want := []string{"a/b c a.b c 2-2", "t t 5-0", "t/d d 6-2", "u/v u.v 9-0", "u/v/f f :-0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if at := CommentAt(`'g # h' # i`); at != 8 {
		t.Errorf("the comment begins at %d", at)
	}
	if at := CommentAt(`"#"`); at != -1 {
		t.Errorf("a comment in quotes begins at %d", at)
	}
}

func TestDidYouMean(t *testing.T) {
	known := []string{"manager", "agent"}
	for s, want := range map[string]string{
		"manger": `: did you mean "manager"?`,
		"boss":   `; the roles are "manager", "agent"`,
	} {
		if got := DidYouMean(s, known, "the roles are"); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

// A key of the wrong type is not missing, and its reader's doubts about the absent value are no
// second error. An empty key is missing.
func TestOneErrorForAKeyOfTheWrongType(t *testing.T) {
	doc, top := Parse("f.toml", []byte(`name = ["a"]
hosts = "a.example"
ports = [1, "x"]
size = 0
blank = ""
item = 5
`))
	for _, key := range []string{"name", "blank"} {
		if top.Str(key) == "" {
			top.Missing(key, "give one")
			top.Errorf(key, "%q is no name", "")
		}
	}
	for _, key := range []string{"hosts", "ports"} {
		if len(top.Strs(key)) == 0 {
			top.Missing(key, "list some")
		}
	}
	if top.Int("size", 0, 1, 9) == 0 {
		top.Missing("size", "give it")
	}
	if len(top.Subs("item")) == 0 {
		top.Missing("item", "write [[item]]")
	}
	top.Done()
	want := []string{
		`f.toml:1: name: must be a string, not a list`,
		`f.toml:2: hosts: must be a list of strings, not a string`,
		`f.toml:3: ports: must be a list of strings, but contains a whole number in it`,
		`f.toml:4: size: 0 is not from 1 to 9`,
		`f.toml:5: blank: "" is no name`,
		`f.toml:6: item: must be written as [[item]]`,
		`f.toml: blank is missing: give one`,
	}
	got := texts(doc)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
