// Relay: copies both ways between two TCP connections, and holds nothing but
// the two while they are idle.

package relay

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// Why a Direction ended that did not copy to the end.
var (
	errStopped = errors.New("stopped")
	errBroken  = errors.New("broken off")
)

// A Owner is the flow that a relay serves.
type Owner interface {
	Abort(rules.Cause) // resets both ends, at any time, more than once; the first cause stands
	Recover()          // deferred where the relay runs by itself; recovers from a panic
}

// An Inspector sees what a Direction has read before that is passed on.
type Inspector interface {
	Begin() error                            // before the first read; io.EOF: the source has ended
	Inspect(b []byte) (more bool, err error) // more: it has to see what comes next, too; with an error nothing is passed on
	End() error                              // the source has ended; with an error the end is not passed on
}

// Limits bound a relay in time.
type Limits struct {
	Idle       time.Duration // no byte in either Direction
	HalfClosed time.Duration // one Direction closed, the other idle
	Slice      time.Duration // one splice, after which bytes are counted and a quiet Direction gives its pipe back
}

// A Config is what a relay works with.
type Config struct {
	Owner               Owner
	Client, Destination *net.TCPConn
	In, Out             *atomic.Uint64 // bytes from the client, and to it
	Started             time.Time
	Limits              Limits
	Buffers             *Buffers
}

// A Relay is one tunnel's two directions and the watch over both.
//
// A Direction ends cleanly when its source does; that half-close is passed on.
// Any error resets both ends. There is no deadline on writes and none on reads
// but in a slice, so that a timeout can only mean "nothing to read": a write
// that timed out half-way could not be continued. Idleness is watched by one
// timer for both directions, and what it finds idle it resets.
type Relay struct {
	cfg      Config
	Up, Down Direction    // client to destination, and back
	active   atomic.Int64 // when a byte moved last, in nanoseconds since started
	ended    atomic.Int32 // directions that ended cleanly
	over     atomic.Bool  // finish was called
	timer    *time.Timer
	finished chan struct{} // closed when down has returned; nil: not started
	err      error         // of down
}

// Start prepares the relay and starts its idle limit. The caller
// must call finish.
func (r *Relay) Start(cfg Config) {
	r.cfg = cfg
	r.Up.r, r.Up.dst, r.Up.src, r.Up.n = r, cfg.Destination, cfg.Client, cfg.In
	r.Down.r, r.Down.dst, r.Down.src, r.Down.n = r, cfg.Client, cfg.Destination, cfg.Out
	r.MarkActive()
	r.timer = time.AfterFunc(r.limit(), r.watch)
}

// StartDown lets the destination's bytes flow.
func (r *Relay) StartDown() {
	r.finished = make(chan struct{})
	go r.runDown()
}

func (r *Relay) runDown() {
	defer close(r.finished)
	defer r.cfg.Owner.Recover()
	r.err = errBroken // unless run returns
	r.err = r.Down.run()
}

// AwaitDown waits until the destination's Direction has ended, and returns its error.
func (r *Relay) AwaitDown() error {
	<-r.finished
	return r.err
}

// Run runs until both directions have ended and tells why.
func (r *Relay) Run() rules.Cause {
	if r.finished == nil {
		r.StartDown()
	}
	err := r.Up.run()
	<-r.finished
	if err == nil && r.err == nil {
		return rules.EndClean
	}
	return rules.EndReset
}

// stopWrite is how long stopDown waits for a write to a client that does not read.
const stopWrite = time.Second

// StopDown ends the destination's Direction between two bytes. It tells
// whether that was possible: if the Direction had ended otherwise, it was not.
func (r *Relay) StopDown() bool {
	r.Down.stopping.Store(true)
	r.Down.src.SetReadDeadline(time.Unix(1, 0))
	r.Down.dst.SetWriteDeadline(time.Now().Add(stopWrite))
	<-r.finished
	r.Down.src.SetReadDeadline(time.Time{})
	r.Down.dst.SetWriteDeadline(time.Time{})
	return errors.Is(r.err, errStopped)
}

// ResumeDown takes back stopDown.
func (r *Relay) ResumeDown() {
	r.Down.stopping.Store(false)
	r.StartDown()
}

// EndUp passes the end of what the client sends on, without having read to it.
func (r *Relay) EndUp() error { return r.Up.end() }

// Finish ends the watch.
func (r *Relay) Finish() {
	r.over.Store(true)
	r.timer.Stop()
}

// now is the relay's clock: nanoseconds since the flow began, never 0.
func (r *Relay) now() int64 { return int64(time.Since(r.cfg.Started)) + 1 }

// MarkActive notes that something moved.
func (r *Relay) MarkActive() int64 {
	now := r.now()
	r.active.Store(now)
	return now
}

// limit is how long the tunnel may be quiet.
func (r *Relay) limit() time.Duration {
	l := r.cfg.Limits
	if r.ended.Load() > 0 {
		return min(l.HalfClosed, l.Idle)
	}
	return l.Idle
}

// slice is how long one splice may take before it is looked at.
func (r *Relay) slice() time.Duration { return min(r.cfg.Limits.Slice, r.limit()/2) }

// watch runs when the tunnel may have been quiet for too long. A Direction
// that could not write for as long is dead too, whatever the other one does.
func (r *Relay) watch() {
	now, limit := r.now(), r.limit()
	quiet := time.Duration(now - r.active.Load())
	for _, d := range []*Direction{&r.Up, &r.Down} {
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
	r.cfg.Owner.Abort(cause)
}

// A Buffers holds relay buffers that are not in use. Its zero value is ready.
type Buffers struct{ p sync.Pool }

// Get returns a buffer with any contents.
func (p *Buffers) Get() *[bufferSize]byte {
	if b, ok := p.p.Get().(*[bufferSize]byte); ok {
		return b
	}
	return new([bufferSize]byte)
}

// Put takes a buffer back.
func (p *Buffers) Put(b *[bufferSize]byte) { p.p.Put(b) }
