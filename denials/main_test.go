// Test helpers: records, journals of them, and scans.

package denials

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sallyport/denials/journal"
	"sallyport/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func name(t testing.TB, s string) rules.Name {
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return n
}

func scan(t testing.TB, f Filter, files ...string) ([]journal.Record, journal.Report) {
	t.Helper()
	var rs []journal.Record
	q := Query{Files: files, Filter: f}
	rep, err := q.scan(context.Background(), func(r *journal.Record) error {
		rs = append(rs, r.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs, rep
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// at returns a denial at noon plus some seconds.
func at(seconds int, change func(*journal.Record)) journal.Record {
	r := journal.Record{Schema: 1, Time: noon.Add(time.Duration(seconds) * time.Second), Seq: uint64(seconds + 1), Boot: "b", Event: journal.EventDecision,
		Verdict: journal.VerdictDeny, Mode: "enforce", Via: "connect", Client: "10.0.0.7", ClientName: "es-manager",
		Host: fmt.Sprintf("n%d.example", seconds), Port: 443, Proto: "tcp", Reason: "not_listed"}
	if change != nil {
		change(&r)
	}
	return r
}

// journalOf writes records into a file; a name that ends in .gz is compressed.
func journalOf(t testing.TB, name string, rs ...journal.Record) string {
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

func hosts(rs []journal.Record) string {
	var hs []string
	for _, r := range rs {
		hs = append(hs, strings.TrimSuffix(r.Host, ".example"))
	}
	return strings.Join(hs, " ")
}
