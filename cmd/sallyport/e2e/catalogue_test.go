//go:build linux

// Catalogue: the page about another vendor's document with a running gateway: it reads the
// reviewed profile, and takes over the next revision by itself.

package e2e

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// edited makes the changes of the page in a file: each piece takes the place of the rule or
// the NOTE with its id, or of the line of its key.
func edited(t *testing.T, page, file, draft string) string {
	t.Helper()
	for i, part := range strings.Split(page, "\n```toml "+file+" ") {
		id, rest, _ := strings.Cut(part, "\n")
		piece, _, _ := strings.Cut(rest, "\n```\n")
		if i == 0 {
			continue
		}
		blocks := strings.Split(draft, "\n\n")
		at := slices.IndexFunc(blocks, func(b string) bool {
			return strings.Contains(strings.ReplaceAll(b, "\n# ", "\n"), "\nid      = \""+id+"\"\n")
		})
		if at >= 0 {
			blocks[at] = piece
			draft = strings.Join(blocks, "\n\n")
			continue
		}
		before, line, found := strings.Cut(draft, "\n"+id+" ")
		if _, after, ended := strings.Cut(line, "\n"); found && ended {
			draft = before + "\n" + piece + "\n" + after
			continue
		}
		t.Fatalf("the draft has nothing with the id %q", id)
	}
	return draft + "\n"
}

func TestCatalogueOfTheGuide(t *testing.T) {
	need(t)
	text, err := os.ReadFile("../../../docs/catalogue.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(string(text), "\n# Details\n") // the part with the rows edited by hand
	ns := newNetns(t, "catalogue")
	e := &exporter{binary: builtBinary(t), dir: t.TempDir(), ns: ns}
	imported := func(version string) string {
		t.Helper()
		html, err := os.ReadFile("../../../docs/example-backup-" + version + ".html")
		if err != nil {
			t.Fatal(err)
		}
		draft := ns.run(t, e.dir, string(html), e.binary, "profiles", "import", "-", "--format", "html", "--name", "backup", "--title", "Example Backup", "--role", "server")
		if draft.code != 0 {
			t.Fatal(draft)
		}
		e.write(t, "draft-"+version+".toml", draft.stdout)
		return draft.stdout
	}
	reviewed := edited(t, page, "backup.toml", imported("3"))
	if err := os.Mkdir(filepath.Join(e.dir, "profiles"), 0o755); err != nil {
		t.Fatal(err)
	}
	e.write(t, "profiles/backup.toml", reviewed)
	start := ns.run(t, e.dir, "", e.binary, "profiles", "start", "profiles/backup.toml")
	if start.code != 0 {
		t.Fatal(start)
	}
	e.write(t, "site.toml", edited(t, page, "site.toml", start.stdout)+"[dns]\nupstreams = [\"udp://127.0.0.1:53\"]\n")
	for _, route := range internetRoutes { // so that a permitted connection is refused at once
		ns.ip(t, "route add local "+route+" dev lo")
	}
	serveDNS(t, ns, book{}, "127.0.0.1:53")
	up := func() bool {
		c, err := ns.dial("tcp", "", "127.0.0.1:3128")
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	e.started(t, up, e.binary, "run", "--config", "site.toml")
	status := func(to string) int {
		t.Helper()
		c, err := ns.dial("tcp", "", "127.0.0.1:3128")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte("CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	// Nothing listens behind the gateway: a permitted destination cannot be reached.
	for to, want := range map[string]int{"eu1.store.backup.example:8443": 502, "support.backup.example:22": 403, "update.backup.example:443": 502, "update.backup.example:80": 403, "licence.backup.example:443": 502, "eu1.metrics.backup.example:443": 403, "agents.backup.example:8443": 403} {
		if got := status(to); got != want {
			t.Errorf("%s: %d, want %d", to, got, want)
		}
	}
	// A file with an error changes nothing; then the next revision is taken over.
	replace(t, filepath.Join(e.dir, "profiles", "backup.toml"), reviewed+"[[rule]]\nid = \"broken\"\n")
	time.Sleep(3 * time.Second)
	if got := status("eu1.store.backup.example:8443"); got != 502 {
		t.Errorf("after a file with an error: %d", got)
	}
	imported("4")
	e.write(t, "backup.toml", reviewed)
	merged := ns.run(t, e.dir, "", e.binary, "profiles", "merge", "backup.toml", "--old", "draft-3.toml", "--new", "draft-4.toml")
	if merged.code != 1 { // a conflict, as the page shows
		t.Fatal(merged)
	}
	replace(t, filepath.Join(e.dir, "profiles", "backup.toml"), edited(t, page, "backup-4.toml", merged.stdout))
	got := 0
	for range 100 {
		if got = status("agents.backup.example:8443"); got == 502 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(e.dir, filepath.Base(e.binary)+".log"))
	if got != 502 || !strings.Contains(string(log), "reloaded") || !strings.Contains(string(log), "profiles/backup.toml") {
		t.Errorf("the next revision: %d\n%s", got, log)
	}
}
