//go:build linux

// First run: the embedded configuration on a machine without any network, as a
// newcomer meets it.

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A newcomer runs one command and makes three tries. Each of the three denials
// explains itself.
func TestFirstRunWithoutNetwork(t *testing.T) {
	need(t, "curl", "dig")
	ns := newNetns(t, "alone") // loopback only: no route, no resolver
	g := newGateway(t, ns)
	g.start(t)
	g.waitListening(t, "127.0.0.1:3128")
	g.waitListening(t, "127.0.0.1:1080")
	// A newcomer reads this output first.
	eventually(t, 30*time.Second, "the first lines say where it listens and what is in force", func() error {
		return lacks(g.out.String(), "127.0.0.1:3128", "127.0.0.1:1080", "127.0.0.1:5300", "endpoint-secure-onprem", "curl", "dig")
	})

	curl := func(args ...string) result { return ns.run(t, g.dir, "", "curl", append([]string{"-sS"}, args...)...) }
	r := curl("-v", "-x", "http://127.0.0.1:3128", "https://evil.example/")
	if err := lacks(r.all(), "403", "X-Sallyport-Reason: not_listed"); err != nil || r.code == 0 {
		t.Errorf("%v: %v", err, r)
	}
	dig := ns.run(t, g.dir, "", "dig", "@127.0.0.1", "-p", "5300", "evil.example")
	if err := lacks(dig.stdout, "status: NXDOMAIN", "EDE: 15", "not_listed"); err != nil {
		t.Errorf("%v: %v", err, dig)
	}
	if r := curl("-x", "socks5h://127.0.0.1:1080", "https://evil.example/"); r.code == 0 {
		t.Errorf("not refused: %v", r)
	}

	for _, via := range []string{"connect", "dns", "socks5"} {
		record := g.journal().mustDeny(t, 0, denial{via: via, client: "this-machine", host: "evil.example", reason: "not_listed"})
		if record.Hint == "" || record.Schema == 0 || record.Time == "" || record.Boot == "" {
			t.Errorf("incomplete record: %s", record.line)
		}
	}
	if ds := g.journal().denials(0); len(ds) != 3 {
		t.Errorf("the journal has %d denials, want 3", len(ds))
	}

	// The page behind the 403, for people and for programs.
	if r := curl("-x", "http://127.0.0.1:3128", "http://evil.example/"); lacks(r.stdout, "not_listed", "evil.example") != nil {
		t.Errorf("the page does not explain: %v", r)
	}
	r = curl("-H", "Accept: application/json", "-x", "http://127.0.0.1:3128", "http://license.sangfor.com:8443/")
	if err := lacks(r.stdout, `"reason":"port_not_listed"`, `"hint":"`, "443"); err != nil {
		t.Errorf("%v: %v", err, r)
	}
}

// If a permitted destination cannot be reached, the client gets a failure and not a
// denial: 502 or 504, SERVFAIL, a SOCKS error.
func TestPermittedWithoutNetworkFailsHonestly(t *testing.T) {
	need(t, "curl", "dig")
	ns := newNetns(t, "alone")
	g := newGateway(t, ns)
	g.start(t)
	g.waitListening(t, "127.0.0.1:3128")
	r := ns.run(t, g.dir, "", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-x", "http://127.0.0.1:3128", "http://upd.sangfor.com/")
	if r.stdout != "502" && r.stdout != "504" {
		t.Errorf("want 502 or 504: %v", r)
	}
	// When a CONNECT is refused, curl shows only the head of the response.
	r = ns.run(t, g.dir, "", "curl", "-sSi", "-x", "http://127.0.0.1:3128", "https://license.sangfor.com/")
	if lacks(r.stdout, "502", "X-Sallyport-Fault: resolve", "X-Sallyport-Hint: No resolver") != nil {
		t.Errorf("the refusal does not say what failed: %v", r)
	}
	if r := ns.run(t, g.dir, "", "dig", "@127.0.0.1", "-p", "5300", "+time=8", "upd.sangfor.com"); lacks(r.stdout, "SERVFAIL") != nil {
		t.Errorf("want SERVFAIL: %v", r)
	}
	if r := ns.run(t, g.dir, "", "curl", "-sS", "-x", "socks5h://127.0.0.1:1080", "https://license.sangfor.com/"); r.code == 0 {
		t.Errorf("reached without a network: %v", r)
	}
	if ds := g.journal().denials(0); len(ds) != 0 {
		t.Errorf("a failure was journaled as a denial: %s", ds[0].line)
	}
}

// The commands that read the journal of a first run.
func TestDenialsCommandReadsTheJournal(t *testing.T) {
	need(t, "dig")
	ns := newNetns(t, "alone")
	g := newGateway(t, ns)
	g.start(t)
	g.waitListening(t, "127.0.0.1:3128")
	for range 3 {
		ns.run(t, g.dir, "", "dig", "@127.0.0.1", "-p", "5300", "+short", "often.evil.example")
	}
	ns.run(t, g.dir, "", "dig", "@127.0.0.1", "-p", "5300", "+short", "once.evil.example")
	eventually(t, 30*time.Second, "four denials", func() error {
		if n := len(g.journal().denials(0)); n != 4 {
			return errorf("the journal has %d", n)
		}
		return nil
	})
	list := ns.run(t, g.dir, "", builtBinary(t), "denials", "list")
	if err := lacks(list.stdout, "once.evil.example", "often.evil.example", "not_listed"); err != nil || list.code != 0 {
		t.Errorf("%v: %v", err, list)
	}
	top := ns.run(t, g.dir, "", builtBinary(t), "denials", "top", "--file", filepath.Join(g.dir, "denials.jsonl"))
	rows := slices.DeleteFunc(lines(top.stdout), func(s string) bool { return !strings.Contains(s, "evil.example") })
	if len(rows) != 2 || !strings.Contains(rows[0], "often.evil.example") || !strings.Contains(rows[0], "3") {
		t.Errorf("top should count often.evil.example three times and first: %v", top)
	}
	if r := ns.run(t, g.dir, "", builtBinary(t), "healthcheck"); strings.Contains(r.all(), "panic") {
		t.Errorf("%v", r)
	}
}
