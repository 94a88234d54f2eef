// Timeline: counts denials by reason over time, in as many steps as a picture
// needs.

package denials

import (
	"cmp"
	"slices"
	"time"

	"sallyport/denials/journal"
)

// stepsMax limits the steps of a Timeline. When it needs more, the steps become
// longer.
const stepsMax = 1024

// steps are the possible lengths of a step. After the last one, the length
// doubles.
var steps = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour}

// A Timeline counts denials by reason in steps of equal length. Its zero value
// is ready.
type Timeline struct {
	step    time.Duration
	buckets map[int64]*Counts // number of the step since 1970 -> reasons
}

// A Step is one step of a Timeline.
type Step struct {
	Start  time.Time
	Counts []uint64 // by reason, in the order of Series.Reasons
	Total  uint64
}

// A Series is a Timeline laid out for drawing.
type Series struct {
	Step    time.Duration
	Reasons []string // the reasons that occur, the most frequent first
	Steps   []Step   // without gaps, the oldest first
	Max     uint64   // the largest Total
}

// Add counts a record of a denial. It ignores other records.
func (t *Timeline) Add(r *journal.Record) {
	if !r.Denied() || r.Time.Unix() < 0 {
		return
	}
	if t.buckets == nil {
		t.step, t.buckets = steps[0], map[int64]*Counts{}
	}
	t.put(r.Time.Unix(), r.Reason, r.Times())
	for len(t.buckets) > stepsMax {
		t.grow(longer(t.step))
	}
}

func (t *Timeline) put(second int64, reason string, n uint64) {
	i := second / int64(t.step/time.Second)
	b := t.buckets[i]
	if b == nil {
		b = new(Counts)
		t.buckets[i] = b
	}
	if len(b.m) >= 64 && b.m[reason] == nil {
		reason = Others // more reasons than sallyport has
	}
	b.Add(reason, n)
}

// longer returns the next length of a step.
func longer(step time.Duration) time.Duration {
	for _, s := range steps {
		if s > step {
			return s
		}
	}
	return 2 * step
}

// grow counts everything again in longer steps.
func (t *Timeline) grow(step time.Duration) {
	old, was := t.buckets, int64(t.step/time.Second)
	t.step, t.buckets = step, map[int64]*Counts{}
	for i, b := range old {
		for reason, n := range b.m {
			t.put(i*was, reason, *n)
		}
	}
}

// Series returns the timeline in at most n steps.
func (t *Timeline) Series(n int) Series {
	if len(t.buckets) == 0 {
		return Series{}
	}
	c := Timeline{step: t.step, buckets: t.buckets}
	first, last := c.span()
	for last-first+1 > int64(max(n, 1)) {
		c.grow(longer(c.step))
		first, last = c.span()
	}
	var total Counts
	for _, b := range c.buckets {
		for reason, n := range b.m {
			total.Add(reason, *n)
		}
	}
	s := Series{Step: c.step, Steps: make([]Step, last-first+1)}
	for _, r := range total.Largest() {
		s.Reasons = append(s.Reasons, r.Text)
	}
	for i := range s.Steps {
		st := Step{Start: time.Unix((first+int64(i))*int64(c.step/time.Second), 0).UTC(), Counts: make([]uint64, len(s.Reasons))}
		if b := c.buckets[first+int64(i)]; b != nil {
			for reason, n := range b.m {
				st.Counts[slices.Index(s.Reasons, reason)] += *n
				st.Total += *n
			}
		}
		s.Max = max(s.Max, st.Total)
		s.Steps[i] = st
	}
	return s
}

// span returns the numbers of the first and the last step.
func (t *Timeline) span() (first, last int64) {
	keys := make([]int64, 0, len(t.buckets))
	for i := range t.buckets {
		keys = append(keys, i)
	}
	return slices.MinFunc(keys, cmp.Compare[int64]), slices.MaxFunc(keys, cmp.Compare[int64])
}
