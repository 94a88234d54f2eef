// Test helpers: a small Gate, attempts, and journals in the test's own directory.

package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sallyport/rules"
)

func TestMain(m *testing.M) {
	if os.Getenv("JOURNAL_TEST_VICTIM") != "" {
		victim(os.Getenv("JOURNAL_TEST_VICTIM"))
		return
	}
	goleak.VerifyTestMain(m)
}

// gateFunc is a Gate that is one function.
type gateFunc func(rules.Attempt) rules.Decision

func (f gateFunc) Decide(a rules.Attempt) rules.Decision { return f(a) }

func (f gateFunc) Preview(a rules.Attempt) rules.Decision { return f(a) }

// small permits update.example, lets audited.example through as mode "audit"
// does, and denies all else. It denies every attempt with a Fault.
func small(a rules.Attempt) rules.Decision {
	switch {
	case a.Fault != rules.ReasonNone:
		return rules.Decision{Reason: a.Fault}
	case a.Authority.String() == "update.example":
		return rules.Decision{Verdict: rules.Allow, Rule: &rules.Rule{Profile: "p", ID: "update", Reason: "ticket 1"}}
	case a.Authority.String() == "audited.example":
		return rules.Decision{Verdict: rules.Allow, Would: true, Reason: rules.NotListed, Client: &rules.Client{Name: "lab", Audit: true}}
	}
	return rules.Decision{Reason: rules.NotListed, Client: &rules.Client{Name: "shop"}}
}

func name(t testing.TB, s string) rules.Name {
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return n
}

func connect(t testing.TB, client, host string) rules.Attempt {
	return rules.Attempt{Flow: 7, Via: rules.ViaConnect, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 40000),
		Proto: rules.TCP, SourceProven: true, Authority: name(t, host), Dest: netip.AddrPortFrom(netip.Addr{}, 443)}
}

func query(t testing.TB, client, host string, qtype uint16) rules.Attempt {
	t.Helper()
	a := connect(t, client, host)
	a.Via, a.Proto, a.SourceProven, a.QType, a.Dest = rules.ViaDNS, rules.UDP, false, qtype, netip.AddrPort{}
	return a
}

// open opens a journal in the test's own directory, and closes it at the end.
func open(t testing.TB, change func(*Config)) *Journal {
	t.Helper()
	cfg := Config{Path: filepath.Join(t.TempDir(), "denials.jsonl")}
	if change != nil {
		change(&cfg)
	}
	j, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// eventually waits until ok returns true because of other goroutines.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

// records reads files with encoding/json. Every line must be a record.
func records(t testing.TB, files ...string) []Record {
	t.Helper()
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			if !strings.HasSuffix(f, ".gz") && len(bytes.TrimSpace(line)) > 0 && !json.Valid(line) {
				t.Errorf("%s: not JSON: %.200q", f, line)
			}
		}
	}
	rs, rep := scan(t, files...)
	if rep.Skipped > 0 {
		t.Errorf("lines that are no record: %+v", rep.Problems)
	}
	return rs
}

func scan(t testing.TB, files ...string) ([]Record, Report) {
	t.Helper()
	var rs []Record
	rep, err := Scan(context.Background(), files, time.Time{}, nil, func(r *Record) error {
		rs = append(rs, r.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs, rep
}

// denied adds up the counts of the records of denials, in total and by client.
func denied(rs []Record) (total uint64, byClient map[string]uint64) {
	byClient = map[string]uint64{}
	for i := range rs {
		if rs[i].Denied() {
			total += rs[i].Times()
			byClient[rs[i].Client] += rs[i].Times()
		}
	}
	return total, byClient
}

func mustSync(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
}

// A clock stands still until the test moves it.
type clock struct {
	start time.Time
	since atomic.Int64
}

func newClock() *clock { return &clock{start: time.Now()} }

func (c *clock) time() time.Time { return c.start.Add(time.Duration(c.since.Load())) }

func (c *clock) pass(d time.Duration) { c.since.Add(int64(d)) }
