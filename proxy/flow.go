// Flow: a client and the destination that it is connected to, from the grant to the end. A
// reload, a drain or an idle limit can end a flow from outside.

package proxy

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A flow is one granted connection to a destination. The code that opened the flow owns both
// ends; Abort only resets them.
type flow struct {
	p       *Proxy
	c       *client
	up      link // see reconnected
	started time.Time

	in, out atomic.Uint64 // bytes from the client, and to it

	mu      sync.Mutex
	a       rules.Attempt // as in the last question
	version int           // counts the decisions, so that moveTo overwrites no newer decision
	d       rules.Decision
	cause   rules.Cause  // why the flow was aborted: the first cause given
	refused *parentError // the parent's refusal or failure; nil: there is none
}

// flowTable holds the open flows.
type flowTable struct {
	mu   sync.Mutex
	open map[*flow]struct{}
}

// openFlow registers a granted connection. The caller must call done.
func (p *Proxy) openFlow(c *client, up link, a rules.Attempt, d rules.Decision) *flow {
	f := &flow{p: p, c: c, up: up, a: a, d: d, started: time.Now()}
	t := &p.flows
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[*flow]struct{})
	}
	t.open[f] = struct{}{}
	return f
}

// all returns the flows that are open now.
func (t *flowTable) all() []*flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.open))
}

// setDecision replaces the provisional question and answer by the final
// question and answer.
func (f *flow) setDecision(a rules.Attempt, d rules.Decision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.a, f.d = a, d
	f.version++
}

// moveTo puts the flow under generation g, which permits it by decision d, so that a long flow
// does not keep an old generation in memory. It does nothing if the flow has a newer decision
// than version.
func (f *flow) moveTo(version int, g *rules.Generation, d rules.Decision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version == version && f.a.Generation != g {
		f.a.Generation, f.d = g, d
	}
}

// lastAttempt returns the last question.
func (f *flow) lastAttempt() rules.Attempt {
	a, _, _ := f.lastDecision()
	return a
}

// lastDecision returns the last question, its answer and its version.
func (f *flow) lastDecision() (rules.Attempt, rules.Decision, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.a, f.d, f.version
}

// Abort resets both ends, so that neither peer sees a clean end. It may be called at any time,
// from any goroutine, more than once.
func (f *flow) Abort(cause rules.Cause) {
	f.mu.Lock()
	if f.cause == rules.EndClean {
		f.cause = cause
	}
	up := f.up
	f.mu.Unlock()
	if up.tcp != nil {
		peek.Reset(up.tcp)
	}
	peek.Reset(f.c.TCP)
}

// letGo takes the connection to the destination out of the flow, so that no abort resets it any more:
// it carries another flow's request next. It reports false if the flow was aborted.
func (f *flow) letGo() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause != rules.EndClean {
		return false
	}
	f.up = link{}
	return true
}

// reconnected sets the connection that an abort resets. Requests of one flow may use several, one
// after the other.
func (f *flow) reconnected(up link) {
	f.mu.Lock()
	f.up = up
	aborted := f.cause != rules.EndClean
	f.mu.Unlock()
	if aborted {
		peek.Reset(up.tcp)
	}
}

// Recover turns a panic on one of the flow's goroutines into a denial. It must be deferred
// directly.
func (f *flow) Recover() { f.p.panicked(recover(), f.c, f.lastAttempt().Via) }

// done unregisters the flow. If the last decision is an allow, done reports how the flow ended:
// with the cause of an abort from outside, or else with cause.
func (f *flow) done(cause rules.Cause) {
	t := &f.p.flows
	t.mu.Lock()
	delete(t.open, f)
	t.mu.Unlock()
	in, out := f.in.Load(), f.out.Load()
	f.p.count.bytesIn.Add(in)
	f.p.count.bytesOut.Add(out)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause != rules.EndClean && (f.refused == nil || f.cause != rules.EndReset) {
		cause = f.cause
	}
	if f.d.Allowed() {
		end := rules.Close{Attempt: f.a, Decision: f.d, Dialed: f.a.Dest, BytesIn: in, BytesOut: out,
			Started: f.started.UnixNano(), Duration: int64(time.Since(f.started)), Cause: cause}
		if f.refused != nil {
			end.Why, end.Help = f.refused.Error(), f.refused.help()
		}
		f.p.closed(end)
	}
}

// refusedBy sets the refusal of the flow by its parent.
func (f *flow) refusedBy(e *parentError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = e
}

func (p *Proxy) closed(c rules.Close) {
	if p.cfg.Closed != nil {
		p.cfg.Closed(c)
	}
}
