// Package journaltest makes journals for tests: single records, files of records, and
// long generated journals.
package journaltest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// Noon is the time of the first record of At, and the time at which Fleet is compiled.
func Noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// At returns a denial at Noon plus some seconds. change, if not nil, edits it.
func At(seconds int, change func(*journal.Record)) journal.Record {
	r := journal.Record{Schema: 1, Time: Noon().Add(time.Duration(seconds) * time.Second), Seq: uint64(seconds + 1), Boot: "b", Event: journal.EventDecision,
		Verdict: journal.VerdictDeny, Mode: "enforce", Via: "connect", Client: "10.0.0.7", ClientName: "es-manager",
		Host: fmt.Sprintf("n%d.example", seconds), Port: 443, Proto: "tcp", Reason: "not_listed"}
	if change != nil {
		change(&r)
	}
	return r
}

// File writes records into a file and returns its name. A file whose name ends in .gz is
// compressed.
func File(t testing.TB, name string, rs ...journal.Record) string {
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

// Attempt returns an attempt of a client to reach host:port over TCP. With port 0, it
// is a DNS query for host.
func Attempt(t testing.TB, client, host string, port uint16) rules.Attempt {
	t.Helper()
	h, err := rules.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	a := rules.Attempt{Via: rules.ViaConnect, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 40000), Proto: rules.TCP,
		Authority: h.Name, Dest: netip.AddrPortFrom(h.Addr, port), Provisional: true}
	if port == 0 {
		a.Via, a.Proto, a.QType, a.Dest = rules.ViaDNS, rules.UDP, 1, netip.AddrPort{}
	}
	return a
}
