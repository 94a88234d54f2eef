//go:build linux

// Export, the scene: the fleet's policies as sallyport profiles export writes them, and
// the questions that explain and the other program are both asked.

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// wild is a client whose rules have everything that the documents do not have.
const wild = `
[[client]]
name = "Wild_1"
sources = ["10.77.0.40/32", "fd77::40/128"]
profiles = []
[[rule]]
id = "wild"
client = "Wild_1"
to = ["*.wild.example", "deep.in.wild.example", "*.in.wild.example", "10.20.64.0/20", "fd20:64::/48", "start.example"]
tcp = [443, "8000-8010"]
udp = [514]
reason = "wildcards, prefixes and ranges"
[[rule]]
id = "below"
client = "Wild_1"
to = ["pinned.wild.example", "wild2.example", "*.wild2.example"]
tcp = [9443]
reason = "names below a wildcard, and a wildcard with its own name"
[[rule]]
id = "every"
client = "Wild_1"
to = ["any.wild.example", "10.20.99.1"]
any = true
reason = "every protocol and port"
`

// wildHosts are hosts of these rules and beside them.
var wildHosts = []string{
	"wild.example", "a.wild.example", "a.b.wild.example", "xwild.example", "in.wild.example", "x.in.wild.example", "deep.in.wild.example",
	"start.example", "a.start.example", "pinned.wild.example", "a.pinned.wild.example", "wild2.example", "a.wild2.example", "any.wild.example",
	"wild.example.evil.example", "10.20.64.0", "10.20.79.255", "10.20.80.0", "10.20.99.1", "10.20.99.2", "fd20:64::1", "fd20:65::1",
}

// exporter is a directory with the fleet's configuration.
type exporter struct {
	binary, dir string
	ns          *netns
	clients     []client
}

func newExporter(t *testing.T, ns *netns) *exporter {
	t.Helper()
	e := &exporter{binary: builtBinary(t), dir: t.TempDir(), ns: ns, clients: append(slices.Clone(fleet), client{name: "Wild_1", host: 40})}
	e.write(t, "fleet.toml", configuration(fleet)+wild)
	return e
}

// write writes a file that every user may read, and returns its path.
func (e *exporter) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(e.dir, name)
	for _, d := range []string{e.dir, filepath.Dir(e.dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// export returns a client's policy in a format.
func (e *exporter) export(t *testing.T, c client, format string) string {
	t.Helper()
	r := e.ns.run(t, e.dir, "", e.binary, "profiles", "export", "--config", "fleet.toml", "--client", c.name, "--as", format)
	if r.code != 0 {
		t.Fatal(r)
	}
	return r.stdout
}

// An exportProbe is one question, and what explain answers.
type exportProbe struct {
	client client
	host   string
	proto  string
	port   uint16
	answer struct{ Verdict, Reason, Rule string }
}

func (p exportProbe) String() string {
	return fmt.Sprintf("%s: %s %s %d (explain: %s %s %s)", p.client.name, p.proto, p.host, p.port, p.answer.Verdict, p.answer.Reason, p.answer.Rule)
}

// allowed reports whether explain permits the exportProbe.
func (p exportProbe) allowed() bool { return p.answer.Verdict == "allow" }

// named reports whether a rule in force lists the host, whatever the port: then the
// resolver may look the name up.
func (p exportProbe) named() bool {
	return p.allowed() || p.answer.Reason == "port_not_listed" || p.answer.Reason == "protocol_not_listed"
}

// isName reports whether the host is a name.
func (p exportProbe) isName() bool {
	_, err := netip.ParseAddr(p.host)
	return err != nil
}

// exportProbes asks explain about every documented destination and the names right beside it,
// as one client: on the documented ports and on some others.
func (e *exporter) exportProbes(t *testing.T, c client, protos ...string) []exportProbe {
	t.Helper()
	own, others := map[string]bool{}, map[string]bool{"evil.example": true}
	ports := map[uint16]bool{1: true, 80: true, 443: true, 444: true}
	for _, d := range documentedDestinations() {
		if d.client.profile == c.profile && d.client.role == c.role {
			own[d.host], ports[d.port] = true, true
		}
		others[d.host] = true
	}
	if c.host == 40 {
		for _, h := range wildHosts {
			own[h] = true
		}
		for _, p := range []uint16{514, 7999, 8000, 8005, 8010, 8011, 9443} {
			ports[p] = true
		}
	}
	for _, h := range slices.Collect(maps.Keys(own)) {
		if _, err := netip.ParseAddr(h); err == nil {
			continue
		}
		_, parent, _ := strings.Cut(h, ".")
		for _, near := range []string{"a." + h, "x" + h, "x-" + h, parent, h + ".evil.example"} {
			own[near] = true
		}
	}
	var all []exportProbe
	var questions strings.Builder
	ask := func(h, proto string, port uint16) {
		all = append(all, exportProbe{client: c, host: h, proto: proto, port: port})
		fmt.Fprintf(&questions, "%s %s %d\n", proto, h, port)
	}
	for _, proto := range protos {
		for h := range others {
			if !own[h] {
				ask(h, proto, 443)
			}
		}
		for h := range own {
			for port := range ports {
				ask(h, proto, port)
			}
		}
	}
	r := e.ns.run(t, e.dir, questions.String(), e.binary, "explain", "--config", "fleet.toml", "--client", c.name, "--json", "-")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if r.code != 0 || len(lines) != len(all) {
		t.Fatalf("%d answers to %d questions, exit %d\n%s", len(lines), len(all), r.code, r.stderr)
	}
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &all[i].answer); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// started runs a program in the background until the test ends. It is ready when ready
// reports so.
func (e *exporter) started(t *testing.T, ready func() bool, name string, args ...string) {
	t.Helper()
	cmd := command(t.Context(), e.dir, name, args...)
	log, err := os.Create(filepath.Join(e.dir, filepath.Base(name)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	done, up := make(chan error, 1), make(chan error, 1)
	go e.ns.enter(func() error {
		if err := cmd.Start(); err != nil {
			up <- err
			return err
		}
		up <- nil
		return cmd.Wait()
	}, done)
	if err := <-up; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done; log.Close() })
	for range 100 {
		if ready() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("%s is not ready after 10 s:\n%s", name, text)
}

// disagreements reports what a program answers otherwise than explain, at most 20 times.
func disagreements(t *testing.T, program string, all []exportProbe, same func(exportProbe) bool) {
	t.Helper()
	permitted, wrong := 0, 0
	for _, p := range all {
		if p.allowed() {
			permitted++
		}
		if !same(p) {
			if wrong++; wrong <= 20 {
				t.Errorf("%s does not agree: %v", program, p)
			}
		}
	}
	t.Logf("%s: %d questions, %d permitted, %d disagreements", program, len(all), permitted, wrong)
	if permitted == 0 {
		t.Errorf("%s: explain permits nothing", program)
	}
}
