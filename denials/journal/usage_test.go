// Tests of usage: counts are exact, and are kept across restarts.

package journal

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sallyport/rules"
)

func TestUsageCountsExactlyUnderLoad(t *testing.T) {
	u := OpenUsage(filepath.Join(t.TempDir(), "u"), "", nil, nil)
	permits := rules.Decision{Verdict: rules.Allow, Rule: &rules.Rule{Profile: "p", ID: "update"}, Client: &rules.Client{Name: "shop"}}
	r := NewRecorder(gateFunc(func(rules.Attempt) rules.Decision { return permits }), open(t, nil), nil)
	r.CountUsage(u)
	update := connect(t, "10.0.0.7", "update.example")
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go decideMany(r, update, &all)
	}
	for range 20 {
		if err := u.Save(); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	if st := u.State(); len(st.Uses) != 1 || st.Uses[0].Client != "shop" || st.Uses[0].Rule != "p/update" || st.Uses[0].Count != 4000 {
		t.Errorf("%+v", st)
	}
}

func decideMany(r *Recorder, a rules.Attempt, all *sync.WaitGroup) {
	defer all.Done()
	for range 1000 {
		r.Decide(a)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	u := OpenUsage("", "", nil, nil)
	a := connect(t, "10.0.0.7", "update.example")
	d := small(a)
	d.Client = &rules.Client{Name: "shop"}
	u.note(&a, &d)
	if n := testing.AllocsPerRun(100, func() { u.note(&a, &d) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDamagedUsageIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "u")
	for _, bad := range []string{"", "{", `{"schema":2}`, `[]`} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		u := OpenUsage(path, "", func() time.Time { return noon }, nil)
		if st := u.State(); len(st.Uses) > 0 || !st.Since.Equal(noon) {
			t.Errorf("%q: %+v", bad, st)
		}
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != bad {
			t.Errorf("%q is not kept: %q %v", bad, kept, err)
		}
		if err := u.Save(); err != nil {
			t.Error(err)
		}
		if _, err := ReadUsage(path); err != nil {
			t.Error(err)
		}
	}
	if u := OpenUsage(filepath.Join(t.TempDir(), "no", "u"), "", nil, nil); u.Save() == nil {
		t.Error("saved into nowhere")
	}
}

// Two configurations with the same journal do not count for each other.
func TestUsageOfAnotherConfigurationIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "u")
	permits := rules.Decision{Verdict: rules.Allow, Rule: &rules.Rule{Profile: "p", ID: "update"}, Client: &rules.Client{Name: "shop"}}
	a := connect(t, "10.0.0.7", "update.example")
	count := func(config string, at time.Time) UsageState {
		t.Helper()
		u := OpenUsage(path, config, func() time.Time { return at }, nil)
		u.note(&a, &permits)
		if err := u.Save(); err != nil {
			t.Fatal(err)
		}
		st, err := ReadUsage(path)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	later := noon.Add(time.Hour)
	if st := count("/etc/site.toml", noon); st.Config != "/etc/site.toml" || len(st.Uses) != 1 || !st.Since.Equal(noon) {
		t.Errorf("%+v", st)
	}
	if st := count("/etc/site.toml", later); !st.Since.Equal(noon) || st.Uses[0].Count != 2 {
		t.Errorf("the same configuration: %+v", st)
	}
	if st := count("embedded", later); st.Config != "embedded" || !st.Since.Equal(later) || st.Uses[0].Count != 1 {
		t.Errorf("another configuration: %+v", st)
	}
	if st, err := ReadUsage(path + ".other"); err != nil || st.Config != "/etc/site.toml" || st.Uses[0].Count != 2 {
		t.Errorf("its counts are not kept: %+v %v", st, err)
	}
	// A file of an earlier release names no configuration, and is continued.
	if err := os.WriteFile(path, []byte(`{"schema":1,"since":"2026-01-02T03:04:05Z","uses":[{"client":"shop","rule":"p/update","count":7,"first":"2026-01-02T03:04:05Z","last":"2026-01-02T03:04:05Z"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if st := count("/etc/site.toml", later); st.Config != "/etc/site.toml" || st.Uses[0].Count != 8 {
		t.Errorf("a file without a configuration: %+v", st)
	}
}
