// Pages: a command that a page shows exists, and prints what the page shows.

package main

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The configuration and the journal that the pages' commands name, and the
// configuration of the README with an error in it.
const (
	papersSite    = "/etc/sallyport/sallyport.toml"
	papersJournal = "/var/log/sallyport/denials.jsonl"
)

// offline are the commands that touch no network and end by themselves.
var offline = map[string]bool{"check": true, "explain": true, "profiles": true, "denials": true}

var (
	codeLine  = regexp.MustCompile(`^( {4,})(\$ )?((?:runuser -u sallyport -- |\./)?sallyport [a-z].*)`)
	shellLine = regexp.MustCompile(`^()(\$ )?((?:runuser -u sallyport -- |\./)?sallyport [a-z].*)`)
	// The parts of the output that change from day to day, and the width of columns.
	instant = regexp.MustCompile(`\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?(Z| UTC)?|\b\d\d:\d\d:\d\d( UTC)?\b`)
	spaces  = regexp.MustCompile(` {2,}|-{2,}`)
)

// A shown command is a line "$ sallyport …" of a page, and the lines below it.
type shownCommand struct {
	first, last int // lines of its output; last is excluded
	indent      string
	line        string
	prints      bool // the page shows its output
}

// shownCommands finds the commands of sallyport in a page.
func shownCommands(lines []string) (found []shownCommand) {
	fence := ""
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			if fence == "" {
				fence = strings.TrimSpace(line)
			} else {
				fence = ""
			}
			continue
		}
		re := codeLine
		if fence == "```sh" {
			re = shellLine
		} else if fence != "" {
			continue
		}
		m := re.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		c := shownCommand{first: i + 1, last: i + 1, indent: m[1], line: m[3], prints: m[2] != ""}
		for c.prints && c.last < len(lines) && continues(lines, c) {
			c.last++
		}
		found = append(found, c)
	}
	return found
}

// continues reports whether the next line still belongs to the output of c. An
// empty line does if more of the block follows.
func continues(lines []string, c shownCommand) bool {
	for _, line := range lines[c.last:] {
		if line != "" {
			return strings.HasPrefix(line, c.indent) && !strings.HasPrefix(line, c.indent+"$ ")
		}
	}
	return false
}

func TestPapersCommands(t *testing.T) {
	found := 0
	for _, page := range releasedPapers(t) {
		if path.Ext(page) != ".md" || page == "CHANGELOG.md" {
			continue
		}
		for _, shown := range shownCommands(strings.Split(deployed(t, page), "\n")) {
			found++
			words := strings.Fields(shown.line[strings.Index(shown.line, "sallyport ")+len("sallyport "):])
			if strings.HasPrefix(shown.line, "runuser") {
				words = strings.Fields(shown.line[strings.LastIndex(shown.line, "-- sallyport ")+len("-- sallyport "):])
			}
			c, _, err := newRoot().Find(words)
			if err != nil || c.Name() == "sallyport" {
				t.Errorf("%s: %q: no such command", page, shown.line)
				continue
			}
			for _, word := range words {
				if strings.HasPrefix(word, "#") || strings.ContainsAny(word, "|>&") {
					break
				}
				name, is := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if is && lookupFlag(name, c.Flags(), c.InheritedFlags()) == nil {
					t.Errorf("%s: %q: sallyport %s takes no --%s", page, shown.line, c.Name(), name)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d commands", found)
	}
}

func lookupFlag(name string, sets ...*pflag.FlagSet) *pflag.Flag {
	for _, set := range sets {
		if f := set.Lookup(name); f != nil {
			return f
		}
	}
	return nil
}

// The test runs every "$ sallyport …" of a page that needs no network. A page may
// leave out the end of the output by a last line "…".
func TestPapersShown(t *testing.T) {
	t.Setenv("TZ", "UTC")
	dir := t.TempDir()
	site := papersConfiguration(t)
	site = strings.ReplaceAll(site, papersJournal, filepath.Join(dir, "denials.jsonl"))
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("sallyport.toml", site)
	write("wrong.toml", strings.Replace(site, `"neural-x"`, `"neural-y"`, 1))
	write("denials.jsonl", deployed(t, "cmd/sallyport/testdata/papers/denials.jsonl"))
	write("datagrams.toml", deployed(t, "cmd/sallyport/testdata/papers/datagrams.toml"))
	write("datagrams.jsonl", deployed(t, "cmd/sallyport/testdata/papers/datagrams.jsonl"))
	write("synthetic.toml", deployed(t, "cmd/sallyport/testdata/papers/synthetic.toml"))
	write("synthetic.secret", strings.Repeat("s", 64))
	papers := releasedPapers(t)
	texts := map[string]string{}
	for _, page := range papers {
		texts[page] = deployed(t, page)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	found := 0
	for _, page := range papers {
		if path.Ext(page) != ".md" || page == cataloguePage { // the catalogue page has a test of its own
			continue
		}
		lines := strings.Split(texts[page], "\n")
		shown := shownCommands(lines)
		for i := len(shown) - 1; i >= 0; i-- { // the last command first, because an update moves the lines below a command
			c := shown[i]
			words := strings.Fields(strings.ReplaceAll(c.line, "'", ""))
			if !c.prints || words[0] != "sallyport" || !offline[words[1]] {
				continue
			}
			found++
			for i := range words {
				words[i] = strings.ReplaceAll(words[i], papersSite, filepath.Join(dir, "sallyport.toml"))
			}
			_, out, diag := command(t, "", words[1:]...)
			printed := strings.NewReplacer(filepath.Join(dir, "sallyport.toml"), papersSite, filepath.Join(dir, "denials.jsonl"), papersJournal).Replace(out + diag)
			lines = comparePrinted(t, page, lines, c, strings.Split(strings.TrimRight(printed, "\n"), "\n"))
		}
		if text := strings.Join(lines, "\n"); os.Getenv("UPDATE_GOLDEN") != "" && text != texts[page] {
			if err := os.WriteFile(filepath.Join(root, page), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d commands", found)
	}
}

// comparePrinted compares the output on a page with the real output. With UPDATE_GOLDEN it puts the
// real output into the lines.
func comparePrinted(t *testing.T, page string, lines []string, c shownCommand, printed []string) []string {
	t.Helper()
	is := make([]string, 0, c.last-c.first)
	for _, line := range lines[c.first:c.last] {
		is = append(is, strings.TrimPrefix(line, c.indent))
	}
	if n := len(is) - 1; n >= 0 && is[n] == "…" && n <= len(printed) {
		printed = append(printed[:n:n], "…")
	}
	if plain(is) == plain(printed) {
		return lines
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Errorf("%s: %q prints\n%s\nbut the page shows\n%s\n(UPDATE_GOLDEN=1 go test ./cmd/sallyport -run TestPapersShown writes it anew)",
			page, c.line, strings.Join(printed, "\n"), strings.Join(is, "\n"))
		return lines
	}
	out := append([]string{}, lines[:c.first]...)
	for _, line := range printed {
		out = append(out, strings.TrimRight(c.indent+line, " "))
	}
	return append(out, lines[c.last:]...)
}

// plain removes the parts of the output that change from day to day.
func plain(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight(spaces.ReplaceAllString(instant.ReplaceAllString(line, "T"), " "), " ") + "\n")
	}
	return b.String()
}

// papersConfiguration is the configuration of the README, which the other pages
// call /etc/sallyport/sallyport.toml.
func papersConfiguration(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	in := false
	for line := range strings.Lines(deployed(t, "README.md")) {
		code := strings.TrimPrefix(line, "       ")
		in = in || code == "[listen]\n"
		if in && code == line && strings.TrimSpace(line) != "" {
			break
		}
		if in {
			b.WriteString(code)
		}
	}
	return b.String()
}

// Each piece of configuration on a page of docs/ has no error. The test puts the
// README's configuration before it. If the piece has listeners or a client, they
// replace those of the README.
func TestPapersConfigurations(t *testing.T) {
	site := strings.ReplaceAll(papersConfiguration(t), papersJournal, filepath.Join(t.TempDir(), "denials.jsonl"))
	listen, clients, _ := strings.Cut(site, "[[client]]")
	_, dns, _ := strings.Cut(site, "[dns]")
	found := 0
	for _, page := range releasedPapers(t) {
		if path.Dir(page) != "docs" || path.Ext(page) != ".md" {
			continue
		}
		for _, piece := range regexp.MustCompile(`(?m)^    \[.*\n(?:(?:    .*)?\n)*`).FindAllString(deployed(t, page), -1) {
			found++
			piece = strings.ReplaceAll(piece, "\n    ", "\n")[4:]
			whole := site + piece
			if strings.Contains(piece, "[[client]]") {
				whole = listen + piece + "[dns]" + dns
			}
			if strings.HasPrefix(piece, "[listen]") {
				whole = piece + "[[client]]" + clients
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "site.toml")
			texts := map[string]string{file: whole}
			for _, list := range regexp.MustCompile(`"([^"]+\.txt)"`).FindAllStringSubmatch(piece, -1) {
				texts[filepath.Join(dir, list[1])] = "listed.example\n"
			}
			if strings.Contains(piece, `"profiles/"`) {
				texts[filepath.Join(dir, "profiles/backup.toml")] = "name = \"backup\"\nroles = [\"server\"]\n[document]\ntitle = \"Ports of Backup 7\"\n"
			}
			if strings.Contains(piece, `"parent.auth"`) {
				texts[filepath.Join(dir, "parent.auth")] = "sallyport:secret\n"
			}
			if strings.Contains(piece, `"siem-ca.pem"`) {
				certificate, key := papersCertificate(t)
				texts[filepath.Join(dir, "siem-ca.pem")], texts[filepath.Join(dir, "sallyport.pem")], texts[filepath.Join(dir, "sallyport.key")] = certificate, certificate, key
			}
			for path, text := range texts {
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if code, out, diag := command(t, "", "check", "--config", file); code != 0 {
				t.Errorf("%s: exit %d\n%s%s\n%s", page, code, out, diag, whole)
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d pieces", found)
	}
}
