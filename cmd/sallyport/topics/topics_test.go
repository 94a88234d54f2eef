package topics

import (
	"bytes"
	"cmp"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"sallyport/rules"
)

// update writes the tables into the pages: make docs.
var update = flag.Bool("update", false, "write the tables into docs/*.md")

// Each topic's page in docs/ contains the table that the command prints.
func TestPagesContainTheTables(t *testing.T) {
	for _, topic := range All() {
		file := "../../../docs/" + cmp.Or(topic.Page, topic.Name) + ".md"
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := "<!-- generated: sallyport help "+topic.Name+" -->\n", "<!-- end -->\n"
		before, rest, ok := strings.Cut(string(data), begin)
		table, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Errorf("%s has no place for the table: %s%s", file, begin, end)
			continue
		}
		var want bytes.Buffer
		topic.WriteMarkdown(&want)
		if table == want.String() {
			continue
		}
		if !*update {
			t.Errorf("%s is older than the program: run make docs", file)
			continue
		}
		if err := os.WriteFile(file, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTablesAreWhole(t *testing.T) {
	for _, topic := range All() {
		if len(topic.Rows) == 0 || topic.Short == "" {
			t.Errorf("%s: nothing to print", topic.Name)
		}
		for _, row := range topic.Rows {
			if len(row) != len(topic.Head) || row[0] == "" || row[1] == "" || strings.Contains(strings.Join(row, ""), "\n") {
				t.Errorf("%s: %q", topic.Name, row)
			}
		}
	}
}

func TestReasonsHaveEveryColumn(t *testing.T) {
	topic := reasons()
	if len(topic.Rows) != len(rules.Reasons()) {
		t.Errorf("%d rows", len(topic.Rows))
	}
	for _, row := range topic.Rows {
		for i, cell := range row {
			if cell == "" {
				t.Errorf("%s has no %s", row[0], topic.Head[i])
			}
		}
	}
}

func TestOutput(t *testing.T) {
	topic := Topic{Name: "x", Short: "x", Head: []string{"name", "meaning", "cure"}, Rows: [][]string{
		{"`a`", "one|two", ""}, {"`b`", strings.Repeat("word ", 25), "`c`"},
	}}
	var out bytes.Buffer
	topic.WriteMarkdown(&out)
	if want := "| name | meaning | cure |\n|---|---|---|\n| `a` | one\\|two |  |\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("Markdown:\n%s", out.String())
	}
	out.Reset()
	topic.writeText(&out)
	want := "a\n  meaning  one|two\n\nb\n  meaning  " + strings.TrimSpace(strings.Repeat("word ", 17)) + "\n           " +
		strings.TrimSpace(strings.Repeat("word ", 8)) + "\n  cure     c\n"
	if out.String() != want {
		t.Errorf("for a terminal:\n%s\nwant\n%s", out.String(), want)
	}
	for _, terminal := range []bool{false, true} {
		c := Commands(func(io.Writer) bool { return terminal })[0]
		out.Reset()
		c.SetOut(&out)
		c.SetArgs([]string{})
		if err := c.Execute(); err != nil || strings.HasPrefix(out.String(), "|") == terminal {
			t.Errorf("terminal %v: %v\n%.200s", terminal, err, out.String())
		}
	}
}
