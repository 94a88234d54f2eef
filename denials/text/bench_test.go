// Benchmarks of the review over a generated journal, compared with jq:
//
//	go test ./denials/text -run '^$' -bench Review -benchtime 1x
//
// The result is lines per second of CPU time, of all goroutines together.
// SALLYPORT_BENCH_LINES sets the number of lines; the default is a million.

package text

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"sallyport/denials/journal"
	"sallyport/denials/journaltest"

	"sallyport/denials"
	"sallyport/denials/page"
)

func BenchmarkReview(b *testing.B) {
	lines := 1_000_000
	if s := os.Getenv("SALLYPORT_BENCH_LINES"); s != "" {
		lines, _ = strconv.Atoi(s)
	}
	path := filepath.Join(b.TempDir(), "denials.jsonl")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := journaltest.NewGenerator(b, 1).Write(f, lines); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	site := siteOf(b, fleet)
	ctx := context.Background()
	o := Options{Files: []string{path}, Site: site, Now: noon}
	run := func(name string, fn func() error) {
		b.Run(name, func(b *testing.B) {
			peak := journaltest.WatchHeap(b)
			start := cpuTime(b, syscall.RUSAGE_SELF)
			for range b.N {
				if err := fn(); err != nil {
					b.Fatal(err)
				}
			}
			used := cpuTime(b, syscall.RUSAGE_SELF) - start
			b.ReportMetric(float64(lines)*float64(b.N)/used.Seconds(), "lines/core-s")
			b.ReportMetric(float64(peak())/(1<<20), "peak-MiB")
		})
	}
	run("scan", func() error {
		_, err := journal.Scan(ctx, o.Files, time.Time{}, nil, func(*journal.Record) error { return nil })
		return err
	})
	run("page", func() error {
		_, err := denials.Answer(ctx, denials.Query{Files: o.Files, Site: site, Limit: 50})
		return err
	})
	run("page-http", func() error { // a new page each time, so that its cache is empty
		page := page.Page(page.PageConfig{
			Files: func() ([]string, error) { return o.Files, nil }, Site: func() *denials.Site { return site },
			Usage: func() journal.UsageState { return journal.UsageState{} }, Health: func() []page.Health { return nil },
		})
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 200 {
			return fmt.Errorf("status %d", w.Code)
		}
		return nil
	})
	run("top", func() error { _, err := Top(ctx, o, io.Discard); return err })
	run("suggest", func() error { _, err := WriteSuggest(ctx, o, io.Discard); return err })
	run("replay", func() error { _, err := WriteReplay(ctx, o, io.Discard); return err })
	run("stats", func() error { _, err := WriteStats(ctx, o, io.Discard); return err })
	b.Run("jq", func(b *testing.B) {
		jq, err := exec.LookPath("jq")
		if err != nil {
			b.Skip("jq is not installed")
		}
		start := cpuTime(b, syscall.RUSAGE_CHILDREN)
		for range b.N {
			const top = `'[.count // 1, .host, .client, .reason] | @tsv' "$1" | awk -F'\t' '{n[$2" "$3" "$4]+=$1} END {for (k in n) print n[k], k}' | sort -rn | head -20`
			c := exec.Command("sh", "-c", jq+" -r "+top, "sh", path)
			if out, err := c.CombinedOutput(); err != nil {
				b.Fatalf("%v: %.300s", err, out)
			}
		}
		used := cpuTime(b, syscall.RUSAGE_CHILDREN) - start
		b.ReportMetric(float64(lines)*float64(b.N)/used.Seconds(), "lines/core-s")
	})
}

// cpuTime returns the CPU time that the process and its children have used. A busy
// machine changes CPU time less than elapsed time.
func cpuTime(tb testing.TB, who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
