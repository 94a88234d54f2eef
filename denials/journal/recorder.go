// Recorder: the Gate of the front ends. It records every denial.

package journal

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// A Recorder is a Gate that asks another Gate and records its answers. All
// methods are safe for concurrent use.
type Recorder struct {
	next    rules.Gate
	j       *Journal
	observe func(a rules.Attempt, d rules.Decision, known bool)
	usage   *Usage // nil: no usage is counted
	panics  atomic.Uint64
}

// NewRecorder returns a Recorder of next's decisions. It calls observe, if not
// nil, once for each final decision: every denial, and every allow that is not
// provisional. known reports whether the site knows and means the denial.
func NewRecorder(next rules.Gate, j *Journal, observe func(a rules.Attempt, d rules.Decision, known bool)) *Recorder {
	return &Recorder{next: next, j: j, observe: observe}
}

// detailPanic is the detail of a decision that failed.
const detailPanic = "internal error: the decision failed; please report this error; the log has the trace"

// Decide returns the decision of the Gate that r asks. It denies if that Gate
// panics, or if the journal is required and cannot be written.
func (r *Recorder) Decide(a rules.Attempt) rules.Decision {
	d := r.answer(&a)
	if d.Allowed() && a.Provisional {
		return d
	}
	r.keep(&a, &d)
	return d
}

// Preview returns the decision that Decide would return now, and records
// nothing.
func (r *Recorder) Preview(a rules.Attempt) rules.Decision { return r.answer(&a) }

// answer asks the next Gate. If there is no decision, it records the fault in
// a.
func (r *Recorder) answer(a *rules.Attempt) rules.Decision {
	d, ok := r.ask(a)
	if !ok {
		a.Detail = detailPanic
	}
	if d.Allowed() && r.j.cfg.Required && r.j.unavailable() {
		a.Fault = rules.JournalUnavailable
		if d, ok = r.ask(a); d.Allowed() || !ok {
			d = rules.Decision{Reason: rules.JournalUnavailable, Client: d.Client}
		}
	}
	return d
}

// ask returns the decision of the next Gate. A panic becomes a denial.
func (r *Recorder) ask(a *rules.Attempt) (d rules.Decision, ok bool) {
	defer r.catch(&d, a)
	return r.next.Decide(*a), true
}

// catch turns a panic into a denial. It must be deferred directly.
func (r *Recorder) catch(d *rules.Decision, a *rules.Attempt) {
	if v := recover(); v != nil {
		r.panics.Add(1)
		*d = rules.Decision{Reason: rules.NotListed}
		r.j.cfg.Log.Error("decision failed: denied", "panic", fmt.Sprint(v), "via", a.Via.String(), "client", a.Client,
			"stack", string(debug.Stack()))
	}
}

// keep records a final decision and calls the observer.
func (r *Recorder) keep(a *rules.Attempt, d *rules.Decision) {
	if d.Allowed() {
		r.usage.note(a, d)
	}
	var known *rules.Known
	if r.j.flows != nil || !d.Allowed() || d.Would {
		now := r.j.cfg.Now()
		known = knownOf(a, d, now)
		r.j.record(&entry{at: now, event: EventDecision, a: *a, d: *d, known: known, count: 1})
	}
	if r.observe != nil {
		r.observe(*a, *d, known != nil)
	}
}

// knownOf returns what covers a denial, or a would-be denial; nil if nothing does.
func knownOf(a *rules.Attempt, d *rules.Decision, now time.Time) *rules.Known {
	if d.Allowed() && !d.Would {
		return nil
	}
	return a.Generation.Known(a, d, now)
}

// Closed records how a permitted flow ended. If mode "audit" let the flow
// through and it ended before its final decision, Closed first records
// would_deny. If a rule permitted such a flow, Closed counts the use of the rule.
func (r *Recorder) Closed(c rules.Close) {
	switch {
	case !c.Attempt.Provisional:
	case c.Decision.Would:
		r.keep(&c.Attempt, &c.Decision)
	case c.Decision.Allowed():
		r.usage.note(&c.Attempt, &c.Decision)
	}
	if r.j.flows == nil {
		return
	}
	r.j.record(&entry{at: r.j.cfg.Now(), event: EventClose, detail: c.Cause.String(), a: c.Attempt, d: c.Decision,
		dialed: c.Dialed, in: c.BytesIn, out: c.BytesOut, duration: c.Duration, count: 1})
}

// Panics returns the number of decisions that failed and were therefore denied.
func (r *Recorder) Panics() uint64 { return r.panics.Load() }
