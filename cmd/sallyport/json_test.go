// Tests of --json: no text in the output can move a terminal's cursor, reverse the
// direction of a line, or end a line.

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// hostile has a C1 control, DEL, a right-to-left override, a line separator and a
// zero-width joiner. The letters between them make them easy to find.
const hostile = "h\u0085o\x7fs\u202et\u2028i\u200dl\ue000e"

// escapedEnd is the end of hostile as JSON.
const escapedEnd = `i\u200dl\ue000e`

// hostileSite has the end of hostile in a reason, which every answer shows as the rule's
// source. A reason with the other characters is an error.
const hostileSite = `
[listen]
http = ["127.0.0.1:3128"]
[dns]
upstreams = ["udp://127.0.0.1:1"]
[[client]]
name     = "lab"
sources  = ["127.0.0.1"]
profiles = []
[[rule]]
id     = "here"
client = "lab"
to     = ["127.8.8.8"]
tcp    = [1]
reason = "i\u200Dl\uE000e"
[journal]
path  = "j"
flows = "f"
`

// hostileProfile has the end of hostile in what the commands about profiles print.
const hostileProfile = `
name    = "p"
product = "i\u200Dl\uE000e"
roles   = ["m"]
[document]
title = "i\u200Dl\uE000e"
[[rule]]
id      = "r"
from    = "m"
to      = ["d1.cloudfront.net"]
tcp     = [443]
purpose = "i\u200Dl\uE000e"
note    = "d1.cloudfront.net i\u200Dl\uE000e"
section = "i\u200Dl\uE000e"
`

// hostileJournal has hostile unescaped, as another program may have written it.
const hostileJournal = `{"schema":1,"time":"2026-11-01T00:00:00.000000Z","seq":1,"boot":"b","event":"decision","verdict":"deny","via":"connect","client":"127.0.0.1","client_name":"lab","profile":"` + hostile + `","host":"evil.example","port":443,"proto":"tcp","reason":"not_listed","detail":"` + hostile + `","source":"` + hostile + `","nearest":"site/here","hint":"` + hostile + `","flow":1}
{"schema":1,"time":"2026-11-01T00:00:01.000000Z","seq":2,"boot":"b","event":"decision","verdict":"deny","via":"connect","client":"127.0.0.1","client_name":"lab","host_raw":"` + hostile + `","port":443,"proto":"tcp","reason":"malformed_name","detail":"` + hostile + `","flow":2}
`

// hostileUsage is a file of usage counts with hostile in it.
const hostileUsage = `{"schema":1,"since":"2026-01-01T00:00:00Z","uses":[{"client":"` + hostile + `","rule":"site/here","count":1,"first":"2026-11-01T00:00:00Z","last":"2026-11-01T00:00:00Z"}]}`

// A firstLine is a writer that ends a command after its first line, if end is set.
type firstLine struct {
	bytes.Buffer
	end context.CancelFunc
}

func (f *firstLine) Write(b []byte) (int, error) {
	if f.end != nil && bytes.IndexByte(b, '\n') >= 0 {
		f.end()
	}
	return f.Buffer.Write(b)
}

func TestEveryJSONIsEscaped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), hostile)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"s.toml": hostileSite, "p.toml": hostileProfile, "o.toml": hostileProfile, "d.toml": hostileProfile + "\n# NOTE: i\u200Dl\uE000e\n", "q.toml": strings.Replace(hostileProfile, "443", "444", 1), "j": hostileJournal, "f": hostileJournal, "j.usage.json": hostileUsage} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := map[string][]string{ // beside --config and --json; nil: the command needs nothing
		"explain":         {"tcp", "127.8.8.8", "1"},
		"profiles show":   {"cyber-command"},
		"profiles check":  {filepath.Join(dir, "p.toml")},
		"profiles diff":   {filepath.Join(dir, "p.toml"), filepath.Join(dir, "q.toml")},
		"profiles merge":  {filepath.Join(dir, "p.toml"), "--old", filepath.Join(dir, "o.toml"), "--new", filepath.Join(dir, "q.toml"), "--output", filepath.Join(dir, "r.toml")},
		"profiles decide": {filepath.Join(dir, "d.toml")},
		"preflight":       {"--timeout", "100ms"},
		"denials show":    {"b-1"},
		"denials tail":    {"-n", "2"},
		"denials usage":   {"--days", "1"},
		"denials new":     {"--since", "2026-11-01"},
		"denials suggest": nil, "denials replay": nil, "denials stats": nil, "denials top": nil, "denials list": nil, "denials": nil, "profiles list": nil,
	}
	quiet := map[string]bool{"profiles show": true, "profiles list": true, "denials replay": true, "denials stats": false} // these print no text from other sources
	seen := 0
	var walk func(c *cobra.Command, path string)
	walk = func(c *cobra.Command, path string) {
		for _, sub := range c.Commands() {
			walk(sub, strings.TrimSpace(path+" "+sub.Name()))
		}
		if c.Flags().Lookup("json") == nil || !c.Runnable() {
			return
		}
		more, known := args[path]
		if path == "profiles" {
			return // the same as list
		}
		if !known {
			t.Errorf("%s has --json: say in this test how to run it", path)
			return
		}
		seen++
		line := append(strings.Fields(path), more...)
		if c.Flags().Lookup("config") != nil {
			line = append(line, "--config", filepath.Join(dir, "s.toml"))
		}
		out := runJSON(t, append(line, "--json"))
		if out == "" || strings.IndexFunc(out, unprintable) >= 0 || !utf8.ValidString(out) {
			t.Errorf("%s: %q", path, out)
		}
		if !quiet[path] && !strings.Contains(out, escapedEnd) {
			t.Errorf("%s printed nothing hostile: the test tests nothing there: %s", path, out)
		}
	}
	walk(newRoot(), "")
	if seen != len(args) {
		t.Errorf("%d commands of %d", seen, len(args))
	}
	out := runJSON(t, []string{"explain", "--config", filepath.Join(dir, "s.toml"), "--json", "-"})
	if strings.IndexFunc(out, unprintable) >= 0 || !strings.Contains(out, `h\\u0085o`) {
		t.Errorf("a batch: %q", out)
	}
}

func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

func runJSON(t *testing.T, args []string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out firstLine
	if len(args) > 1 && args[1] == "tail" {
		out.end = cancel
	}
	root := newRoot()
	root.SetIn(strings.NewReader("tcp " + hostile + " 443\n"))
	root.SetOut(&out)
	root.SetErr(new(bytes.Buffer))
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil && out.Len() == 0 {
		t.Errorf("%v: %v", args, err)
	}
	return out.String()
}

// One function prints the JSON of commands. Other code encodes only files of our
// own, what a revision is the hash of, and the body of an error in the proxy, whose parts were parsed.
func TestOneEncoder(t *testing.T) {
	may := map[string]bool{"denials/text/json.go": true, "rules/profile/revision.go": true, "denials/journal/usagefile.go": true, "denials/sink/state.go": true, "proxy/errorpage.go": true, "nftables/drops_file.go": true, "nftables/drops_journal.go": true}
	encodes := regexp.MustCompile(`json\.(Marshal\w*|NewEncoder)\(`)
	files := 0
	for _, dir := range []string{"../../denials", "../../rules", "../../proxy", "../../dnsfilter", "."} {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			text, err := os.ReadFile(path)
			if name := strings.TrimPrefix(filepath.ToSlash(path), "../../"); encodes.Match(text) && !may[name] {
				t.Errorf("%s encodes JSON: print it by text.WriteJSON", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Error(fmt.Sprint("only ", files, " files"))
	}
}
