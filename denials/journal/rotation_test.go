// Tests of rotation, by the journal and by other programs: no record is lost or doubled.

package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/rules"
)

// write makes n denials, each of another name. It uses enough clients to have a
// single record for every denial.
func write(t testing.TB, r *Recorder, wg *sync.WaitGroup, from, n int) {
	defer wg.Done()
	for i := from; i < from+n; i++ {
		r.Decide(connect(t, fmt.Sprintf("10.%d.%d.7", from/1000%250, i%64), fmt.Sprintf("n%d.example", i)))
		if i%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// each checks that each of n names is in the files exactly once.
func each(t testing.TB, n int, files ...string) {
	t.Helper()
	seen := map[string]int{}
	ids := map[string]int{}
	for _, r := range records(t, files...) {
		if r.Denied() {
			seen[r.Host] += int(r.Times())
			ids[r.ID()]++
		}
	}
	for i := range n {
		if c := seen[fmt.Sprintf("n%d.example", i)]; c != 1 {
			t.Fatalf("n%d.example is in the journal %d times", i, c)
		}
	}
	for id, c := range ids {
		if c != 1 {
			t.Errorf("record %s is there %d times", id, c)
		}
	}
}

// knownClients decides like a policy in which every client is known, so that no
// two clients share a budget.
func knownClients(rules.Attempt) rules.Decision {
	return rules.Decision{Reason: rules.NotListed, Client: &rules.Client{Name: "c"}}
}

// No record is lost when the file is renamed and reopened many times under
// load.
func TestRenameAndReopenUnderLoad(t *testing.T) {
	j := open(t, nil)
	r := NewRecorder(gateFunc(knownClients), j, nil)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go write(t, r, &wg, w*1000, 1000)
	}
	var files []string
	for i := range 10 {
		old := fmt.Sprintf("%s.%d", j.cfg.Path, i)
		if err := os.Rename(j.cfg.Path, old); err != nil {
			t.Fatal(err)
		}
		files = append(files, old)
		if err := j.Reopen(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	each(t, 4000, append(files, j.cfg.Path)...)
	if listed, err := Files(j.cfg.Path); err != nil || len(listed) != 11 {
		t.Errorf("Files finds %d of 11: %v", len(listed), err)
	}
}

// Another program copies the file and truncates it. The next record is at the
// beginning of the file, not after a hole.
func TestCopyAndTruncate(t *testing.T) {
	j := open(t, func(c *Config) { c.tick = time.Hour })
	r := NewRecorder(gateFunc(small), j, nil)
	r.Decide(connect(t, "10.0.0.7", "first.example"))
	mustSync(t, j)
	if err := os.Truncate(j.cfg.Path, 0); err != nil {
		t.Fatal(err)
	}
	r.Decide(connect(t, "10.0.0.7", "second.example"))
	mustSync(t, j)
	if rs := records(t, j.cfg.Path); len(rs) != 1 || rs[0].Host != "second.example" {
		t.Errorf("%+v", rs)
	}
}

// The same holds after a rotation by the journal itself.
func TestCopyAndTruncateAfterRotation(t *testing.T) {
	j := open(t, func(c *Config) { c.tick = time.Hour })
	r := NewRecorder(gateFunc(small), j, nil)
	j.denials.rotator.limit = 1
	r.Decide(connect(t, "10.0.0.7", "first.example"))
	mustSync(t, j)
	r.Decide(connect(t, "10.0.0.7", "second.example"))
	mustSync(t, j)
	if err := os.Truncate(j.cfg.Path, 0); err != nil {
		t.Fatal(err)
	}
	j.denials.rotator.limit = 1 << 20
	r.Decide(connect(t, "10.0.0.7", "third.example"))
	mustSync(t, j)
	if rs := records(t, j.cfg.Path); len(rs) != 1 || rs[0].Host != "third.example" {
		t.Errorf("%+v", rs)
	}
}

// The journal notices without a signal that its file was removed or renamed.
func TestFileTakenAway(t *testing.T) {
	j := open(t, func(c *Config) { c.tick = 5 * time.Millisecond })
	r := NewRecorder(gateFunc(small), j, nil)
	if err := os.Rename(j.cfg.Path, j.cfg.Path+".1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new file", func() bool { _, err := os.Stat(j.cfg.Path); return err == nil })
	r.Decide(connect(t, "10.0.0.7", "evil.example"))
	mustSync(t, j)
	if rs := records(t, j.cfg.Path); len(rs) != 1 {
		t.Errorf("%+v", rs)
	}
}

// After rotations by size, every record is in one of the files. The backups are
// compressed and have the mode of the file.
func TestRotationBySize(t *testing.T) {
	j := open(t, func(c *Config) { c.MaxAgeDays = 1 })
	j.denials.rotator.limit = 100 << 10
	old := strings.TrimSuffix(j.cfg.Path, ".jsonl") + "-2020-01-01T00-00-00.000-full.jsonl.gz"
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewRecorder(gateFunc(knownClients), j, nil)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go write(t, r, &wg, w*1000, 1000)
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := Files(j.cfg.Path)
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	each(t, 4000, files...)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
		if f != j.cfg.Path && !strings.HasSuffix(f, ".gz") {
			t.Errorf("%s is not compressed", f)
		}
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a backup of 2020 is still there")
	}
}

// A file that covers more than a day is rotated, so that its records can age.
func TestRotationByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	old := Record{Schema: 1, Time: time.Now().Add(-25 * time.Hour), Seq: 1, Boot: "b", Event: EventStart}
	if err := os.WriteFile(path, old.Append(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, func(c *Config) { c.Path, c.MaxAgeDays = path, 90 })
	j.Event(EventStart, "new")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := Files(path)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	if rs := records(t, files...); len(rs) != 2 || rs[0].Boot != "b" || rs[1].Detail != "new" {
		t.Errorf("%+v", rs)
	}
	if rs := records(t, path); len(rs) != 1 {
		t.Errorf("%+v", rs)
	}
}

// A file is rotated before it grows beyond its limit, unless the last backup is
// still being compressed or the last rotation has just failed.
func TestWhenAFileIsDue(t *testing.T) {
	r := newRotator(Config{MaxSizeMiB: 1, MaxAgeDays: 90}, "denials.jsonl")
	day := noon.Add(rotateEvery)
	for _, c := range []struct {
		size  int64
		now   time.Time
		retry time.Time
		want  bool
	}{
		{1 << 20, noon, time.Time{}, false},
		{1<<20 + 1, noon, time.Time{}, true},
		{1<<20 + 1, noon, noon.Add(time.Second), false},
		{1, day, time.Time{}, true},
		{1, day.Add(-time.Second), time.Time{}, false},
	} {
		r.retryAt = c.retry
		if got := r.due(c.size, noon, c.now); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if r.maxAge = 0; r.due(1, day, day.AddDate(1, 0, 0)) {
		t.Error("rotated by age although records have no maximal age")
	}
	if r := newRotator(Config{MaxSizeMiB: 1}, "-"); r.due(1<<30, noon, noon) {
		t.Error("standard output is rotated")
	}
	<-r.free
	if r.rotate(noon) {
		t.Error("rotated while a backup is being compressed")
	}
}

// If the file cannot be renamed, it keeps growing, and no record is lost.
func TestRotationThatFails(t *testing.T) {
	j := open(t, func(c *Config) { c.tick = time.Hour })
	r := NewRecorder(gateFunc(small), j, nil)
	j.denials.rotator.limit = 1
	j.denials.rotator.path = filepath.Join(filepath.Dir(j.cfg.Path), "no", string([]byte{0}), "file")
	for range 3 {
		r.Decide(connect(t, "10.0.0.7", "evil.example"))
	}
	mustSync(t, j)
	if rs := records(t, j.cfg.Path); len(rs) != 3 {
		t.Errorf("%d records", len(rs))
	}
}
