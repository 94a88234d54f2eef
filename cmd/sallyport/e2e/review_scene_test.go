//go:build linux

// The scene of the review page: a gateway that denied a day of real attempts,
// and a real browser beside it, both in a namespace without any way out.

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// reviewedSite is the site whose denials the page shows.
const reviewedSite = `
[listen]
http  = ["10.0.0.1:3128"]
admin = "127.0.0.1:9180"
%s
[[client]]
name     = "es-manager"
sources  = ["10.1.0.0/24"]
profiles = ["endpoint-secure-onprem"]
[[client]]
name     = "es-agents"
sources  = ["10.2.0.0/24"]
profiles = ["endpoint-secure-onprem"]
role     = "agent"
[[client]]
name     = "es-cloud"
sources  = ["10.3.0.0/24"]
profiles = ["endpoint-secure-saas"]
[[client]]
name     = "laptops"
sources  = ["10.4.0.0/24"]
profiles = ["endpoint-secure-saas"]
mode     = "audit"
[dns]
upstreams = ["udp://127.0.0.1:1"]
[journal]
path = "denials.jsonl"
[limits]
drain = "0s"
`

// reviewedTries are the denied attempts of the site's clients, and their number per
// day.
var reviewedTries = []struct {
	from, dest string
	times      int
}{
	{"10.1.0.7", "auth.sangfor.com:443", 58},
	{"10.1.0.7", "license.sangfor.com:8443", 12},
	{"10.1.0.8", "wsus.corp.example:8530", 31},
	{"10.2.0.21", "license.sangfor.com:443", 24},
	{"10.3.0.5", "download.sangfor.com.cn:443", 17},
	{"10.1.0.7", "203.0.113.9:443", 9},
	{"10.2.0.33", "telemetry.vendor.example:443", 42},
	{"10.66.0.4", "license.sangfor.com:443", 6},
}

// A reviewedGateway is a gateway whose review page the tests open.
type reviewedGateway struct{ *gateway }

const reviewPage = "http://127.0.0.1:9180"

// startReviewed starts a gateway with more lines of configuration in [admin].
func startReviewed(t *testing.T, admin string) *reviewedGateway {
	t.Helper()
	ns := newNetns(t, "review")
	for _, a := range []string{"10.0.0.1", "10.1.0.7", "10.1.0.8", "10.2.0.21", "10.2.0.33", "10.3.0.5", "10.66.0.4"} {
		ns.ip(t, "address add "+a+"/32 dev lo")
	}
	g := &reviewedGateway{newGateway(t, ns)}
	if err := os.WriteFile(filepath.Join(g.dir, "token"), []byte(reviewToken), 0o600); err != nil {
		t.Fatal(err)
	}
	g.configure(t, fmt.Sprintf(reviewedSite, admin))
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitListening(t, "10.0.0.1:3128")
	g.waitListening(t, "127.0.0.1:9180")
	return g
}

// deny makes one attempt of a client that is denied.
func (g *reviewedGateway) deny(t *testing.T, from, dest string) {
	t.Helper()
	c, err := g.ns.dial("tcp", from, "10.0.0.1:3128")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", dest, dest)
	if answer, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 403 ")) {
		t.Fatalf("%s from %s: %q %v", dest, from, answer, err)
	}
}

// day makes the journal of a day. It repeats the gateway's records of real attempts
// at other times.
func (g *reviewedGateway) day(t *testing.T) {
	t.Helper()
	for i, try := range reviewedTries {
		g.deny(t, try.from, try.dest)
		eventually(t, 30*time.Second, "the denial is in the journal", func() error {
			if n := len(g.journal().denials(0)); n <= i {
				return fmt.Errorf("%d denials", n)
			}
			return nil
		})
	}
	var made []map[string]any
	for i, r := range g.journal().denials(0) {
		for n := 1; n < reviewedTries[i].times; n++ {
			// The records are spread unevenly over the day, and equally in every
			// run.
			ago := time.Duration((n*(37+11*i)+i*131)%1400)*time.Minute + time.Minute
			made = append(made, changed(t, r.line, map[string]any{"time": time.Now().UTC().Add(-ago).Format("2006-01-02T15:04:05.000000Z"), "seq": 1_000_000 + len(made)}))
		}
	}
	g.write(t, made...)
}

// changed returns a line of the journal with some changed fields.
func changed(t *testing.T, line string, with map[string]any) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatal(err)
	}
	for k, v := range with {
		fields[k] = v
	}
	return fields
}

// write adds lines to the journal.
func (g *reviewedGateway) write(t *testing.T, lines ...map[string]any) {
	t.Helper()
	var b bytes.Buffer
	for _, l := range lines {
		if err := json.NewEncoder(&b).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(string(g.journal()), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
}
