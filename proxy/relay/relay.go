// Relay: runs two directions, watches both, and reports why they ended.

package relay

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// Why a direction ended without having copied to the end.
var (
	errStopped = errors.New("stopped")
	errBroken  = errors.New("broken off")
)

// An Owner is the flow that a relay serves.
type Owner interface {
	Abort(rules.Cause) // resets both ends; may be called at any time and more than once; only the first cause counts
	Recover()          // recovers from a panic; deferred on the relay's own goroutine
}

// An Inspector sees the bytes of a direction before they are passed on.
type Inspector interface {
	Begin() error                            // called before the first read; io.EOF: the source has ended
	Inspect(b []byte) (more bool, err error) // more: the next bytes must be inspected too; on an error nothing is passed on
	End() error                              // called at the end of the source; on an error the end is not passed on
}

// Limits bound a relay in time.
type Limits struct {
	Idle       time.Duration // no byte in either direction
	HalfClosed time.Duration // one direction closed, the other idle
	Slice      time.Duration // one splice; after it bytes are counted, and a quiet direction returns its pipe
}

// A Config has everything that a relay works with.
type Config struct {
	Owner               Owner          // the flow
	Client, Destination *net.TCPConn   // the two ends
	ClientTLS           *tls.Conn      // the layer on Client that carries the bytes, on a Wire; nil: none
	Secure              *tls.Conn      // the layer on Destination that carries the bytes, on a Wire; nil: none
	In, Out             *atomic.Uint64 // bytes from the client, and bytes to it
	Started             time.Time      // when the flow began
	Limits              Limits         // all set
	Buffers             *Buffers       // shared by all relays
}

// A Relay is the two directions of one tunnel, and the watch over both.
//
// A direction ends cleanly when its source does; that half-close is passed on. Any error resets
// both ends. There are no deadlines on writes, and none on reads except in a slice, so that a
// timeout can only mean "nothing to read": a write that timed out half-way could not be
// continued. One timer watches both directions for idleness, and resets an idle relay.
type Relay struct {
	cfg      Config
	Up, Down Direction    // client to destination, and back
	active   atomic.Int64 // when a byte moved last, in nanoseconds since Config.Started
	ended    atomic.Int32 // directions that ended cleanly
	over     atomic.Bool  // Finish was called
	timer    *time.Timer
	finished chan struct{} // closed when Down has returned; nil: not started
	err      error         // the error of the direction Down
}

// Start prepares the relay and starts its idle limit. The caller must call Finish.
func (r *Relay) Start(cfg Config) {
	r.cfg = cfg
	r.Up.r, r.Up.dst, r.Up.src, r.Up.n = r, cfg.Destination, cfg.Client, cfg.In
	r.Up.from, r.Up.to, r.Down.from, r.Down.to = cfg.ClientTLS, cfg.Secure, cfg.Secure, cfg.ClientTLS
	r.Up.wire, r.Down.wire = wire(cfg.ClientTLS), wire(cfg.Secure)
	r.Down.r, r.Down.dst, r.Down.src, r.Down.n = r, cfg.Client, cfg.Destination, cfg.Out
	r.MarkActive()
	r.timer = time.AfterFunc(r.limit(), r.watch)
}

// StartDown starts the destination's direction.
func (r *Relay) StartDown() {
	r.finished = make(chan struct{})
	go r.runDown()
}

func (r *Relay) runDown() {
	defer close(r.finished)
	defer r.cfg.Owner.Recover()
	r.err = errBroken // if run panics
	r.err = r.Down.run()
}

// AwaitDown waits until the destination's direction has ended, and returns its error.
func (r *Relay) AwaitDown() error {
	<-r.finished
	return r.err
}

// Run copies until both directions have ended, and returns why.
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

// stopWrite is how long StopDown waits for a write to a client that does not read.
const stopWrite = time.Second

// StopDown stops the destination's direction between two bytes. It reports whether that was
// possible: it is not if the direction has ended by itself.
func (r *Relay) StopDown() bool {
	r.Down.stopping.Store(true)
	r.Down.src.SetReadDeadline(time.Unix(1, 0))
	r.Down.dst.SetWriteDeadline(time.Now().Add(stopWrite))
	<-r.finished
	r.Down.src.SetReadDeadline(time.Time{})
	r.Down.dst.SetWriteDeadline(time.Time{})
	return errors.Is(r.err, errStopped)
}

// ResumeDown undoes StopDown.
func (r *Relay) ResumeDown() {
	r.Down.stopping.Store(false)
	r.StartDown()
}

// HalfEnded reports whether a direction has ended cleanly.
func (r *Relay) HalfEnded() bool { return r.ended.Load() > 0 }

// EndUp passes on the end of the client's bytes, without reading up to it.
func (r *Relay) EndUp() error { return r.Up.end() }

// Finish ends the watch.
func (r *Relay) Finish() {
	r.over.Store(true)
	r.timer.Stop()
}

// now returns the relay's clock: nanoseconds since the flow began, never 0.
func (r *Relay) now() int64 { return int64(time.Since(r.cfg.Started)) + 1 }

// MarkActive records that something moved.
func (r *Relay) MarkActive() int64 {
	now := r.now()
	r.active.Store(now)
	return now
}

// limit returns how long the relay may be idle.
func (r *Relay) limit() time.Duration {
	l := r.cfg.Limits
	if r.ended.Load() > 0 {
		return min(l.HalfClosed, l.Idle)
	}
	return l.Idle
}

// slice returns how long one splice may take.
func (r *Relay) slice() time.Duration { return min(r.cfg.Limits.Slice, r.limit()/2) }

// watch runs when the relay may have been idle for too long. A direction whose write has lasted
// that long counts as idle too, whatever the other direction does.
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

// Buffers holds relay buffers that are not in use. Its zero value is ready.
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
