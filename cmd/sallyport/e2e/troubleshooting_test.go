//go:build linux

// Troubleshooting: the commands of docs/troubleshooting.md that need a gateway or a
// client print what the page shows.

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shownExample is one command of the page, with the output that the page shows
// below.
type shownExample struct {
	section, line string
	prints        []string
}

// ipv4Only replaces the page's update1.sangfor.net, which has only one address on
// the page.
const ipv4Only = "sp2.sangfor.com"

// examples returns the lines "$ COMMAND" of the page and their output.
func examples(t *testing.T) (found []shownExample) {
	t.Helper()
	text, err := os.ReadFile(repositoryFile(t, "docs/troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	section, open := "", false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if heading, is := strings.CutPrefix(line, "## "); is {
			section, open = heading, false
		} else if c, is := strings.CutPrefix(line, "    $ "); is {
			found, open = append(found, shownExample{section: section, line: c}), true
		} else if code, is := strings.CutPrefix(line, "    "); is && open {
			found[len(found)-1].prints = append(found[len(found)-1].prints, code)
		} else if line != "" {
			open = false
		}
	}
	return found
}

// example returns the example of a section with that beginning. The lab's names and
// addresses replace those of the page.
func example(t *testing.T, g *gateway, section, begins string) shownExample {
	t.Helper()
	lab := strings.NewReplacer("/etc/sallyport/sallyport.toml", filepath.Join(g.dir, "sallyport.toml"), "runuser -u sallyport -- ", "",
		"sallyport ", builtBinary(t)+" ", "10.20.30.1", gateway4, "10.20.30.40", fleet[0].v4(), "10.0.0.53", resolver4,
		"update1.sangfor.net", ipv4Only)
	for _, e := range examples(t) {
		if e.section == section && strings.HasPrefix(e.line, begins) {
			e.line = lab.Replace(e.line)
			for i, line := range e.prints {
				if !strings.HasPrefix(line, "sallyport: ") {
					e.prints[i] = strings.NewReplacer("10.20.30.1", outside4, "10.0.0.53", resolver4,
						"update1.sangfor.net", ipv4Only, "endpoint-secure-onprem/update", "endpoint-secure-onprem/sp").Replace(line)
				}
			}
			return e
		}
	}
	t.Fatalf("the page has no %q in %q", begins, section)
	return shownExample{}
}

var (
	examplePath   = regexp.MustCompile(`\S*sallyport\.toml(:\d+)?`)
	exampleVaries = regexp.MustCompile(`\d+(\.\d+)?( ?ms|s)\b|93\.184\.\d+\.\d+| +`)
)

// check looks for the page's lines in the command's output. Times, addresses of the lab and the
// width of columns may differ.
func (e shownExample) check(t *testing.T, r result) {
	t.Helper()
	plain := func(s string) string {
		return strings.TrimSpace(exampleVaries.ReplaceAllString(examplePath.ReplaceAllString(s, "FILE"), " "))
	}
	printed := plain(r.all())
	for _, line := range e.prints {
		want := plain(line)
		if strings.HasPrefix(want, "DESTINATION") || strings.HasPrefix(want, "FAIL") || want == "…" {
			continue // the lab's tables have other column widths, and its name has other ports
		}
		if !strings.Contains(printed, want) {
			t.Errorf("%s: the page shows %q, but:\n%v", e.section, line, r)
			return
		}
	}
	if len(e.prints) == 0 {
		t.Errorf("%s: the page shows nothing below %q", e.section, e.line)
	}
}

func TestTroubleshooting(t *testing.T) {
	need(t, "curl", "dig", "nft")
	l := newLab(t)
	config := strings.NewReplacer("10.20.30.1:", gateway4+":", "10.20.30.40", fleet[0].v4(), "10.0.0.53", resolver4,
		"/var/log/sallyport/denials.jsonl", "denials.jsonl").Replace(readGuide(t, "README.md").block(t, "[listen]"))
	g := newGateway(t, l.gateway)
	g.configure(t, config)
	onGateway := func(section, begins string) {
		t.Helper()
		e := example(t, g, section, begins)
		e.check(t, l.gateway.run(t, l.dir, "", "sh", "-c", e.line))
	}
	onGateway("The page does not open", "sallyport healthcheck")
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitReady(t)

	l.answers(t)
	l.internet.run(t, l.dir, "", "sh", "-c", `nft add table inet t
nft add chain inet t in '{ type filter hook input priority 0; }'
nft add rule inet t in ip daddr `+pick(l.book[ipv4Only], false).String()+` tcp flags syn drop`)
	const unreached = "Permitted, but not reached"
	e := example(t, g, unreached, "curl")
	e.check(t, l.tool(t, "sh", "-c", e.line))
	onGateway(unreached, "runuser -u sallyport -- sallyport preflight")

	// An error in the file.
	g.configure(t, strings.Replace(config, `"neural-x"`, `"neural-y"`, 1))
	eventually(t, 30*time.Second, "the reload is refused", func() error {
		return lacks(g.out.String(), "reload refused")
	})
	onGateway("A reload was refused", "sallyport healthcheck")
	g.configure(t, config)
	g.signal(t, syscall.SIGHUP)
	g.waitReady(t)

	// No resolver.
	l.internet.run(t, l.dir, "", "sh", "-c", "nft add rule inet t in meta l4proto { tcp, udp } th dport 53 reject")
	l.digs(t, "update2.sangfor.net", "status: SERVFAIL", "EDE: 22 (No Reachable Authority)")
	const dns = "DNS times out or fails"
	eventually(t, 30*time.Second, "not ready", func() error {
		if code, body, err := g.admin("/readyz"); err != nil || code == 200 {
			return errorf("%d %s %v", code, body, err)
		}
		return nil
	})
	onGateway(dns, "sallyport healthcheck")
}

// answers makes dig print the answers of the page's table.
func (l *lab) answers(t *testing.T) {
	t.Helper()
	l.digs(t, "evil.example", "status: NXDOMAIN", "EDE: 15 (Blocked): (not_listed: ")
	l.digs(t, "-b 10.77.0.99 license.sangfor.com", "status: REFUSED", "EDE: 18 (Prohibited): (unknown_client)")
	r := l.tool(t, "sh", "-c", "dig +tries=1 +time=2 @"+gateway4+" license.sangfor.com")
	if err := lacks(r.all(), "connection refused", "no servers could be reached"); err != nil {
		t.Errorf("%v: %v", err, r)
	}
}

// digs sends a query to the gateway, and demands that dig's output and the page
// have the same parts.
func (l *lab) digs(t *testing.T, question string, parts ...string) {
	t.Helper()
	r := l.tool(t, "sh", "-c", "dig +tries=1 +time=8 @"+gateway4+" -p 5300 "+question)
	if err := lacks(r.all(), parts...); err != nil {
		t.Errorf("%v: %v", err, r)
	}
	page, err := os.ReadFile(repositoryFile(t, "docs/troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := lacks(string(page), parts...); err != nil {
		t.Errorf("the page: %v", err)
	}
}
