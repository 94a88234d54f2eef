// The page about another vendor's document: its commands, one after the other, print what
// the page shows.

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
	"sallyport/rules"
)

// mostWords is how many words the first part of the page may have, commands and all: a person who
// wants the whole job in one go reads no more.
const mostWords = 900

// The first part of the page is the whole job: its commands, one after the other, bring the example
// to an export, and only its conflict and its difference exit with 1.
func TestPapersCatalogueInOneGo(t *testing.T) {
	page, _, _ := strings.Cut(deployed(t, cataloguePage), "\n# Details\n")
	dir := t.TempDir()
	for _, name := range []string{"example-backup-3.html", "example-backup-4.html"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(deployed(t, "docs/"+name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	page = strings.ReplaceAll(page, " \\\n     ", "")
	lines := strings.Split(page, "\n")
	commands := 0
	for i, line := range lines {
		if file, is := strings.CutPrefix(line, "```toml "); is {
			end := i + 1 + slices.Index(lines[i+1:], "```")
			edit(t, file, strings.Join(lines[i+1:end], "\n")+"\n")
		}
		shell, is := strings.CutPrefix(line, "    ")
		if !is || strings.HasPrefix(shell, "curl ") || strings.HasPrefix(shell, "sallyport run ") {
			continue
		}
		commands++
		printed := perform(t, shell)
		for begins, want := range map[string]string{
			"sallyport profiles decide draft-3.toml --output":  "backup.toml: 7 rows decided, 0 left\nnext: sallyport profiles check --strict backup.toml\n",
			"sallyport profiles check --strict backup.toml":    "good: 1 profile, 0 errors, 0 warnings, 3 noted\n",
			"sallyport check --config site.toml":               "site.toml: good: ",
			"sallyport profiles merge":                         "; to decide: 1 conflict, 0 undecided\nnext: sallyport profiles decide backup-4.toml\n",
			"sallyport profiles decide backup-4.toml --output": "backup-4.toml: 1 row decided, 0 left\n",
			"sallyport profiles check --strict backup-4.toml":  "good: 1 profile, 0 errors, 0 warnings, 2 noted\n",
			"sallyport profiles diff backup":                   "in use   backup/licence, which NEW does not have: ",
			"sallyport profiles export --config site.toml":     "left out: udp 514: ",
		} {
			if strings.HasPrefix(shell, begins) && !strings.Contains(printed, want) {
				t.Errorf("%s prints\n%s\nand not %q", shell, printed, want)
			}
		}
	}
	if commands < 18 {
		t.Errorf("only %d commands", commands)
	}
	if text, err := os.ReadFile("backup.squid.conf"); err != nil || !strings.Contains(string(text), "agents.backup.example") {
		t.Errorf("%v\n%s", err, text)
	}
}

// cataloguePage is the page whose commands depend on each other.
const cataloguePage = "docs/catalogue.md"

func TestPapersCatalogue(t *testing.T) {
	t.Setenv("TZ", "UTC")
	page := deployed(t, cataloguePage)
	dir := t.TempDir()
	for _, name := range []string{"example-backup-3.html", "example-backup-4.html"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(deployed(t, "docs/"+name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	var out []string
	lines := strings.Split(page, "\n")
	commands := 0
	details := slices.Index(lines, "# Details")
	if n := len(strings.Fields(strings.Join(lines[:max(details, 0)], " "))); details < 0 || n > mostWords {
		t.Errorf("the whole job has %d words, more than %d", n, mostWords)
	}
	out = append(out, lines[:details]...)
	for i := details; i < len(lines); i++ {
		line := lines[i]
		out = append(out, line)
		if file, is := strings.CutPrefix(line, "```toml "); is {
			end := i + 1
			for lines[end] != "```" {
				end++
			}
			piece := strings.Join(lines[i+1:end], "\n") + "\n"
			shown := edit(t, file, piece)
			if shown != piece && os.Getenv("UPDATE_GOLDEN") == "" {
				t.Errorf("%s:%d: the file has\n%s", cataloguePage, i+1, shown)
			}
			out = append(out, strings.Split(shown+"```", "\n")...)
			i = end
			continue
		}
		shell, is := strings.CutPrefix(line, "    $ ")
		if !is {
			continue
		}
		commands++
		c := shownCommand{first: i + 1, last: i + 1, indent: "    "}
		for c.last < len(lines) && continues(lines, c) {
			c.last++
		}
		printed := perform(t, shell)
		if strings.HasPrefix(shell, "sallyport explain --config site.toml tcp eu1.metrics") {
			record(t)
		}
		if printed == "" && c.first == c.last {
			continue
		}
		updated := comparePrinted(t, cataloguePage, lines, c, strings.Split(strings.TrimRight(printed, "\n"), "\n"))
		added := len(updated) - len(lines)
		out = append(out, updated[c.first:c.last+added]...)
		lines, i = updated, c.last+added-1
	}
	if commands < 14 {
		t.Errorf("only %d commands", commands)
	}
	if text := strings.Join(out, "\n"); os.Getenv("UPDATE_GOLDEN") != "" && text != page {
		if err := os.WriteFile(filepath.Join(root, cataloguePage), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// edit does what the page tells the reader to do with a piece of TOML. With "in FILE" the page
// quotes the part of the file that has the piece's first id. With "FILE ID" the piece takes the
// place of the rule or the NOTE with this id, or of the line of this key. With "FILE" the piece is a
// new file.
func edit(t *testing.T, where, piece string) (shown string) {
	t.Helper()
	if file, is := strings.CutPrefix(where, "in "); is {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ids := regexp.MustCompile(`id      = "([^"]+)"`).FindAllStringSubmatch(piece, -1)
		return blockOf(t, string(text), ids[0][1]) + "\n"
	}
	file, id, _ := strings.Cut(where, " ")
	old, _ := os.ReadFile(file) // a new file has no text
	text := string(old)
	switch {
	case id != "":
		text = strings.Replace(text, blockOf(t, text, id), strings.TrimSuffix(piece, "\n"), 1)
	default:
		text = piece
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return piece
}

// blockOf returns the rule or the NOTE with an id, up to the next empty line; or the line of a key.
func blockOf(t *testing.T, text, id string) string {
	t.Helper()
	for block := range strings.SplitSeq(text, "\n\n") {
		if strings.Contains("\n"+strings.ReplaceAll(block, "\n# ", "\n"), "\nid      = \""+id+"\"\n") {
			return strings.TrimSuffix(block, "\n")
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, id+" ") {
			return strings.TrimSuffix(line, "\n")
		}
	}
	t.Fatalf("nothing has the id %q", id)
	return ""
}

// perform runs one line of the page, and returns what it prints.
func perform(t *testing.T, shell string) string {
	t.Helper()
	quoted := regexp.MustCompile(`"[^"]*"|[^\s"]+`).FindAllString(shell, -1)
	words := make([]string, len(quoted))
	for i, w := range quoted {
		words[i] = strings.Trim(w, `"`)
	}
	switch words[0] {
	case "mkdir":
		if err := os.Mkdir(words[1], 0o700); err != nil {
			t.Fatal(err)
		}
		return ""
	case "cp":
		data, err := os.ReadFile(words[1])
		if err == nil {
			err = os.WriteFile(words[2], data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return ""
	}
	if words[1] == "denials" {
		record(t) // a gateway has run
	}
	code, stdout, stderr := command(t, "", words[1:]...)
	if differs := words[1] == "explain" || words[2] == "diff" || words[2] == "merge"; code > 1 || code == 1 && !differs {
		t.Errorf("%s: exit %d\n%s%s", shell, code, stdout, stderr)
	}
	if at := slices.Index(words, "--output"); words[2] == "import" && at > 0 {
		// The revision of the policy must not depend on the day.
		draft, err := os.ReadFile(words[at+1])
		if err != nil {
			t.Fatal(err)
		}
		draft = regexp.MustCompile(`(?m)^retrieved = .*$`).ReplaceAll(draft, []byte("retrieved = 2026-11-30"))
		if err := os.WriteFile(words[at+1], draft, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return stdout + stderr
}

// record writes the journal of the half year in which the page's reader waits.
func record(t *testing.T) {
	t.Helper()
	now := time.Now()
	site, err := gateway.LoadSite("site.toml", nil, now)
	if err != nil {
		t.Fatal(err)
	}
	var denied, permitted []journal.Record
	for i, q := range []struct {
		host string
		port uint16
	}{{"licence.backup.example", 443}, {"licence.backup.example", 443}, {"update.backup.example", 80}, {"update.backup.example", 443}, {"agents.backup.example", 8443}, {"evil.example", 443}} {
		a := journaltest.Attempt(t, "127.0.0.1", q.host, q.port)
		d := site.Policy.Decide(a)
		r := journal.RecordOf(now.Add(time.Duration(i-200)*time.Hour), a, d)
		r.Boot, r.Seq = "vhk3pzqd7a", uint64(i+1)
		if d.Verdict == rules.Allow {
			permitted = append(permitted, r)
		} else {
			denied = append(denied, r)
		}
	}
	journaltest.File(t, "denials.jsonl", denied...)
	journaltest.File(t, "flows.jsonl", permitted...)
}
