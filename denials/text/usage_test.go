// Tests of the output of usage.

package text

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/denials/journal"
)

func TestUsageSaysWhatWasNeverUsed(t *testing.T) {
	s := siteOf(t, fleet)
	dir := t.TempDir()
	file := filepath.Join(dir, "u.json")
	type use struct {
		Client  string    `json:"client"`
		Rule    string    `json:"rule"`
		Count   uint64    `json:"count"`
		Lookups uint64    `json:"lookups"`
		First   time.Time `json:"first"`
		Last    time.Time `json:"last"`
	}
	b, _ := json.Marshal(map[string]any{"schema": 1, "since": noon.AddDate(0, 0, -100), "uses": []use{
		{"es-manager", "endpoint-secure-onprem/license", 7, 9, noon.AddDate(0, 0, -90), noon.Add(-time.Hour)},
		{"es-manager", "endpoint-secure-onprem/upd", 5, 0, noon.AddDate(0, 0, -90), noon.AddDate(0, 0, -40)},
		{"es-manager", "endpoint-secure-onprem/x", 0, 3, noon, noon},
		{"es-manager", "site/of-old", 1, 0, noon, noon},
	}})
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	flow := at(-60, func(r *journal.Record) {
		r.Verdict, r.Reason, r.Rule, r.Host = journal.VerdictAllow, "", "endpoint-secure-onprem/download", "download.sangfor.com"
	})
	o := Options{Site: s, Now: noon, Days: 30, UsageFile: file, JSON: true, Files: []string{journalOf(t, filepath.Join(dir, "flows"), flow, flow)}}
	var out bytes.Buffer
	if _, err := WriteUsage(context.Background(), o, &out); err != nil {
		t.Fatal(err)
	}
	used := map[string]ruleUseJSON{}
	for line := range strings.Lines(out.String()) {
		var u ruleUseJSON
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			t.Fatal(err)
		}
		used[u.Client+" "+strings.TrimPrefix(u.Rule, "endpoint-secure-onprem/")] = u
	}
	for rule, want := range map[string]bool{"license": true, "upd": false, "x": false, "download": true, "sp": false} {
		if u, there := used["es-manager "+rule]; !there || u.Used != want {
			t.Errorf("%s: %+v", rule, u)
		}
	}
	if _, there := used["es-manager of-old"]; there || used["es-manager download"].Count != 2 || len(used) != s.Policy.Rules() {
		t.Errorf("%d of %d rules: %v", len(used), s.Policy.Rules(), used)
	}
	o.JSON = false
	out.Reset()
	if _, err := WriteUsage(context.Background(), o, &out); err != nil || !strings.Contains(out.String(), "rules in force permitted nothing in 30 days") ||
		strings.Contains(out.String(), "too early") {
		t.Errorf("%v\n%s", err, out.String())
	}
	o.Days = 365
	out.Reset()
	if _, err := WriteUsage(context.Background(), o, &out); err != nil || !strings.Contains(out.String(), "too early to call") {
		t.Errorf("%v\n%s", err, out.String())
	}
	o.UsageFile, o.Files = filepath.Join(dir, "none"), nil
	if _, err := WriteUsage(context.Background(), o, &out); err == nil {
		t.Error("usage returns no error, although nothing was counted")
	}
}
