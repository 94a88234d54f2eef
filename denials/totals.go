// Totals: counts denials by reason, front end, verdict, client and hour.

package denials

import (
	"cmp"
	"slices"
	"time"

	"sallyport/denials/journal"
)

// Totals counts denials. Its zero value is ready.
type Totals struct {
	Denials  uint64
	First    time.Time
	Last     time.Time
	Reasons  Counts
	Vias     Counts
	Verdicts Counts
	Clients  Counts // by name; if there is none, by address
	Profiles Counts
	Hours    Counts // by date and hour: 2006-01-02T15
	Cures    Counts // set by Review
}

// Add counts a record of a denial. It ignores other records.
func (t *Totals) Add(r *journal.Record) {
	if !r.Denied() {
		return
	}
	n := r.Times()
	t.Denials += n
	if t.First.IsZero() || r.Time.Before(t.First) {
		t.First = r.Time
	}
	if r.Time.After(t.Last) {
		t.Last = r.Time
	}
	t.Reasons.Add(r.Reason, n)
	t.Vias.Add(r.Via, n)
	t.Verdicts.Add(r.Verdict, n)
	t.Clients.Add(cmp.Or(r.ClientName, r.Client, Others), n)
	t.Profiles.Add(r.Profile, n)
	t.Hours.addHour(r.Time, n)
}

// Counts counts by text. Its zero value is ready.
type Counts struct {
	m    map[string]*uint64
	hour time.Time // the hour of the last addHour
	text string    // its text
}

// countsMax limits the texts with a count of their own. All other texts are
// counted as Others.
const countsMax = 10_000

// A Count is a text and how often it occurred.
type Count struct {
	Text string
	N    uint64
}

// Add counts a text n times.
func (c *Counts) Add(text string, n uint64) {
	if p := c.m[text]; p != nil {
		*p += n
		return
	}
	if c.m == nil {
		c.m = make(map[string]*uint64)
	}
	if len(c.m) >= countsMax && text != Others {
		c.Add(Others, n)
		return
	}
	c.m[text] = &n
}

func (c *Counts) addHour(t time.Time, n uint64) {
	if h := t.Truncate(time.Hour); !h.Equal(c.hour) || c.text == "" {
		c.hour, c.text = h, h.UTC().Format("2006-01-02T15")
	}
	c.Add(c.text, n)
}

// Of returns how often a text occurred.
func (c *Counts) Of(text string) uint64 {
	if p := c.m[text]; p != nil {
		return *p
	}
	return 0
}

// Largest lists the counts, the largest first.
func (c *Counts) Largest() []Count {
	out := c.Sorted()
	slices.SortStableFunc(out, func(a, b Count) int { return cmp.Compare(b.N, a.N) })
	return out
}

// Sorted lists the counts by their texts.
func (c *Counts) Sorted() []Count {
	out := make([]Count, 0, len(c.m))
	for s, n := range c.m {
		out = append(out, Count{s, *n})
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Compare(a.Text, b.Text) })
	return out
}
