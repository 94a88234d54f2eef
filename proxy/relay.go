// Relay: copies both ways between two TCP connections, and holds nothing but
// the two while they are idle.

package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// Why a direction ended that did not copy to the end.
var (
	errStopped = errors.New("stopped")
	errBroken  = errors.New("broken off")
	errDenied  = errors.New("denied") // for what came behind the first bytes
)

// A relay is one tunnel's two directions and the watch over both.
//
// A direction ends cleanly when its source does; that half-close is passed on.
// Any error resets both ends. There is no deadline on writes and none on reads
// but in a slice, so that a timeout can only mean "nothing to read": a write
// that timed out half-way could not be continued. Idleness is watched by one
// timer for both directions, and what it finds idle it resets.
type relay struct {
	f        *flow
	up, down direction    // client to destination, and back
	first    *hello       // of the client, where it may have to send another; nil: it has nothing to show any more
	answer   answerScan   // of the destination, to a hello
	active   atomic.Int64 // when a byte moved last, in nanoseconds since f.started
	ended    atomic.Int32 // directions that ended cleanly
	over     atomic.Bool  // finish was called
	timer    *time.Timer
	finished chan struct{} // closed when down has returned; nil: not started
	err      error         // of down
}

// newRelay prepares the relay of a flow and starts its idle limit. The caller
// must call finish.
func newRelay(f *flow) *relay {
	r := &relay{f: f}
	r.up = direction{r: r, dst: f.up, src: f.c.conn, n: &f.in}
	r.down = direction{r: r, dst: f.c.conn, src: f.up, n: &f.out}
	r.touch()
	r.timer = time.AfterFunc(r.limit(), r.watch)
	return r
}

// startDown lets the destination's bytes flow.
func (r *relay) startDown() {
	r.finished = make(chan struct{})
	go r.runDown()
}

func (r *relay) runDown() {
	defer close(r.finished)
	defer r.f.p.recovered(r.f.c, r.f.last().Via)
	r.err = errBroken // unless run returns
	r.err = r.down.run()
}

// both runs until both directions have ended and tells why.
func (r *relay) both() rules.Cause {
	if r.finished == nil {
		r.startDown()
	}
	err := r.up.run()
	<-r.finished
	if err == nil && r.err == nil {
		return rules.EndClean
	}
	return rules.EndReset
}

// stopDown ends the destination's direction between two bytes. It tells
// whether that was possible: if the direction had ended otherwise, it was not.
func (r *relay) stopDown() bool {
	r.down.stopping.Store(true)
	r.f.up.SetReadDeadline(time.Unix(1, 0))
	r.f.c.conn.SetWriteDeadline(time.Now().Add(lingerTime))
	<-r.finished
	r.f.up.SetReadDeadline(time.Time{})
	r.f.c.conn.SetWriteDeadline(time.Time{})
	return errors.Is(r.err, errStopped)
}

// resumeDown takes back stopDown.
func (r *relay) resumeDown() {
	r.down.stopping.Store(false)
	r.startDown()
}

// finish ends the watch.
func (r *relay) finish() {
	r.over.Store(true)
	r.timer.Stop()
}

// now is the relay's clock: nanoseconds since the flow began, never 0.
func (r *relay) now() int64 { return int64(time.Since(r.f.started)) + 1 }

// touch notes that something moved.
func (r *relay) touch() int64 {
	now := r.now()
	r.active.Store(now)
	return now
}

// limit is how long the tunnel may be quiet.
func (r *relay) limit() time.Duration {
	l := r.f.p.limits
	if r.ended.Load() > 0 {
		return min(l.HalfClosed, l.Idle)
	}
	return l.Idle
}

// slice is how long one splice may take before it is looked at.
func (r *relay) slice() time.Duration { return min(r.f.p.slice, r.limit()/2) }

// watch runs when the tunnel may have been quiet for too long. A direction
// that could not write for as long is dead too, whatever the other one does.
func (r *relay) watch() {
	now, limit := r.now(), r.limit()
	quiet := time.Duration(now - r.active.Load())
	for _, d := range []*direction{&r.up, &r.down} {
		if since := d.busy.Load(); since != 0 {
			quiet = max(quiet, time.Duration(now-since)-r.slice())
		}
	}
	if r.over.Load() {
		return
	}
	if quiet < limit {
		r.timer.Reset(limit - quiet)
		return
	}
	cause := rules.EndIdle
	if r.ended.Load() > 0 {
		cause = rules.EndHalfClosed
	}
	r.f.abort(cause)
}

// relay copies both ways on a flow that is judged by s, sends first what the
// client sent already, and returns why it ended.
func (f *flow) relay(s sight) rules.Cause {
	r := newRelay(f)
	defer r.finish()
	if !r.forward(s) {
		return rules.EndReset
	}
	return r.both()
}

// forward sends what was read from the client before, and lets go of it. What
// came behind a hello is judged like what comes yet.
func (r *relay) forward(s sight) bool {
	n := len(r.f.c.pre)
	if s.tls {
		n = s.size
		r.first = &hello{sni: s.hello.sni, hasSNI: s.hello.hasSNI, ech: s.hello.ech}
	}
	if s.line.like == perhaps {
		line := s.line
		r.up.line = &line
	}
	err := r.pass(n)
	if len(r.f.c.pre) == 0 {
		r.f.c.release()
	}
	if err != nil {
		r.f.abort(rules.EndReset)
	}
	return err == nil
}

// pass sends the first n bytes that were read from the client.
func (r *relay) pass(n int) error {
	if n == 0 {
		return nil
	}
	r.up.busy.Store(r.touch())
	sent, err := r.f.up.Write(r.f.c.pre[:n])
	r.up.busy.Store(0)
	r.f.in.Add(uint64(sent))
	r.f.c.take(n)
	return err
}

// denyRequest puts on record that an opaque flow became a request, and ends it.
// Its beginning is gone; the byte that makes it one is not.
func (r *relay) denyRequest() error {
	r.deny(r.f.last(), rules.MalformedRequest, "a request whose line was not sent at once")
	return errDenied
}

// deny puts a denial of what came behind the first bytes on record, and ends the
// flow.
func (r *relay) deny(a rules.Attempt, fault rules.Reason, detail string) {
	a.Provisional, a.Fault, a.Detail = false, fault, detail
	r.f.abort(rules.EndDenied(r.f.p.cfg.Gate.Decide(a).Why()))
}
