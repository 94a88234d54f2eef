// NOTE rows: a row that is not a rule yet is compared too, because the vendor may change or
// remove it.

package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sallyport/rules/profile"
	"sallyport/rules/profile/draft"
)

// drafted returns a draft of a table, as profiles import makes it.
func drafted(t *testing.T, hash, table string) string {
	t.Helper()
	tables, err := draft.Read("csv", []byte("Domain,Port,Purpose\n"+table))
	if err != nil {
		t.Fatal(err)
	}
	d, err := draft.New(tables, draft.Options{Name: "made-up", Product: "p", Title: "t", Role: "server", SHA256: strings.Repeat(hash, 64)})
	if err != nil {
		t.Fatal(err)
	}
	return string(d.TOML())
}

const (
	open  = "support.example,ALL,Support\n" // no rule: every port
	bare  = "data.example,8000-8010,Data\n" // no rule: no protocol
	plain = "a.example,TCP: 443,A\n"
)

func TestNoteRowsAreCompared(t *testing.T) {
	for _, c := range []struct {
		name, old, now string
		want           []string // lines; none: equal
	}{
		{"equal", plain + open + bare, plain + open + bare, nil},
		{"equal, on other lines", plain + open + bare, bare + open + plain, nil},
		{"a rule more above them", open + bare, plain + open + bare, []string{"added    a: server to a.example, tcp 443", "1 added, 0 removed, 0 renamed, 0 changed"}},
		{"a NOTE row less", plain + open + bare, plain + bare, []string{"removed  NOTE: support.example | ALL | Support (old.toml:", "NOTE rows, which are not rules yet: 0 added, 1 removed"}},
		{"a NOTE row more", plain, plain + open, []string{"added    NOTE: support.example | ALL | Support (new.toml:", "no rule yet: ", "NOTE rows, which are not rules yet: 1 added, 0 removed"}},
		{"other ports", bare, strings.Replace(bare, "8000-8010", "9000-9999", 1),
			[]string{"removed  NOTE: data.example | 8000-8010 | Data", "added    NOTE: data.example | 9000-9999 | Data", "NOTE rows, which are not rules yet: 1 added, 1 removed"}},
		{"one of two equal rows", open + open, open, []string{"NOTE rows, which are not rules yet: 0 added, 1 removed"}},
		{"decided by the vendor", bare, strings.Replace(bare, "8000", "TCP: 8000", 1), []string{"added    data: server to data.example, tcp 8000-8010", "removed  NOTE: data.example | 8000-8010 | Data", "1 added, 0 removed"}},
	} {
		r := comparedTexts(t, drafted(t, "a", c.old), drafted(t, "a", c.now))
		var b bytes.Buffer
		r.WriteText(&b, func(s string) string { return s })
		if r.Equal() != (c.want == nil) {
			t.Errorf("%s: equal is %t\n%s", c.name, r.Equal(), &b)
		}
		for _, line := range c.want {
			if !strings.Contains(b.String(), line) {
				t.Errorf("%s: no %q in\n%s", c.name, line, &b)
			}
		}
	}
}

func comparedTexts(t *testing.T, old, now string) *Result {
	t.Helper()
	o, err := profile.Parse("old.toml", []byte(old))
	if err != nil {
		t.Fatal(err)
	}
	n, err := profile.Parse("new.toml", []byte(now))
	if err != nil {
		t.Fatal(err)
	}
	return Compare(o, n)
}

func TestNoteRowsInJSON(t *testing.T) {
	b, err := json.Marshal(comparedTexts(t, drafted(t, "a", open), drafted(t, "a", plain)).JSON())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"equal":false`, `"notes":[{"change":"removed","line":`, `"row":"support.example | ALL | Support"`, `"why":"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
}

// The text of a document can change where import does not read, as in a footnote.
func TestAnotherTextWithEqualRules(t *testing.T) {
	r := comparedTexts(t, drafted(t, "a", plain+open), drafted(t, "b", plain+open))
	var b bytes.Buffer
	r.WriteText(&b, func(s string) string { return s })
	if r.Equal() || !strings.Contains(b.String(), "profile  sha256: aaaaaaaaaaaa… -> bbbbbbbbbbbb…\n") ||
		!strings.Contains(b.String(), "\nthe rules are equal, but the document has changed: ") {
		t.Errorf("equal is %t\n%s", r.Equal(), &b)
	}
	without := strings.Replace(drafted(t, "a", plain), `sha256    = "`+strings.Repeat("a", 64)+"\"\n", "", 1)
	if r := comparedTexts(t, without, drafted(t, "b", plain)); !r.Equal() {
		t.Errorf("a profile without a hash differs from one with a hash: %+v", r.Profile)
	}
}

// A person writes a NOTE too. Its block is read tolerantly.
func TestNotesByHand(t *testing.T) {
	head := strings.Split(drafted(t, "a", plain), "[[rule]]")[0]
	rule := "[[rule]]" + strings.SplitN(drafted(t, "a", plain), "[[rule]]", 2)[1]
	got := ""
	p, err := profile.Parse("p.toml", []byte(head+"#NOTE ask the vendor\n#   about  this\n"+rule+"  # NOTE: and: this\n\n# not a note\n# NOTE\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Notes {
		got += fmt.Sprintf("%s/%s/%s|", n.Why, n.Row, n.Rule)
	}
	if want := "ask the vendor/about this/|and: this//|//|"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
