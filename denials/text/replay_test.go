// Tests of the output of replay.

package text

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/denials/journal"
)

func TestReplayIsPrinted(t *testing.T) {
	old := siteOf(t, fleet)
	rs := decided(t, old,
		attempt(t, manager, "auth.sangfor.com", 443),        // feature_off, turned on
		attempt(t, manager, "auth.sangfor.com", 0),          // the DNS query for the same name
		attempt(t, manager, "evil.example", 443),            // denied by both
		attempt(t, manager, "license.sangfor.com", 443),     // permitted by both
		attempt(t, agentAddr, "license.sangfor.com", 443),   // denied by both
		attempt(t, laptop, "telemetry.vendor.example", 443), // let through by audit, denied now
		attempt(t, laptop, "edr.vendor.example", 443),       // let through by audit, permitted by a rule now
		attempt(t, sep, "10.3.9.9", 1433),                   // permitted, denied now
	)
	rs[0].Count = 500
	rs = append(rs, at(1, func(r *journal.Record) { r.Host, r.Count, r.Client = "", 9000, "10.0.0.7" })) // folded
	changed := strings.NewReplacer(`features = ["cyber-guardian"]`, `features = ["neural-x"]`, `mode    = "audit"`, "", `mode     = "audit"`, "",
		"[client.addresses]\ndatabase = [\"10.3.9.9\"]\n", "").Replace(fleet) +
		"[[rule]]\nid = \"edr\"\nclient = \"laptops\"\nto = [\"edr.vendor.example\"]\ntcp = [443]\nreason = \"ticket 9\"\n"
	now := siteOf(t, changed)
	o := Options{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "j"), rs...)}, Site: now, Now: noon}
	var b bytes.Buffer
	if _, err := WriteReplay(context.Background(), o, &b); err != nil || !strings.Contains(b.String(),
		"9507 decisions: 502 newly permitted, 2 newly denied, 3 unchanged, 9000 whose records have too little to ask again") {
		t.Errorf("%v\n%s", err, b.String())
	}
	b.Reset()
	o.JSON = true
	if _, err := WriteReplay(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	var sums sumsJSON
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sums); err != nil || len(lines) != 6 || sums != (sumsJSON{9507, 502, 2, 3, 9000, 0}) {
		t.Errorf("%v %s", err, b.String())
	}
}
