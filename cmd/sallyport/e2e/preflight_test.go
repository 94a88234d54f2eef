//go:build linux

// Preflight: preflight names each fault of the small internet rightly, shows the
// other destinations as working, and sends no packet to a forbidden destination.

package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// preflightReport is the part of the output of preflight --json that the tests
// check.
type preflightReport struct {
	Interrupted  bool           `json:"interrupted"`
	Summary      map[string]int `json:"summary"`
	Destinations []struct {
		Host, Proto, Status, Problem, Detail, Likely, Cure string
		Port                                               int
		Needs                                              []struct{ Client, Rule, Source string }
		Addresses                                          []struct {
			Address, Family, Status, Problem string
			TCP                              *struct{ OK bool }
			TLS                              *struct {
				OK          bool
				Version     string
				Certificate *struct {
					Subject, Issuer string
					NotAfter        time.Time `json:"not_after"`
					Verified        bool
				}
			}
			HTTP *struct{ Status int }
		}
	}
	NotTried []struct{ Client, Rule, What, Why string } `json:"not_tried"`
	NoRoute  []struct{ Family string }                  `json:"no_route"`
}

func (w *preflightWorld) report(t *testing.T, r result) (report preflightReport) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatalf("no JSON: %v\n%v", err, r)
	}
	return report
}

// preflight names a blocked port, a dead name, an expired certificate, a reset, a
// black hole and all other faults of the matrix rightly. It runs beside a serving
// sallyport and does not touch its journal or listeners.
func TestPreflightNamesEachFault(t *testing.T) {
	w := newPreflightWorld(t)
	config := w.config()
	g := newGateway(t, w.host)
	g.configure(t, config)
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitListening(t, outside4+":3128")
	var journaled string
	eventually(t, 30*time.Second, "its start is on record", func() error {
		if journaled = w.read(t, g.dir); !strings.Contains(journaled, `"event":"start"`) {
			return os.ErrNotExist
		}
		return nil
	})

	mark := w.rec.mark(t)
	r := w.run(t, config, "--json", "--timeout", "1500ms", "--parallel", "32")
	if r.code != 1 || r.took > 20*time.Second {
		t.Errorf("exit %d after %v, want 1 in time", r.code, r.took)
	}
	report := w.report(t, r)
	t.Run("findings", func(t *testing.T) { w.findings(t, report) })
	t.Run("untried", func(t *testing.T) { w.untried(t, report) })
	t.Run("packets", func(t *testing.T) { w.onlyPermitted(t, w.rec.since(t, mark)) })
	if now := w.read(t, g.dir); now != journaled {
		t.Errorf("the journal changed:\n%s\nwas\n%s", now, journaled)
	}
	if t.Failed() {
		t.Log(r.stderr)
	}
}

// read returns the journals of a directory.
func (w *preflightWorld) read(t *testing.T, dir string) (all string) {
	t.Helper()
	for _, name := range []string{"denials.jsonl", "flows.jsonl"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all += string(b)
	}
	return all
}

// findings compares the report with the trials, in both directions.
func (w *preflightWorld) findings(t *testing.T, report preflightReport) {
	seen, counts := map[string]bool{}, map[string]int{}
	for _, d := range report.Destinations {
		counts[d.Status]++
		i := slices.IndexFunc(trials, func(tr trial) bool { return tr.host == d.Host && tr.port == d.Port })
		if d.Proto != "tcp" || i < 0 {
			continue
		}
		tr, name := trials[i], d.Host+" "+trials[i].serve
		seen[fmt.Sprint(d.Host, " ", d.Port)] = true
		if d.Status != tr.status || d.Problem != tr.problem || !strings.Contains(d.Detail, tr.detail) {
			t.Errorf("%s:%d is %s, %s, %q; want %s, %s, %q", name, d.Port, d.Status, d.Problem, d.Detail, tr.status, tr.problem, tr.detail)
		}
		if (d.Problem != "") != (d.Likely != "" && d.Cure != "") {
			t.Errorf("%s: %s without words: %q, %q", name, d.Problem, d.Likely, d.Cure)
		}
		if len(d.Needs) != 1 || d.Needs[0].Client != "mgr" || d.Needs[0].Source == "" {
			t.Errorf("%s is needed by %v", name, d.Needs)
		}
		if tr.dns == "" && tr.problem != "policy_denied" && len(d.Addresses) != len(tr.addresses()) {
			t.Errorf("%s: addresses %v, want %v", name, d.Addresses, tr.addresses())
		}
		for _, a := range d.Addresses {
			w.worked(t, name, tr, a.Status, a.TLS != nil && a.TLS.OK && a.TLS.Certificate != nil && a.TLS.Certificate.Verified == (tr.status == "ok"), a.HTTP != nil && a.HTTP.Status == 404)
		}
	}
	if len(seen) != len(trials) || report.Summary["ok"] != counts["ok"] || report.Summary["failed"] != counts["failed"] {
		t.Errorf("%d of %d trials in the report; summary %v, counted %v", len(seen), len(trials), report.Summary, counts)
	}
}

// worked checks the evidence for an address that works.
func (w *preflightWorld) worked(t *testing.T, name string, tr trial, status string, tls, http bool) {
	t.Helper()
	if status != "ok" && status != "warning" {
		return
	}
	switch tr.serve {
	case "tls", "slow", "clientcert", "self":
		if !tls && tr.status != "warning" {
			t.Errorf("%s works without a verified certificate", name)
		}
	case "http", "getonly":
		if !http {
			t.Errorf("%s works without an HTTP answer", name)
		}
	}
}

// untried checks the entries that are permitted but cannot be tried.
func (w *preflightWorld) untried(t *testing.T, report preflightReport) {
	for what, why := range map[string]string{
		"*.wide.example": "wildcard", "93.184.70.0/24": "prefix", "many.example": "too many",
	} {
		if !slices.ContainsFunc(report.NotTried, func(n struct{ Client, Rule, What, Why string }) bool {
			return n.What == what && strings.Contains(n.Why, why)
		}) {
			t.Errorf("%s is not listed as not tried: %v", what, report.NotTried)
		}
	}
	for _, d := range report.Destinations {
		if d.Proto == "udp" && (d.Status != "not_tried" || d.Host != "many.example") {
			t.Errorf("UDP: %+v", d)
		}
		if d.Host == "expiredrule.example" {
			t.Error("a rule that is not in force was tried")
		}
	}
}

// onlyPermitted demands that every packet went to a trial or to the resolver, and
// that the queries had only permitted names.
func (w *preflightWorld) onlyPermitted(t *testing.T, packets []packet) {
	places, names := map[netip.AddrPort]bool{}, map[string]bool{"many.example": true}
	for _, tr := range trials {
		names[tr.host] = true
		for _, addr := range tr.addresses() {
			places[netip.AddrPortFrom(addr, uint16(tr.port))] = true
		}
	}
	for _, forbidden := range []string{"10.20.30.99:443", outside4 + ":3128"} {
		delete(places, netip.MustParseAddrPort(forbidden))
	}
	for _, documented := range []string{"8445", "8446", "9090"} { // more ports of the console at the bound manager, besides 8443
		places[netip.MustParseAddrPort("10.20.30.41:"+documented)] = true
	}
	reached := map[netip.AddrPort]bool{}
	for _, p := range packets {
		switch {
		case p.query != "" && !names[p.query]:
			t.Errorf("asked for %s", p.query)
		case p.query == "" && (p.proto != "tcp" || !places[p.dst]):
			t.Errorf("sent %v", p)
		}
		reached[p.dst] = true
	}
	for place := range places {
		if !reached[place] && !netip.MustParsePrefix("2a01::/16").Contains(place.Addr()) {
			t.Errorf("nothing arrived at %v: it was not tried", place)
		}
	}
}

// A table shows the destinations that work, and the exit code is 0. For
// destinations that fail it has the text for a ticket. --host and --client select
// destinations.
func TestPreflightTable(t *testing.T) {
	w := newPreflightWorld(t)
	config := w.config()
	r := w.run(t, config, "--host", "ok.example", "--host", "only?.example", "--client", "mgr")
	if r.code != 0 || strings.Count(r.stdout, "\nok ") != 4 || !strings.Contains(r.stdout, "TLS 1.3") || !strings.Contains(r.stdout, " 404 ") ||
		!strings.Contains(r.stdout, "4 work, 0 with warnings, 0 fail") || !strings.Contains(r.stdout, "origin ok.example, by sallyport end-to-end test root, until ") {
		t.Errorf("what works:\n%v", r)
	}
	r = w.host.run(t, w.dir, config, "env", "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent", builtBinary(t), "preflight", "--config", "-", "--host", "only4.example")
	if r.code != 0 || !strings.Contains(r.stdout, "warning: cert not checked: this host has no certificate authorities") {
		t.Errorf("without authorities:\n%v", r)
	}
	r = w.run(t, config, "--host", "dropped*.example", "--host", "expired.example", "--host", "gone.example", "--timeout", "500ms")
	for _, want := range []string{
		"failed: tcp timed out: a firewall on the way drops the connection attempt",
		"do: ask for TCP 443 to 93.184.61.1 (dropped.example) to be opened from 45.83.0.2",
		"do: ask for TCP 443 to 2a00:1450:61::1 (dropped6.example) to be opened from 2a0d:5600::2",
		"failed: cert expired", "failed: name not found", "needed by mgr (site/r",
		"0 work, 0 with warnings, 4 fail",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	if r.code != 1 || t.Failed() {
		t.Errorf("what fails:\n%v", r)
	}
}

// TestPreflightInterrupted asserts that Ctrl-C ends preflight with a report of
// the results so far.
func TestPreflightInterrupted(t *testing.T) {
	w := newPreflightWorld(t)
	g := newGateway(t, w.host)
	g.configure(t, w.config())
	g.startCommand(t, "env", slices.Concat(w.env(), []string{builtBinary(t), "preflight", "--config", "sallyport.toml", "--json",
		"--host", "dropped.example", "--host", "ok.example", "--timeout", "2m"})...)
	mark := 0
	eventually(t, 30*time.Second, "the black hole and the healthy server are tried", func() error {
		all := w.rec.everything(t, mark)
		tried := func(dst string) bool {
			return sent(all, netip.MustParseAddrPort(dst)) > 0 || slices.ContainsFunc(all, func(p packet) bool { return p.syn && p.dst.String() == dst })
		}
		if !tried("93.184.61.1:443") || sent(all, netip.MustParseAddrPort("93.184.60.1:443")) == 0 || sent(all, netip.MustParseAddrPort("[2a00:1450:60::1]:443")) == 0 {
			return os.ErrNotExist
		}
		return nil
	})
	began := time.Now()
	g.signal(t, syscall.SIGINT)
	if code := g.waitExit(t, 5*time.Second); code != 2 || time.Since(began) > 3*time.Second {
		t.Errorf("exit %d after %v, want 2 at once", code, time.Since(began))
	}
	_, text, _ := strings.Cut("\n"+g.out.String(), "\n{\n") // warnings come before the report
	text, said, _ := strings.Cut(text, "\n}\n")
	report := w.report(t, result{stdout: "{\n" + text + "\n}\n"})
	if !report.Interrupted || report.Summary["unfinished"] < 1 || !strings.Contains(said, "interrupted") {
		t.Errorf("%+v\n%s", report.Summary, said)
	}
}
