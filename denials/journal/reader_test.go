// Tests of reading journals: order, rotated files, torn lines and lines of other programs.

package journal

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// at returns a denial at noon plus some seconds.
func at(seconds int, change func(*Record)) Record {
	r := Record{Schema: 1, Time: noon.Add(time.Duration(seconds) * time.Second), Seq: uint64(seconds + 1), Boot: "b", Event: EventDecision,
		Verdict: VerdictDeny, Mode: "enforce", Via: "connect", Client: "10.0.0.7", ClientName: "es-manager",
		Host: fmt.Sprintf("n%d.example", seconds), Port: 443, Proto: "tcp", Reason: "not_listed"}
	if change != nil {
		change(&r)
	}
	return r
}

// journalOf writes records into a file. It compresses the file if its name ends
// in .gz.
func journalOf(t testing.TB, name string, rs ...Record) string {
	t.Helper()
	var b bytes.Buffer
	for i := range rs {
		b.Write(rs[i].Append(nil))
	}
	if strings.HasSuffix(name, ".gz") {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(b.Bytes())
		_ = w.Close()
		b = z
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func hosts(rs []Record) string {
	var hs []string
	for _, r := range rs {
		hs = append(hs, strings.TrimSuffix(r.Host, ".example"))
	}
	return strings.Join(hs, " ")
}

func TestFilesAreReadInTheOrderOfTime(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "denials.jsonl")
	journalOf(t, path, at(6, nil), at(7, nil))
	journalOf(t, filepath.Join(dir, "denials-2026-11-22T12-00-02.000-full.jsonl.gz"), at(0, nil), at(1, nil))
	journalOf(t, filepath.Join(dir, "denials-2026-11-22T12-00-04.000-full.jsonl"), at(2, nil), at(3, nil))
	journalOf(t, path+".1", at(4, nil), at(5, nil))
	journalOf(t, path+".2.gz")
	journalOf(t, filepath.Join(dir, "denials-2026-11-22T12-00-04.000-full.jsonl.gz.tmp"), at(9, nil)) // half compressed
	journalOf(t, filepath.Join(dir, "denials-other.jsonl"), at(9, nil))
	journalOf(t, filepath.Join(dir, "flows.jsonl"), at(9, nil))
	files, err := Files(path)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(files) // the order of the names does not matter
	rs, rep := scan(t, files...)
	if got := hosts(rs); got != "n0 n1 n2 n3 n4 n5 n6 n7" || rep.Files != 5 || rep.Lines != 8 {
		t.Errorf("%s, %+v", got, rep)
	}
}

// A crash between compressing a backup and removing it leaves both files. The
// records count once.
func TestBackupThatIsThereTwiceCountsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	journalOf(t, path+".1", at(0, nil))
	journalOf(t, path+".1.gz", at(0, nil))
	files, err := Files(path)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	if err := os.Remove(path + ".1"); err != nil {
		t.Fatal(err)
	}
	if rs, _ := scan(t, path+".1"); len(rs) != 1 {
		t.Error("a file that was compressed just now is not found")
	}
}

// Journals of two gateways over the same hours are merged.
func TestJournalsAreMerged(t *testing.T) {
	dir := t.TempDir()
	a := journalOf(t, filepath.Join(dir, "a"), at(0, nil), at(2, nil), at(10, nil), at(12, nil))
	b := journalOf(t, filepath.Join(dir, "b"), at(1, nil), at(3, nil), at(11, nil))
	c := journalOf(t, filepath.Join(dir, "c"), at(4, nil), at(5, nil))
	rs, _ := scan(t, c, b, a)
	if got := hosts(rs); got != "n0 n1 n2 n3 n4 n5 n10 n11 n12" {
		t.Error(got)
	}
}

func TestBadLinesAreSkippedAndReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	r0, r1, r2 := at(0, nil), at(1, nil), at(2, nil)
	newer := r1
	newer.Schema = Schema + 1
	lines := [][]byte{
		r0.Append(nil),
		[]byte("\n"), // an empty line is not a problem
		[]byte(`{"schema":1,"time":"2026-11-22T12:0` + "\n"),
		[]byte("\x00\x00\x00\n"),
		[]byte(`{"schema":1,"nested":{}}` + "\n"),
		bytes.Repeat([]byte("x"), 300<<10), []byte("\n"),
		r1.Append(nil),
		newer.Append(nil),
		[]byte(`[1]` + "\n"),
		bytes.TrimSpace(r2.Append(nil)), // the last line has no end
	}
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	rs, rep := scan(t, path)
	if got := hosts(rs); got != "n0 n1" || rep.Skipped != 7 {
		t.Errorf("%s, %+v", got, rep)
	}
	var at []int
	for _, p := range rep.Problems {
		at = append(at, p.Line)
		if p.File != path || p.Why == "" {
			t.Errorf("%+v", p)
		}
	}
	if want := []int{3, 4, 5, 6, 8, 9, 10}; !slices.Equal(at, want) {
		t.Errorf("problems in lines %v, want %v", at, want)
	}
}

func TestScanErrors(t *testing.T) {
	dir := t.TempDir()
	good := journalOf(t, filepath.Join(dir, "good"), at(0, nil), at(1, nil))
	n := 0
	_, err := Scan(context.Background(), []string{filepath.Join(dir, "missing"), good}, time.Time{}, nil, func(*Record) error { n++; return nil })
	if !errors.Is(err, fs.ErrNotExist) || n != 2 {
		t.Errorf("a missing file beside a good one: %v, %d records", err, n)
	}
	stop := errors.New("stop")
	if _, err := Scan(context.Background(), []string{good}, time.Time{}, nil, func(*Record) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Scan(ctx, []string{good}, time.Time{}, nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	z, err := os.ReadFile(journalOf(t, filepath.Join(dir, "cut.gz"), at(0, nil), at(1, nil)))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.gz")
	if err := os.WriteFile(cut, z[:len(z)-6], 0o600); err != nil {
		t.Fatal(err)
	}
	n = 0
	if _, err := Scan(context.Background(), []string{cut}, time.Time{}, nil, func(*Record) error { n++; return nil }); err == nil || !strings.Contains(err.Error(), cut) || n == 0 {
		t.Errorf("a truncated backup: %v, %d records", err, n)
	}
}

// FuzzJournal tests that no line makes the reader fail, and that encoding/json
// reads the same values from every line that the reader accepts.
func FuzzJournal(f *testing.F) {
	f.Add(sample.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		if err := newDecoder().decode(b, &r); err == nil {
			sameAsJSON(t, b, &r)
			a, aerr := r.Attempt()
			var again Record
			line := r.Append(nil)
			if len(line) > MaxLine {
				t.Fatalf("a line of %d octets", len(line))
			}
			if err := newDecoder().decode(line, &again); err != nil {
				t.Fatalf("our own line is refused: %v: %s", err, line)
			}
			if b, err := again.Attempt(); aerr == nil && err == nil && !reflect.DeepEqual(a, b) {
				t.Fatalf("written again it is another attempt: %+v, was %+v", b, a)
			}
		}
		s := &reader{dec: newDecoder(), report: &Report{}}
		if s.from(bytes.NewReader(b)) != nil {
			return
		}
		for s.next() {
			var again Record
			if line := s.rec.Append(nil); newDecoder().decode(line, &again) != nil {
				t.Fatalf("our own line is refused: %s", line)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	var rs []Record
	for i := range 20_000 {
		rs = append(rs, at(i, func(r *Record) {
			r.Host = fmt.Sprintf("n%d.example", i%2000)
			r.Hint, r.Nearest = "a hint of the usual length, more or less", "p/r"
		}))
	}
	path := journalOf(b, filepath.Join(b.TempDir(), "denials.jsonl"), rs...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Scan(context.Background(), []string{path}, time.Time{}, nil, func(*Record) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*20_000/b.Elapsed().Seconds(), "lines/s")
}
