// Tests of reading on: a review read in parts equals one scan of the whole journal.

package denials

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
)

// summary returns the whole content of a view as text.
func summary(t *testing.T, v *View) string {
	t.Helper()
	var b bytes.Buffer
	for _, g := range v.Groups {
		fmt.Fprintln(&b, g.Key(), g.Count, g.First, g.Last, g.Cure)
	}
	s := v.Timeline.Series(50)
	fmt.Fprintln(&b, v.Denials, v.Rest, v.Matched, v.Totals.Denials, v.Totals.First, v.Totals.Last, v.Totals.Cures.Sorted(), v.Totals.Reasons.Sorted(),
		v.Totals.Clients.Sorted(), v.Totals.Vias.Sorted(), v.Totals.Hours.Sorted(), s)
	fmt.Fprintln(&b, v.Report.Lines, v.Report.Skipped)
	return b.String()
}

func appendBytes(t *testing.T, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if z.Close() != nil || f.Close() != nil || os.Remove(path) != nil {
		t.Fatal("not compressed")
	}
}

// The journal grows by whole and half lines, and is rotated, compressed, cut short
// and removed. After each step, the running review equals a scan.
func TestReadingOnIsAFullScan(t *testing.T) {
	text, err := os.ReadFile(journaltest.Generated(t, 2400))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "denials.jsonl")
	rotated := filepath.Join(dir, "denials-2026-11-22T10-00-00.000-full.jsonl")
	part := func(i int) []byte { return text[i*len(text)/12 : (i+1)*len(text)/12] } // ends in the middle of a line
	site := siteOf(t, fleet)
	for _, f := range []Filter{{}, {Reason: "not_listed"}, {Client: "10.1.0.0/24", Host: "*example"}, {Since: noon.AddDate(0, 0, -7).Add(2 * time.Minute)}} {
		run, err := NewReview(f)
		if err != nil {
			t.Fatal(err)
		}
		q := Query{Filter: f, Site: site}
		for i, step := range []func(){
			func() { appendBytes(t, path, part(0)) },
			func() {},
			func() { appendBytes(t, path, part(1)) },
			func() { appendBytes(t, path, part(2)); appendBytes(t, path, part(3)) },
			func() { appendBytes(t, path, []byte("no record\n"+strings.Repeat("x", 200_000)+"\n\n")) },
			func() { must(t, os.Rename(path, rotated)); appendBytes(t, path, part(5)) },
			func() { gzipped(t, rotated) },
			func() { appendBytes(t, path, part(6)) },
			func() { must(t, os.Truncate(path, 1000)) },
			func() { appendBytes(t, path, part(7)) },
			func() { must(t, os.Remove(rotated+".gz")) },
			func() { must(t, os.Remove(path)); appendBytes(t, path, part(8)) },
		} {
			step()
			files, err := journal.Files(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Read(context.Background(), files, nil); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			got, err := run.View(q)
			if err != nil {
				t.Fatal(err)
			}
			q.Files = files
			want := review(t, q)
			// A scan counts a half line as broken. The review waits for its end.
			if got.Report.Lines < want.Report.Lines {
				got.Report.Lines, got.Report.Skipped = got.Report.Lines+1, got.Report.Skipped+1
			}
			if g, w := summary(t, got), summary(t, want); g != w {
				t.Fatalf("%+v, step %d: read on\n%.1500s\nscanned\n%.1500s", f, i, g, w)
			}
		}
		must(t, os.Remove(path))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A second reading reads only the new lines.
func TestReadingOnReadsOnce(t *testing.T) {
	path := journaltest.Generated(t, 1000)
	run, err := NewReview(Filter{})
	must(t, err)
	must(t, run.Read(context.Background(), []string{path}, nil))
	must(t, run.Read(context.Background(), []string{path}, nil))
	if run.Report().Lines != 1000 {
		t.Errorf("%d lines", run.Report().Lines)
	}
	// Overwrite the part that was read, so that only the end of the file has a record.
	info, err := os.Stat(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte("\n"), int(info.Size())), 0)
	must(t, err)
	must(t, f.Close())
	appendBytes(t, path, []byte(`{"schema":1,"time":"2026-11-22T12:00:00Z","event":"decision","verdict":"deny","reason":"not_listed","host":"new.example"}`+"\n"))
	must(t, run.Read(context.Background(), []string{path}, nil))
	if run.Report().Lines != 1001 || run.tally.Total < 1001 {
		t.Errorf("%d lines, %d denials", run.Report().Lines, run.tally.Total)
	}
}

// A reading that was interrupted goes on where it ended, also within a compressed file.
func TestReadingOnAfterABreak(t *testing.T) {
	for _, packed := range []bool{false, true} {
		path := journaltest.Generated(t, 5000)
		want := review(t, Query{Files: []string{path}})
		if packed {
			gzipped(t, path)
		}
		run, err := NewReview(Filter{})
		must(t, err)
		for n := range 3 {
			ctx := &expiring{Context: context.Background(), left: n + 1}
			if err := run.Read(ctx, []string{path}, nil); err == nil {
				t.Errorf("packed %v: was not broken off", packed)
			}
		}
		must(t, run.Read(context.Background(), []string{path}, nil))
		got, err := run.View(Query{})
		must(t, err)
		if summary(t, got) != summary(t, want) {
			t.Errorf("packed %v: not the same", packed)
		}
	}
}

// expiring is a context that ends after a number of calls of Err.
type expiring struct {
	context.Context
	left int
}

func (e *expiring) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}
