// Counted: attempts that are known only as a count, as from a packet filter.

package journal

import "sallyport/rules"

// DecideTimes returns the same decision as Decide, for an attempt that was made
// several times, and records it once with that count. The count must be above
// 0. DecideTimes does not call the observer, because the caller has the decision
// and the count.
func (r *Recorder) DecideTimes(a rules.Attempt, times uint64) rules.Decision {
	d := r.answer(&a)
	if !d.Allowed() || d.Would || r.j.flows != nil {
		now := r.j.cfg.Now()
		r.j.record(&entry{at: now, event: EventDecision, a: a, d: d, known: knownOf(&a, &d, now), count: times})
	}
	return d
}
