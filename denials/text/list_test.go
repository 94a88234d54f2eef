// Tests of the output of list and top.

package text

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/denials"
	"sallyport/denials/journal"
)

func shop(t testing.TB) Options {
	t.Helper()
	var rs []journal.Record
	for i := range 60 {
		rs = append(rs, at(i, func(r *journal.Record) { r.Host = fmt.Sprintf("n%d.example", i%2) }))
	}
	rs = append(rs,
		at(60, func(r *journal.Record) {
			r.Host, r.Count, r.Reason, r.Nearest, r.Hint = "updates.example", 500, "port_not_listed", "p/updates", "documented on port 443"
		}),
		at(61, func(r *journal.Record) {
			r.Host, r.HostRaw, r.Reason, r.Detail = "", "ev\x1b[2Jil\u202e", "malformed_name", "a control byte"
		}),
		at(62, func(r *journal.Record) { r.Host, r.Count, r.Client, r.ClientName = "", 9000, "10.0.0.8", "" }),
		at(63, func(r *journal.Record) { r.Verdict = journal.VerdictAllow }))
	return Options{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "denials.jsonl"), rs...)}}
}

func TestListShowsTheLastDenials(t *testing.T) {
	o := shop(t)
	o.N, o.Now = 4, noon.Add(time.Hour)
	var b bytes.Buffer
	if _, err := List(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	const want = `
TIME          CLIENT               VIA      DESTINATION            REASON           COUNT  ID    WHY
12:00:59 UTC  es-manager 10.0.0.7  connect  n1.example:443         not_listed              b-60
12:01:00 UTC  es-manager 10.0.0.7  connect  updates.example:443    port_not_listed  ×500   b-61  documented on port 443; nearest: p/updates
12:01:01 UTC  es-manager 10.0.0.7  connect  ev\x1b[2Jil\u202e:443  malformed_name          b-62  a control byte
12:01:02 UTC  10.0.0.8             connect  (many):443             not_listed       ×9000  b-63
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
	b.Reset()
	o.N = 0
	if _, err := List(context.Background(), o, &b); err != nil || strings.Count(b.String(), "\n") != 51 {
		t.Errorf("%d lines, %v", strings.Count(b.String(), "\n"), err)
	}
}

func TestListAsJSONIsTheJournal(t *testing.T) {
	o := shop(t)
	for n, want := range map[int]int{0: 50, 3: 3, -1: 63} {
		var b bytes.Buffer
		o.JSON, o.N = true, n
		if _, err := List(context.Background(), o, &b); err != nil {
			t.Fatal(err)
		}
		got := 0
		for line := range strings.Lines(b.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil || m["verdict"] != "deny" {
				t.Fatalf("%v: %s", err, line)
			}
			got++
		}
		if got != want {
			t.Errorf("-n %d: %d lines, want %d", n, got, want)
		}
	}
}

func TestTopGroupsByDestinationClientAndReason(t *testing.T) {
	o := shop(t)
	o.Now = noon.AddDate(0, 0, 1)
	var b bytes.Buffer
	if _, err := Top(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	const want = `
COUNT  DESTINATION            CLIENT               REASON           CURE   FIRST                    LAST                     WHY
 9000  (many):443             10.0.0.8             not_listed       rule   2026-11-22 12:01:02 UTC  2026-11-22 12:01:02 UTC
  500  updates.example:443    es-manager 10.0.0.7  port_not_listed  rule   2026-11-22 12:01:00 UTC  2026-11-22 12:01:00 UTC  documented on port 443; nearest: p/updates
   30  n1.example:443         es-manager 10.0.0.7  not_listed       rule   2026-11-22 12:00:01 UTC  2026-11-22 12:00:59 UTC
   30  n0.example:443         es-manager 10.0.0.7  not_listed       rule   2026-11-22 12:00:00 UTC  2026-11-22 12:00:58 UTC
    1  ev\x1b[2Jil\u202e:443  es-manager 10.0.0.7  malformed_name   never  2026-11-22 12:01:01 UTC  2026-11-22 12:01:01 UTC
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
	b.Reset()
	o.JSON, o.N = true, 1
	if _, err := Top(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	const line = `{"count":9000,"host":"(many)","port":443,"proto":"tcp","client":"10.0.0.8","verdict":"deny","reason":"not_listed",` +
		`"first":"2026-11-22T12:01:02.000000Z","last":"2026-11-22T12:01:02.000000Z","cure":"rule","last_id":"b-63","key":"095991890c39aa72"}` + "\n"
	if b.String() != line {
		t.Errorf("got  %swant %s", b.String(), line)
	}
}

// Every column of the tables escapes what a client sent.
func TestTablesAreSafe(t *testing.T) {
	evil := "\x1b]0;x\x07\r\n\u202e\u2028\x9b\U000e0041"
	o := Options{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "j"), at(0, func(r *journal.Record) {
		r.Host, r.HostRaw, r.Client, r.ClientName, r.Via, r.Reason, r.Detail, r.Hint, r.Nearest, r.Proto = evil, evil, evil, evil, evil, evil, evil, evil, evil, evil
	}))}, Color: false}
	for what, f := range map[string]func(*bytes.Buffer) error{
		"list": func(b *bytes.Buffer) error { _, err := List(context.Background(), o, b); return err },
		"top":  func(b *bytes.Buffer) error { _, err := Top(context.Background(), o, b); return err },
	} {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Count(b.String(), "\n") != 2 {
			t.Errorf("%s: %q", what, b.String())
		}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); journal.Visible(line) != line {
				t.Errorf("%s: %q", what, line)
			}
		}
	}
}

func TestOutputErrorIsReported(t *testing.T) {
	want := errors.New("pipe")
	if _, err := List(context.Background(), shop(t), failing{want}); !errors.Is(err, want) {
		t.Error(err)
	}
	if _, err := Top(context.Background(), shop(t), failing{want}); !errors.Is(err, want) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Every time is shown with its zone, because the zone may change within one table.
func TestTimesSayTheirZone(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	for _, c := range []struct {
		now  time.Time
		want string
	}{
		{time.Time{}, "2026-11-22T12:00:00Z"},
		{noon, "12:00:00 UTC"},
		{noon.In(zone), "13:00:00 CET"},
		{noon.AddDate(0, 0, 1).In(zone), "2026-11-22 13:00:00 CET"},
	} {
		o := Options{Now: c.now}
		if got := o.when(noon); got != c.want {
			t.Errorf("now %v: %q, want %q", c.now, got, c.want)
		}
	}
}

// An empty result states what was searched for and how many records were read. Where no
// denial is recorded at all, it states where to look next.
func TestEmptyResults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	journalOf(t, path, at(0, func(r *journal.Record) { r.Verdict, r.Reason = journal.VerdictAllow, "" }), at(1, func(r *journal.Record) { r.Verdict, r.Reason = journal.VerdictAllow, "" }))
	for name, c := range map[string]struct {
		filter denials.Filter
		want   []string
	}{
		"no denial":      {denials.Filter{Denied: true}, []string{"nothing was denied; 2 records were read", "preflight"}},
		"no such denial": {denials.Filter{Denied: true, Host: "update1.sangfor.net"}, []string{"no denial matches; 2 records were read", "preflight"}},
		"no such record": {denials.Filter{Verdict: journal.VerdictDeny, Host: "update1.sangfor.net"}, []string{"no record matches; 2 were read"}},
	} {
		o := Options{Files: []string{path}, Now: noon, Filter: c.filter}
		for what, f := range map[string]writeFunc{"list": List, "top": Top} {
			var b bytes.Buffer
			if _, err := f(context.Background(), o, &b); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("%s, %s: %q lacks %q", name, what, b.String(), want)
				}
			}
		}
	}
}
