// Tests of decisions about the rows of a draft, and of conflicts.

package merge

import (
	"bytes"
	"strings"
	"testing"

	"sallyport/rules/profile"
)

const split2 = `# NOTE: line 10 of p.html is no rule yet: "443, 80[^1]" has a footnote mark: read the footnote.
#   u.example | TCP 443, 80 | Updates[^1]
#   footnote 1: Port 80 is used only by servers older than 3.2.
# [[feature]]
# name    = "u"
# meaning = "if you like"
#
# [[rule]]
# id      = "u"
# from    = "server"
# to      = ["*.u.example"] # a wildcard: name the hosts, or say in a note that the document prints it
# tcp     = [443]
# when    = ["u"]
# purpose = "Updates"
# note    = "The document notes: \"x\""
# section = "1"
#
# [[rule]]
# id      = "u-old"
# from    = "server"
# to      = ["*.u.example"]
# tcp     = [80]
# until   = "3.2"
# purpose = "Updates"
# section = "1"
`

const party = `# NOTE: line 11 of p.html is no rule yet: "Your syslog server" is no name and no address: a role, perhaps.
#   Your syslog server | UDP 514
# [[rule]]
# id      = "syslog-server"
# from    = "server"
# to      = ["role:syslog-server"] # if only the site knows its address: add "syslog-server" to binds, below roles
# udp     = [514]
# purpose = "Log"
`

const bare = "# NOTE: line 12 of p.html is no rule yet: one cell covers the whole row.\n#   Other services\n"

const empty = `# NOTE: line 13 of p.html is no rule yet: the destination is missing.
#   443
# [[rule]]
# id      = "row-13"
# from    = "server"
# to      = [] # the names or addresses, as "a.example", "192.0.2.0/24"
# tcp     = [443]
# purpose = "p"
`

func TestDecide(t *testing.T) {
	beside := "# NOTE beside the rule: a.example is one edit away from b.example\n" + rule("a", "a.example", https, "A")
	conflict := "# NOTE: \"a\" is no rule yet: both changed it.\n#   the row was: a.example | tcp 443 | A\n#   your rule until now:\n" + comment(rule("a", "mine.example", https, "A")) + "#   the document's rule now:\n" + comment(rule("a", "a.example", both, "A"))
	gone := "# NOTE: \"a\" is no rule yet: the document does not have the row any more.\n#   the row was: a.example | tcp 443 | A\n#   your rule until now:\n" + comment(rule("a", "mine.example", https, "A"))
	for _, c := range []struct {
		what, block string
		decision    Choice
		want        []string // in the result; of an error, all of it
		fails       bool
	}{
		{"a footnote makes two rules and a feature", split2, Choice{"u", Accept, `ask "us"`}, []string{
			"\n[[feature]]\nname    = \"u\"\nmeaning = \"if you like\"\n\n[[rule]]\nid      = \"u\"\n", "to      = [\"*.u.example\"]\n",
			`note    = "The document notes: \"x\". ask \"us\""` + "\nsection", "\n\n[[rule]]\nid      = \"u-old\"\n", "note    = \"ask \\\"us\\\"\"\nsection = \"1\"\n"}, false},
		{"a party of the site is bound", party, Choice{"syslog-server", Accept, "ours"}, []string{"roles   = [\"server\"]\nbinds   = [\"syslog-server\"]\n", "to      = [\"role:syslog-server\"]\nudp", `note    = "ours"`}, false},
		{"a row is left out", party, Choice{"syslog-server", LeaveOut, "not\nused"}, []string{"\n# syslog-server: no rule. not used\n#   Your syslog server | UDP 514\n"}, false},
		{"a row without a proposal is left out", bare, Choice{"line-14", LeaveOut, "a title"}, []string{"# a row: no rule. a title\n#   Other services\n"}, false},
		{"a row without a proposal is accepted", bare, Choice{"line-14", Accept, "x"}, []string{"f.toml:14: line-14: the NOTE proposes no rule: write one in its place, or --leave-out"}, true},
		{"no destination", empty, Choice{"row-13", Accept, "x"}, []string{"f.toml:14: row-13: the proposal lacks the destinations or the ports: write the rule in its place"}, true},
		{"a warning is answered", beside, Choice{"a", Accept, "asked: b.example too"}, []string{"\n\n[[rule]]\nid      = \"a\"", `note    = "asked: b.example too"`}, false},
		{"a rule is left out", beside, Choice{"a", LeaveOut, "a misprint"}, []string{"# a: no rule. a misprint\n#   a.example | tcp 443 | A\n"}, false},
		{"a rule has no other side", beside, Choice{"a", Keep, "x"}, []string{"f.toml:15: a: it is no conflict: --accept or --leave-out"}, true},
		{"the document's side of a conflict", conflict, Choice{"a", Accept, "x"}, []string{"to      = [\"a.example\"]\ntcp     = [443, 8443]\n"}, false},
		{"my side of a conflict", conflict, Choice{"a", Keep, "x"}, []string{"to      = [\"mine.example\"]\ntcp     = [443]\n"}, false},
		{"the document has no side", gone, Choice{"a", Accept, "x"}, []string{"f.toml:14: a: the document has no rule for it any more: --keep your rule, or --leave-out"}, true},
		{"my rule stays", gone, Choice{"a", Keep, "x"}, []string{"to      = [\"mine.example\"]"}, false},
		{"an unknown id", party, Choice{"syslog", Accept, "x"}, []string{`f.toml: no NOTE and no rule has the id "syslog"; sallyport profiles decide f.toml lists them`}, true},
	} {
		f := fileOf("1", c.block)
		f.File = "f.toml"
		data, err := Decide(f, []Choice{c.decision})
		got := string(data)
		if err != nil {
			got = err.Error()
		}
		if (err != nil) != c.fails || c.fails && got != c.want[0] {
			t.Errorf("%s: %s", c.what, got)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: lacks %q:\n%s", c.what, want, got)
			}
		}
		if c.fails {
			continue
		}
		if p, err := profile.Parse("r", data); err != nil || len(p.Notes) > 0 || strings.Contains(got, "NOTE") {
			t.Errorf("%s: %v\n%s", c.what, err, got)
		}
	}
	twice := fileOf("1", party)
	if _, err := Decide(twice, []Choice{{"syslog-server", Accept, "x"}, {"syslog-server", LeaveOut, "y"}}); err == nil || !strings.Contains(err.Error(), "is decided twice") {
		t.Error(err)
	}
}

// comment makes a comment of each line.
func comment(s string) string {
	return "# " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n# ") + "\n"
}

// A rule that decide wrote is still known as the row of the draft: a merge keeps it, and a row that was
// left out stays out.
func TestMergeOfDecisions(t *testing.T) {
	old, next := fileOf("1", split2, party), fileOf("2", split2, party)
	data, err := Decide(old, []Choice{{"u", Accept, "asked"}, {"syslog-server", LeaveOut, "not used"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Merge(old, Text{"reviewed.toml", data}, next)
	if err != nil {
		t.Fatal(err)
	}
	if r.Count(Kept) != 3 || len(r.Outcomes) != 3 || len(r.Merged.Notes) > 0 || !strings.Contains(string(r.Data), "# syslog-server: no rule. not used") {
		t.Errorf("%+v\n%s", r.Outcomes, r.Data)
	}
}

// The list has each question with its row, its footnote and its proposals.
func TestOpen(t *testing.T) {
	f := fileOf("1", split2, bare)
	q, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	WriteOpen(&b, "f.toml", q, func(s string) string { return s })
	const want = `u (f.toml:14)
  row       u.example | TCP 443, 80 | Updates[^1]
  open      "443, 80[^1]" has a footnote mark: read the footnote.
  footnote 1: Port 80 is used only by servers older than 3.2.
  proposal  to = ["*.u.example"]; tcp = [443]; when = ["u"]
  proposal  to = ["*.u.example"]; tcp = [80]; until = "3.2"

line-40 (f.toml:40)
  row       Other services
  open      one cell covers the whole row.

2 rows to decide in f.toml
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}
