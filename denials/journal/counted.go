// Counted: attempts that are known as a count only, as from a packet filter.

package journal

import "sallyport/rules"

// DecideTimes answers as Decide does, for an attempt that was made a number of
// times alike, and records the answer once with that count, which must be over
// 0. The observer is not told: the caller has the answer and the count.
func (r *Recorder) DecideTimes(a rules.Attempt, times uint64) rules.Decision {
	d := r.answer(&a)
	if !d.Allowed() || d.Would || r.j.flows != nil {
		r.j.record(&entry{at: r.j.cfg.Now(), event: EventDecision, a: a, d: d, count: times})
	}
	return d
}
