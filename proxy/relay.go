// Relay: copies both ways between two TCP connections, and holds nothing but
// the two while they are idle.

package proxy

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// Why a direction ended that did not copy to the end.
var (
	errStopped = errors.New("stopped")
	errBroken  = errors.New("broken off")
)

// A relayOwner is the flow that a relay serves.
type relayOwner interface {
	abort(rules.Cause) // resets both ends, at any time, more than once; the first cause stands
	caught()           // deferred where the relay runs by itself; recovers from a panic
}

// An inspector sees what a direction has read before that is passed on.
type inspector interface {
	begin() error                        // before the first read; io.EOF: the source has ended
	see(b []byte) (more bool, err error) // more: it has to see what comes next, too; with an error nothing is passed on
	end() error                          // the source has ended; with an error the end is not passed on
}

// relayLimits bound a relay in time.
type relayLimits struct {
	idle       time.Duration // no byte in either direction
	halfClosed time.Duration // one direction closed, the other idle
	slice      time.Duration // one splice, after which bytes are counted and a quiet direction gives its pipe back
}

// A relayConfig is what a relay works with.
type relayConfig struct {
	owner               relayOwner
	client, destination *net.TCPConn
	in, out             *atomic.Uint64 // bytes from the client, and to it
	started             time.Time
	limits              relayLimits
	buffers             *bufferPool
}

// A relay is one tunnel's two directions and the watch over both.
//
// A direction ends cleanly when its source does; that half-close is passed on.
// Any error resets both ends. There is no deadline on writes and none on reads
// but in a slice, so that a timeout can only mean "nothing to read": a write
// that timed out half-way could not be continued. Idleness is watched by one
// timer for both directions, and what it finds idle it resets.
type relay struct {
	cfg      relayConfig
	up, down direction    // client to destination, and back
	active   atomic.Int64 // when a byte moved last, in nanoseconds since started
	ended    atomic.Int32 // directions that ended cleanly
	over     atomic.Bool  // finish was called
	timer    *time.Timer
	finished chan struct{} // closed when down has returned; nil: not started
	err      error         // of down
}

// start prepares the relay and starts its idle limit. The caller
// must call finish.
func (r *relay) start(cfg relayConfig) {
	r.cfg = cfg
	r.up.r, r.up.dst, r.up.src, r.up.n = r, cfg.destination, cfg.client, cfg.in
	r.down.r, r.down.dst, r.down.src, r.down.n = r, cfg.client, cfg.destination, cfg.out
	r.touch()
	r.timer = time.AfterFunc(r.limit(), r.watch)
}

// startDown lets the destination's bytes flow.
func (r *relay) startDown() {
	r.finished = make(chan struct{})
	go r.runDown()
}

func (r *relay) runDown() {
	defer close(r.finished)
	defer r.cfg.owner.caught()
	r.err = errBroken // unless run returns
	r.err = r.down.run()
}

// awaitDown waits until the destination's direction has ended, and returns its error.
func (r *relay) awaitDown() error {
	<-r.finished
	return r.err
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

// stopWrite is how long stopDown waits for a write to a client that does not read.
const stopWrite = time.Second

// stopDown ends the destination's direction between two bytes. It tells
// whether that was possible: if the direction had ended otherwise, it was not.
func (r *relay) stopDown() bool {
	r.down.stopping.Store(true)
	r.down.src.SetReadDeadline(time.Unix(1, 0))
	r.down.dst.SetWriteDeadline(time.Now().Add(stopWrite))
	<-r.finished
	r.down.src.SetReadDeadline(time.Time{})
	r.down.dst.SetWriteDeadline(time.Time{})
	return errors.Is(r.err, errStopped)
}

// resumeDown takes back stopDown.
func (r *relay) resumeDown() {
	r.down.stopping.Store(false)
	r.startDown()
}

// endUp passes the end of what the client sends on, without having read to it.
func (r *relay) endUp() error { return r.up.end() }

// finish ends the watch.
func (r *relay) finish() {
	r.over.Store(true)
	r.timer.Stop()
}

// now is the relay's clock: nanoseconds since the flow began, never 0.
func (r *relay) now() int64 { return int64(time.Since(r.cfg.started)) + 1 }

// touch notes that something moved.
func (r *relay) touch() int64 {
	now := r.now()
	r.active.Store(now)
	return now
}

// limit is how long the tunnel may be quiet.
func (r *relay) limit() time.Duration {
	l := r.cfg.limits
	if r.ended.Load() > 0 {
		return min(l.halfClosed, l.idle)
	}
	return l.idle
}

// slice is how long one splice may take before it is looked at.
func (r *relay) slice() time.Duration { return min(r.cfg.limits.slice, r.limit()/2) }

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
	r.cfg.owner.abort(cause)
}

// A bufferPool holds relay buffers that are not in use. Its zero value is ready.
type bufferPool struct{ p sync.Pool }

// get returns a buffer with any contents.
func (p *bufferPool) get() *[relayBuffer]byte {
	if b, ok := p.p.Get().(*[relayBuffer]byte); ok {
		return b
	}
	return new([relayBuffer]byte)
}

// put takes a buffer back.
func (p *bufferPool) put(b *[relayBuffer]byte) { p.p.Put(b) }
