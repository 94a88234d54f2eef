//go:build linux

// Journal: reads the denial journal the way any other program would, as JSON
// Lines in a file.

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// journal is the path of a journal file.
type journal string

// record is one line: the fields that the tests look at.
type record struct {
	Schema  int    `json:"schema"`
	Time    string `json:"time"`
	Seq     uint64 `json:"seq"`
	Boot    string `json:"boot"`
	Event   string `json:"event"`
	Verdict string `json:"verdict"`
	Via     string `json:"via"`
	Client  string `json:"client"`
	Name    string `json:"client_name"`
	Host    string `json:"host"`
	HostRaw string `json:"host_raw"`
	SNI     string `json:"sni"`
	Port    int    `json:"port"`
	Reason  string `json:"reason"`
	Nearest string `json:"nearest"`
	Hint    string `json:"hint"`
	Detail  string `json:"detail"`
	Rule    string `json:"rule"`
	Count   int    `json:"count"`
	line    string
}

// read returns the whole lines of the file as records, and the lines that are
// no JSON (a torn last line counts as one).
func (j journal) read() (records []record, torn []string) {
	b, err := os.ReadFile(string(j))
	if err != nil {
		return nil, nil
	}
	for line := range bytes.Lines(b) {
		var r record
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &r) != nil {
			torn = append(torn, string(line))
			continue
		}
		r.line = strings.TrimSpace(string(line))
		records = append(records, r)
	}
	return records, torn
}

// denials returns the denials after the first n records.
func (j journal) denials(n int) (ds []record) {
	records, _ := j.read()
	for _, r := range records[min(n, len(records)):] {
		if r.Event == "decision" && r.Verdict == "deny" {
			ds = append(ds, r)
		}
	}
	return ds
}

// mark returns a place in the journal.
func (j journal) mark() int {
	records, _ := j.read()
	return len(records)
}

// denial is what a test expects of one record; empty fields are not looked at.
type denial struct {
	via, client, host string
	port              int
	reason            string
}

func (d denial) matches(r record) bool {
	return (d.via == "" || d.via == r.Via) && (d.client == "" || d.client == r.Name || strings.HasPrefix(r.Client, d.client)) &&
		(d.host == "" || d.host == r.Host || strings.Contains(r.HostRaw, d.host)) &&
		(d.port == 0 || d.port == r.Port) && d.reason == r.Reason
}

// mustDeny waits until the journal has the denial want after mark.
func (j journal) mustDeny(t *testing.T, mark int, want denial) record {
	t.Helper()
	var found record
	eventually(t, 30*time.Second, fmt.Sprintf("journal has %+v", want), func() error {
		ds := j.denials(mark)
		for _, r := range ds {
			if want.matches(r) {
				found = r
				return nil
			}
		}
		var all []string
		for _, r := range ds {
			all = append(all, r.line)
		}
		return fmt.Errorf("it has %d denials since:\n%s", len(ds), strings.Join(all, "\n"))
	})
	return found
}

// events returns the records of one kind.
func (j journal) events(kind string) (rs []record) {
	records, _ := j.read()
	for _, r := range records {
		if r.Event == kind {
			rs = append(rs, r)
		}
	}
	return rs
}

// counted sums the denials, folded records by their count.
func (j journal) counted() (n int) {
	for _, sum := range j.reasons() {
		n += sum
	}
	return n
}

// reasons sums the denials for each reason, folded records by their count.
func (j journal) reasons() map[string]int {
	sums := make(map[string]int)
	for _, r := range j.denials(0) {
		sums[r.Reason] += max(r.Count, 1)
	}
	return sums
}

// tear cuts the end of the last line off.
func (j journal) tear(t *testing.T) {
	t.Helper()
	info, err := os.Stat(string(j))
	if err == nil {
		err = os.Truncate(string(j), info.Size()-20)
	}
	if err != nil {
		t.Fatal(err)
	}
}
