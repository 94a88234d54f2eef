// Tests of "denials new": a group is new if its first denial is; the time of the last reading is kept;
// and no answer is cut without a word.

package text

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/denials/journal"
)

const day = 24 * 60 * 60 // seconds

// newOf runs WriteNew and returns its lines.
func newOf(t *testing.T, o Options) []string {
	t.Helper()
	var out bytes.Buffer
	if o.Sort = "first"; o.Now.IsZero() {
		o.Now = noon.Add(8 * 24 * time.Hour)
	}
	if _, err := WriteNew(context.Background(), o, &out); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// A week of denials: an old beacon that goes on, one that began two days ago, and one of the last hour.
func week(t *testing.T) string {
	host := func(name string, n uint64) func(*journal.Record) {
		return func(r *journal.Record) { r.Host, r.Count = name, n }
	}
	return journalOf(t, filepath.Join(t.TempDir(), "j"),
		at(0, host("beacon.example", 900)), at(6*day, host("since-two-days.example", 5)), at(7*day, host("beacon.example", 900)),
		at(8*day-3600, host("exfil.example", 1)), at(8*day-1800, host("exfil.example", 2)))
}

func TestNewGroupsBeganWithinThePeriod(t *testing.T) {
	o := Options{Files: []string{week(t)}, New: noon.Add(7 * 24 * time.Hour)}
	got := newOf(t, o)
	if len(got) != 3 || !strings.HasPrefix(got[0], "FIRST") || !strings.Contains(got[1], "11:00:00 UTC") || !strings.Contains(got[1], "  3      exfil.example:443") {
		t.Errorf("%q", got)
	}
	if want := "1 new group since 2026-11-29 12:00:00 UTC; 2 groups began before"; got[len(got)-1] != want {
		t.Errorf("%q, want %q", got[len(got)-1], want)
	}
	o.New = noon.Add(5 * 24 * time.Hour)
	if got = newOf(t, o); len(got) != 4 || !strings.Contains(got[1], "exfil.example") || !strings.Contains(got[2], "since-two-days.example") {
		t.Errorf("the newest must be first: %q", got)
	}
	o.JSON = true
	if got = newOf(t, o); len(got) != 2 || !strings.Contains(got[0], `"host":"exfil.example"`) || !strings.Contains(got[0], `"first":"2026-11-30T11:00:00`) {
		t.Errorf("%q", got)
	}
}

// A journal that begins within the period has nothing to compare with. The answer must say that.
func TestNewSaysWithWhatItCompared(t *testing.T) {
	o := Options{Files: []string{week(t)}, New: noon.Add(7 * 24 * time.Hour)}
	o.Filter.Since = o.New // --than
	got := strings.Join(newOf(t, o), "\n")
	if !strings.Contains(got, "beacon.example") || !strings.Contains(got, "\nthe first denial that was read is of 2026-11-29 12:00:00 UTC: there is nothing older to compare with") {
		t.Errorf("%s", got)
	}
	o.Filter.Since = noon.Add(9 * 24 * time.Hour)
	if got = newOf(t, o)[0]; !strings.HasPrefix(got, "no denial matches") {
		t.Errorf("%s", got)
	}
}

// Two readings print each group once. A group that began in the last seconds before a reading may be
// printed by both, because the journal writes counted denials late; it is never printed by neither.
func TestNewSinceTheLastReading(t *testing.T) {
	path, state := week(t), filepath.Join(t.TempDir(), "read")
	since := func() time.Time {
		t.Helper()
		last, err := LastRead(state)
		if err != nil {
			t.Fatal(err)
		}
		return last
	}
	o := Options{Files: []string{path}, NewFile: state, New: since(), JSON: true, Now: noon.Add(8 * 24 * time.Hour)}
	if got := newOf(t, o); len(got) != 3 {
		t.Errorf("the first reading prints every group: %q", got)
	}
	o.New = since()
	if got := newOf(t, o); len(got) != 1 || got[0] != "" {
		t.Errorf("nothing is new: %q", got)
	}
	late := at(8*day-2, func(r *journal.Record) { r.Host, r.Count = "late.example", 7 })
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write(late.Append(nil)); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if got := newOf(t, o); len(got) != 1 || !strings.Contains(got[0], "late.example") {
		t.Errorf("a record that was written after the reading: %q", got)
	}
}

// The time is kept only if the answer was written. A file that is not ours is an error and stays.
func TestNewKeepsTheTimeOfAWrittenAnswer(t *testing.T) {
	state := filepath.Join(t.TempDir(), "read")
	o := Options{Files: []string{week(t)}, NewFile: state, Now: noon}
	if _, err := WriteNew(context.Background(), o, failing{os.ErrClosed}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("the time was kept")
	}
	if err := os.WriteFile(state, []byte("yesterday\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LastRead(state); err == nil || !strings.Contains(err.Error(), state) || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("%v", err)
	}
	o.NewFile = filepath.Join(state, "below-a-file")
	if _, err := WriteNew(context.Background(), o, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "--state FILE") {
		t.Errorf("%v", err)
	}
}

func TestNothingIsCutInSilence(t *testing.T) {
	path := week(t)
	for name, c := range map[string]struct {
		write func(context.Context, Options, io.Writer) (journal.Report, error)
		n     int
		want  string
	}{
		"top 2":  {Top, 2, "2 of 3 groups are printed: -n -1 prints all"},
		"top":    {Top, 0, ""},
		"list 4": {List, 4, "4 of 5 records are printed: -n -1 prints all"},
		"list":   {List, -1, ""},
		"new 1":  {WriteNew, 1, "1 of 3 new groups are printed: -n -1 prints all"},
	} {
		for _, asJSON := range []bool{false, true} {
			rep, err := c.write(context.Background(), Options{Files: []string{path}, N: c.n, JSON: asJSON}, new(bytes.Buffer))
			if err != nil || rep.Cut != c.want {
				t.Errorf("%s, JSON %v: %v, %q, want %q", name, asJSON, err, rep.Cut, c.want)
			}
		}
	}
	s := siteOf(t, fleet)
	rs := decided(t, s, attempt(t, manager, "one.example", 443), attempt(t, manager, "two.example", 443))
	rep, err := WriteSuggest(context.Background(), Options{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "k"), rs...)}, Site: s, N: 1}, new(bytes.Buffer))
	if want := "the changes above are for 1 of 2 groups: -n -1 prints all"; err != nil || rep.Cut != want {
		t.Errorf("%v, %q, want %q", err, rep.Cut, want)
	}
}
