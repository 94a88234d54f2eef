// Tests of usage: no count is lost, counts are kept across restarts and reloads,
// and Used compares them with the rules in force.

package denials

import (
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

	u := journal.OpenUsage(path, "", clock, nil)
	r := counting(t, &live, u)
	for range 3 {
		r.Decide(license)
	}
	r.Decide(attempt(t, manager, "license.sangfor.com", 443)) // provisional: the front end will ask again
	r.Decide(final(attempt(t, manager, "license.sangfor.com", 0)))
	r.Decide(final(attempt(t, manager, "evil.example", 443)))            // denied
	r.Decide(final(attempt(t, laptop, "telemetry.vendor.example", 443))) // let through by audit, not permitted by a rule
	now = now.Add(time.Hour)
	live.Swap(&rules.Generation{Policy: siteOf(t, fleet).Policy}) // a reload: other values with the same names
	r.Decide(license)
	if err := u.Save(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	r.Decide(license)
	if err := u.Save(); err != nil {
		t.Fatal(err)
	}

	u = journal.OpenUsage(path, "", clock, nil)
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

// A rule is in use when it permits an attempt, whatever follows: a destination that is away for
// a week is still a destination of the site. Each attempt counts once, in the gateway's counts
// and in the journal of flows.
func TestAnAttemptWithoutAConnectionIsAUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	j, err := journal.Open(journal.Config{Path: path, Flows: path + ".flows", Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	u := journal.OpenUsage(journal.UsagePath(path), "", func() time.Time { return noon }, nil)
	var live rules.Live
	live.Swap(&rules.Generation{Policy: siteOf(t, fleet).Policy})
	r := journal.NewRecorder(&live, j, nil)
	r.CountUsage(u)
	const rule = "endpoint-secure-onprem/license"
	for _, cause := range []rules.Cause{rules.DialUnresolved, rules.DialRefused, rules.DialTimedOut, rules.EndGone} {
		a := attempt(t, manager, "license.sangfor.com", 443) // provisional: there was no connection
		r.Closed(rules.Close{Attempt: a, Decision: r.Decide(a), Cause: cause})
	}
	connected := final(attempt(t, manager, "license.sangfor.com", 443))
	r.Closed(rules.Close{Attempt: connected, Decision: r.Decide(connected)})
	audited := attempt(t, laptop, "telemetry.vendor.example", 443)
	r.Closed(rules.Close{Attempt: audited, Decision: r.Decide(audited), Cause: rules.DialRefused}) // by no rule
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := useOf(u.State(), "es-manager", rule); got.Count != 5 || len(u.State().Uses) != 1 {
		t.Errorf("the gateway counted %+v", u.State().Uses)
	}
	var st journal.UsageState
	if _, err := AddFlows(t.Context(), &st, Query{Files: []string{path + ".flows"}}); err != nil {
		t.Fatal(err)
	}
	if got := useOf(st, "es-manager", rule); got.Count != 5 || len(st.Uses) != 1 {
		t.Errorf("the journal has %+v", st.Uses)
	}
	if used := UsedOf(st, []string{rule}, noon); len(used) != 1 {
		t.Errorf("in use: %+v", used)
	}
	// A policy that denies the destination is asked about all five attempts.
	agents := siteOf(t, strings.Replace(fleet, `role     = "manager"`, `role     = "agent"`, 1))
	p, err := Replay(t.Context(), Query{Site: agents, Files: []string{path + ".flows"}})
	if err != nil || p.Denied != 5 || p.Decisions != 5 || len(p.Changes) != 1 {
		t.Errorf("%v, %+v", err, p)
	}
}
