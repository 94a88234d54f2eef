// Tests of usage: counted without loss, kept over restarts and reloads, and
// held against the rules in force.

package denials

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
	"sallyport/rules"
)

// counting returns a recorder over a live policy that counts into u.
func counting(t testing.TB, live *rules.Live, u *journal.Usage) *journal.Recorder {
	t.Helper()
	j, err := journal.Open(journal.Config{Path: filepath.Join(t.TempDir(), "denials.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	r := journal.NewRecorder(live, j, nil)
	r.CountUsage(u)
	return r
}

func final(a rules.Attempt) rules.Attempt {
	a.Provisional = false
	if a.Via != rules.ViaDNS {
		a.Shown, a.SNI = rules.ShownTLS, a.Authority
	}
	return a
}

func useOf(st journal.UsageState, client, rule string) journal.Use {
	for _, u := range st.Uses {
		if u.Client == client && u.Rule == rule {
			return u
		}
	}
	return journal.Use{}
}

func TestUsageSurvivesRestartsAndReloads(t *testing.T) {
	path := journal.UsagePath(filepath.Join(t.TempDir(), "denials.jsonl"))
	now := noon
	clock := func() time.Time { return now }
	var live rules.Live
	live.Swap(&rules.Generation{Policy: siteOf(t, fleet).Policy})
	license := final(attempt(t, manager, "license.sangfor.com", 443))

	u := journal.OpenUsage(path, clock, nil)
	r := counting(t, &live, u)
	for range 3 {
		r.Decide(license)
	}
	r.Decide(attempt(t, manager, "license.sangfor.com", 443)) // provisional: will be asked again
	r.Decide(final(attempt(t, manager, "license.sangfor.com", 0)))
	r.Decide(final(attempt(t, manager, "evil.example", 443)))            // denied
	r.Decide(final(attempt(t, laptop, "telemetry.vendor.example", 443))) // by audit, not by a rule
	now = now.Add(time.Hour)
	live.Swap(&rules.Generation{Policy: siteOf(t, fleet).Policy}) // a reload: other rules, the same names
	r.Decide(license)
	if err := u.Save(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	r.Decide(license)
	if err := u.Save(); err != nil {
		t.Fatal(err)
	}

	u = journal.OpenUsage(path, clock, nil)
	r = counting(t, &live, u)
	now = now.Add(24 * time.Hour)
	r.Decide(license)
	st := u.State()
	got := useOf(st, "es-manager", "endpoint-secure-onprem/license")
	if got.Count != 6 || got.Lookups != 1 || !got.First.Equal(noon) || !got.Last.Equal(now) || !st.Since.Equal(noon) || len(st.Uses) != 1 {
		t.Errorf("%+v", st)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if left, _ := filepath.Glob(path + ".tmp*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

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
	if _, err := WriteUsage(context.Background(), o, &out); err != nil || !strings.Contains(out.String(), "too early to judge") {
		t.Errorf("%v\n%s", err, out.String())
	}
	o.UsageFile, o.Files = filepath.Join(dir, "none"), nil
	if _, err := WriteUsage(context.Background(), o, &out); err == nil {
		t.Error("nothing was counted, and nothing is said")
	}
}
