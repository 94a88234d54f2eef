// Tests of a merge: what becomes of each kind of row and of decision.

package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sallyport/rules/profile"
)

// head begins each of the three files. The sha256 of a draft is made of one letter.
const head = `# Profile: a draft
# The import made 1 rule of 2 rows.

name    = "made-up"
product = "Made up"
roles   = ["server"]

[document]
title     = "Ports"
version   = "%s"
retrieved = 2026-11-30
sha256    = "%s"
`

// file returns a file of a version with some blocks.
func fileOf(version string, blocks ...string) Text {
	sum := strings.Repeat(string('a'+version[0]-'0'), 64)
	return Text{File: "v" + version + ".toml", Data: []byte(fmt.Sprintf(head, version, sum) + "\n" + strings.Join(blocks, "\n"))}
}

// rule returns a rule. more has further lines.
func rule(id, to, ports, purpose string, more ...string) string {
	return fmt.Sprintf("[[rule]]\nid      = %q\nfrom    = \"server\"\nto      = [%q]\n%s\npurpose = %q\n%ssection = \"1\"\n", id, to, ports, purpose, strings.Join(more, ""))
}

// open returns a NOTE as import writes it.
func open(id, to, ports, row, why string) string {
	return fmt.Sprintf("# NOTE: line 9 of ports.html is no rule yet: %s.\n#   %s\n# [[rule]]\n# id      = %q\n# from    = \"server\"\n# to      = [%q]\n# %s\n# purpose = \"p\"\n", why, row, id, to, ports)
}

const (
	https = "tcp     = [443]"
	both  = "tcp     = [443, 8443]"
)

// permits returns the rules of a text in one line each.
func permits(t *testing.T, r *Result) string {
	t.Helper()
	p, err := profile.Parse("merged", r.Data)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Data)
	}
	var out []string
	for _, r := range p.Rules {
		g := groups(p, r)
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s: %s %s %s%s", r.ID, g["to"], g["ports"], g["versions"], g["when"])))
	}
	return strings.Join(out, "|")
}

func TestMerge(t *testing.T) {
	const feature = "[[feature]]\nname    = \"extra\"\nmeaning = \"m\"\n\n"
	a, b := rule("a", "a.example", https, "A"), rule("b", "b.example", https, "B")
	wide := rule("a", "a.example", both, "A")
	unclear := open("a", "a.example", https, "a.example | 443 | A", "no protocol is given")
	for _, c := range []struct {
		name               string
		old, reviewed, now []string
		permits            string // after the merge
		outcome            string // one of them
	}{
		{"nothing changed", []string{a, b}, []string{a, b}, []string{a, b}, "a: a.example tcp 443|b: b.example tcp 443", ""},
		{"the document adds a port to a rule that nobody edited", []string{a}, []string{a}, []string{wide}, "a: a.example tcp 443, 8443", "follows a: server to a.example, tcp 443, 8443"},
		{"the document removes a rule that nobody edited", []string{a, b}, []string{a, b}, []string{b}, "b: b.example tcp 443", "removed a: the document does not have the row any more"},
		{"the document adds a rule", []string{a}, []string{a}, []string{a, b}, "a: a.example tcp 443|b: b.example tcp 443", "added b: server to b.example, tcp 443"},
		{"the id of a new rule is a rule of the person already", []string{a}, []string{a, rule("b", "own.example", https, "Own")}, []string{a, b}, "a: a.example tcp 443|b-2: b.example tcp 443|b: own.example tcp 443", "added b-2: "},
		{"the person narrowed a rule, the document did not change it", []string{wide}, []string{a}, []string{wide}, "a: a.example tcp 443", "kept a: your change stays"},
		{"the person deleted a rule, the document did not change it", []string{a, b}, []string{b}, []string{a, b}, "b: b.example tcp 443", "kept a: you left it out"},
		{"the person renamed a rule, the document changed it", []string{a}, []string{rule("mine", "a.example", https, "A")}, []string{wide}, "mine: a.example tcp 443, 8443", "follows mine: "},
		{"the person wrote a condition, the document added a port", []string{a}, []string{feature, rule("a", "a.example", https, "A", "when    = [\"extra\"]\n")}, []string{wide}, "a: a.example tcp 443, 8443 extra", "joined a: your change stays, and the document's change is added: ports: tcp 443 -> tcp 443, 8443"},
		{"the person wrote a note, the document changed the ports", []string{a}, []string{rule("a", "a.example", https, "A", "note    = \"n\"\n")}, []string{wide}, "a: a.example tcp 443, 8443", "joined a: "},
		{"the person replaced a wildcard, the document added a port", []string{rule("w", "*.a.example", https, "A")}, []string{rule("w", "x.a.example", https, "A")}, []string{rule("w", "*.a.example", both, "A")}, "w: x.a.example tcp 443, 8443", "joined w: "},
		{"both changed the ports", []string{a}, []string{rule("a", "a.example", "tcp     = [8080]", "A")}, []string{wide}, "", "conflict a: ports: it was tcp 443, is now tcp 443, 8443 in the document, and tcp 8080 in your rule"},
		{"both changed the ports in the same way", []string{a}, []string{wide}, []string{wide}, "a: a.example tcp 443, 8443", "joined a: "},
		{"the document removed a rule that the person edited", []string{a}, []string{wide}, nil, "", "conflict a: the document does not have the row any more"},
		{"the document removed a rule to which the person wrote a note", []string{a}, []string{rule("a", "a.example", https, "A", "note    = \"n\"\n")}, nil, "", "removed a: the document does not have the row any more; you had changed its texts only"},
		{"the person deleted a rule, the document widened it", []string{a, b}, []string{b}, []string{wide, b}, "b: b.example tcp 443", "conflict a: you left this row out, and the document has changed it"},
		{"the document's row is not clear any more", []string{a}, []string{a}, []string{unclear}, "", "undecided a: the document has changed the row, and it is not clear any more: no protocol is given."},
		{"a decision on a NOTE stays", []string{unclear}, []string{a}, []string{strings.Replace(unclear, "line 9", "line 77", 1)}, "a: a.example tcp 443", "kept a: your change stays"},
		{"a NOTE that the person left out stays out", []string{unclear, b}, []string{b}, []string{unclear, b}, "b: b.example tcp 443", "kept a: you left it out"},
		{"the document now says what the person decided", []string{unclear}, []string{rule("a", "a.example", https, "A", "note    = \"asked\"\n")}, []string{a}, "a: a.example tcp 443", "kept a: the document now says what you decided"},
		{"the document now says something else", []string{unclear}, []string{rule("a", "a.example", "udp     = [443]", "A")}, []string{a}, "", "conflict a: the document has changed the row that you made this rule of"},
		{"the question changed", []string{unclear}, []string{a}, []string{open("a", "a.example", https, "a.example | 443 | A, only in Europe", "the row states a condition")}, "", "conflict a: "},
		{"one row became two rules, and lost one of them", []string{unclear}, []string{a, rule("a-old", "a.example", "tcp     = [80]", "A", "until   = \"3\"\n")}, []string{a}, "a: a.example tcp 443", "conflict a-old: "},
		{"a NOTE that is not decided becomes a rule", []string{unclear}, []string{unclear}, []string{a}, "a: a.example tcp 443", "follows a: "},
		{"a NOTE that is not decided stays one", []string{unclear}, []string{unclear}, []string{unclear}, "", "undecided a: the row was a NOTE before"},
		{"a new NOTE", []string{b}, []string{b}, []string{b, unclear}, "b: b.example tcp 443", "undecided a: a new row of the document: a.example | 443 | A"},
		{"the person left a row out, the document renamed its destination", []string{a, b}, []string{b}, []string{b, rule("new", "new.example", https, "A")}, "b: b.example tcp 443", "conflict a: you left this row out, and the document has changed it"},
		{"the person left a row out, the document adds one with another purpose", []string{a, b}, []string{b}, []string{b, rule("new", "new.example", https, "New")}, "b: b.example tcp 443|new: new.example tcp 443", "added new: "},
		{"a rule of the person alone", []string{b}, []string{b, rule("own", "own.example", https, "Own")}, []string{b}, "b: b.example tcp 443|own: own.example tcp 443", "own own: it comes from no row"},
	} {
		r, err := Merge(fileOf("3", c.old...), fileOf("3", c.reviewed...), fileOf("4", c.now...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := permits(t, r); got != c.permits {
			t.Errorf("%s: permits %s, want %s\n%s", c.name, got, c.permits, r.Data)
		}
		var out bytes.Buffer
		for _, o := range r.Outcomes {
			fmt.Fprintf(&out, "%s %s: %s\n", o.Kind, o.ID, o.Why)
			lines := strings.Split("\n"+string(r.Data), "\n")
			if gone := o.Kind == Removed || o.Kind == Kept && strings.HasPrefix(o.Why, "you left it out"); gone != (o.Line == 0) || !strings.HasPrefix(lines[o.Line], "[[rule]]") && !strings.HasPrefix(lines[o.Line], "# NOTE") && !gone {
				t.Errorf("%s: line %d of %s\n%s", c.name, o.Line, o.ID, r.Data)
			}
		}
		if !strings.Contains("\n"+out.String(), "\n"+c.outcome) || c.outcome == "" && out.Len() > 0 {
			t.Errorf("%s: no %q in\n%s", c.name, c.outcome, &out)
		}
	}
}

// A conflict has both sides, so that a person can decide it in the file.
func TestConflictHasBothSides(t *testing.T) {
	mine := "# asked Ann, NOTE her mail\n" + rule("a", "a.example", "tcp     = [8080]", "A", "note    = \"mine\"\n")
	r, err := Merge(fileOf("3", rule("a", "a.example", https, "A")), fileOf("3", mine), fileOf("4", rule("a", "a.example", both, "A")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`# NOTE: "a" is no rule yet: ports: it was tcp 443, is now tcp 443, 8443 in the document, and tcp 8080 in your rule.`,
		"#   the row was: a.example | tcp 443 | A\n#   the row is: a.example | tcp 443, 8443 | A\n",
		"#   your rule until now:\n#   asked Ann, note her mail\n# [[rule]]\n# id      = \"a\"\n", "# tcp     = [8080]\n", "# note    = \"mine\"\n",
		"#   the document's rule now:\n# [[rule]]\n", "# tcp     = [443, 8443]\n",
	} {
		if !strings.Contains(string(r.Data), want) {
			t.Errorf("no %q in\n%s", want, r.Data)
		}
	}
	if len(r.Merged.Notes) != 1 {
		t.Errorf("%d NOTEs", len(r.Merged.Notes))
	}
}

// The document's facts are the new ones; what the person wrote elsewhere stays.
func TestMergeKeepsWordsAndOrder(t *testing.T) {
	old := fileOf("3", rule("a", "a.example", https, "A"), rule("b", "b.example", https, "B"))
	reviewed := old
	reviewed.Data = []byte(strings.NewReplacer(`roles   = ["server"]`, "roles   = [\"server\"] # ours\nbinds   = [\"syslog\"]", `title     = "Ports"`, "title     = \"Ports, as printed\"",
		"[[rule]]\nid      = \"b\"", "# b is for the branch office\n[[rule]]\nid      = \"b\"").Replace(string(old.Data)))
	next := fileOf("4", "# Section 2\n\n"+rule("c", "c.example", https, "C"), rule("a", "a.example", https, "A"), rule("b", "b.example", both, "B"))
	next.Data = bytes.Replace(next.Data, []byte("made 1 rule of 2"), []byte("made 3 rules of 3"), 1)
	r, err := Merge(old, reviewed, next)
	if err != nil {
		t.Fatal(err)
	}
	text := string(r.Data)
	at := -1
	for _, want := range []string{"# The import made 3 rules of 3 rows.", "roles   = [\"server\"] # ours\nbinds   = [\"syslog\"]\n", "title     = \"Ports, as printed\"\nversion   = \"4\"\n", strings.Repeat("e", 64), "# Section 2", "id      = \"c\"", "id      = \"a\"", "# b is for the branch office\n[[rule]]\nid      = \"b\"", "tcp     = [443, 8443]"} {
		i := strings.Index(text, want)
		if i < at {
			t.Errorf("%q is at %d, in front of what it follows\n%s", want, i, text)
		}
		at = i
	}
}

func TestMergeRefuses(t *testing.T) {
	a := rule("a", "a.example", https, "A")
	other := fileOf("3", a)
	other.Data = bytes.Replace(other.Data, []byte(`"made-up"`), []byte(`"another"`), 1)
	for _, c := range []struct {
		name               string
		old, reviewed, now Text
		want               string
	}{
		{"another profile", fileOf("3", a), other, fileOf("4", a), `v3.toml has the name "made-up", v3.toml "another"`},
		{"another document", fileOf("2", a), fileOf("3", a), fileOf("4", a), "v3.toml was not made from v2.toml: their [document] sha256 differ"},
		{"errors", fileOf("3", "x = 1\n"), fileOf("3", "[[rule]]\n"), fileOf("4", a), "v3.toml:"},
	} {
		if _, err := Merge(c.old, c.reviewed, c.now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// The report has a line for each row with its place in the merged file, and then the counts.
func TestMergeReport(t *testing.T) {
	a, b := rule("a", "a.example", https, "A"), rule("b", "b.example", https, "B")
	old := []string{a, b, rule("c", "c.example", https, "C"), rule("d", "d.example", https, "D")}
	reviewed := []string{rule("a", "a.example", "tcp     = [80]", "A"), b, rule("c", "c.example", "tcp     = [80]", "C"), rule("own", "own.example", https, "Own")}
	now := []string{rule("a", "a.example", both, "A"), b, rule("c", "c.example", https, "C"), rule("d", "d.example", https, "D"), rule("e", "e.example", https, "E")}
	r, err := Merge(fileOf("3", old...), fileOf("3", reviewed...), fileOf("4", now...))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r.WriteText(&out, "out.toml", func(s string) string { return strings.ReplaceAll(s, "example", "EXAMPLE") })
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	lines := map[string]string{}
	for _, line := range got {
		kind, rest, _ := strings.Cut(line, " ")
		lines[kind+" "+strings.TrimSpace(strings.SplitN(rest, ":", 2)[0])] = line
	}
	for _, want := range []struct{ what, says string }{
		{"conflict a", "conflict  a: ports: it was tcp 443, is now tcp 443, 8443 in the document, and tcp 80 in your rule (out.toml:"},
		{"added e", "added     e: server to e.EXAMPLE, tcp 443 (out.toml:"},
		{"kept c", "kept      c: your change stays"},
		{"kept d", "kept      d: you left it out"},
		{"own own", "own       own: it comes from no row"},
	} {
		if !strings.HasPrefix(lines[want.what], want.says) {
			t.Errorf("%q does not begin with %q", lines[want.what], want.says)
		}
	}
	if strings.Contains(lines["kept d"], "out.toml") {
		t.Errorf("a row that was left out has a place: %q", lines["kept d"])
	}
	if last := got[len(got)-1]; last != "1 rule as before, 1 added, 2 kept, 1 own; to decide: 1 conflict, 0 undecided" {
		t.Errorf("%q", last)
	}
}

// A row that only another flag of import has changed is no change of the document: the report says so.
// A draft without its command says nothing.
func TestMergeComparesTheFlags(t *testing.T) {
	a := rule("a", "a.example", https, "A")
	with := func(version, command string) Text {
		f := fileOf(version, a)
		if command != "" {
			f.Data = append([]byte("# Import command: sallyport profiles import ports.html "+command+"\n"), f.Data...)
		}
		return f
	}
	for _, c := range []struct{ old, new, want string }{
		{`--title "A --role b" --role server`, `--title B --role server --version 2`, ""},
		{`--role server`, ``, ""},
		{`--role server --protocol tcp`, `--role server`, "v1.toml has --protocol tcp, and v2.toml has no --protocol; import the new document again"},
		{`--columns host=2,port=3`, `--columns host=1,port=3 --required`, "v1.toml has --columns host=2,port=3, and v2.toml has --columns host=1,port=3; v1.toml has no --required, and v2.toml has --required; "},
		{`--service 'it'\''s'`, `--service its`, "v1.toml has --service it's, and v2.toml has --service its; "},
	} {
		reviewed := with("1", c.old)
		reviewed.File = "reviewed.toml"
		r, err := Merge(with("1", c.old), reviewed, with("2", c.new))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Warning, c.want) || c.want == "" && r.Warning != "" || r.JSON("m").Warning != r.Warning {
			t.Errorf("%s and %s: %q, want %q", c.old, c.new, r.Warning, c.want)
		}
		if c.new != "" && !strings.Contains(string(r.Data), "ports.html "+c.new+"\n") {
			t.Errorf("the merged head has not the command of the new draft:\n%s", r.Data)
		}
		var b bytes.Buffer
		r.WriteText(&b, "m.toml", func(s string) string { return s })
		if got := b.String(); (r.Warning != "") != strings.HasPrefix(got, "warning   the drafts were imported with different flags, ") {
			t.Errorf("the report: %s", got)
		}
	}
}

func TestMergeJSON(t *testing.T) {
	r, err := Merge(fileOf("3", rule("a", "a.example", https, "A")), fileOf("3", rule("a", "a.example", "tcp     = [80]", "A")), fileOf("4", rule("a", "a.example", both, "A")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r.JSON("out.toml"))
	for _, want := range []string{`"merged":{"file":"out.toml","version":"4",`, `"conflicts":1,"undecided":0,"outcomes":[{"outcome":"conflict","id":"a","why":"ports: `, `"line":14}`} {
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%v: no %s in %s", err, want, b)
		}
	}
}
