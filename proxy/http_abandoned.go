// HTTP, abandoned: records the end of a granted request that ends without a connection, exactly
// once.

package proxy

import (
	"cmp"
	"context"
	"sync"
	"time"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// A dialState is the state of a granted request's dial. net/http abandons the request when the
// client leaves; the dial may still run then.
type dialState struct {
	mu       sync.Mutex
	dialing  bool // a dial is under way
	recorded bool // the end of the dial is recorded, or will be recorded with the flow
	over     bool // the request has ended
	used     int  // connections that the request was to be sent on
	repeats  int  // how many more than one are permitted; see mayRepeat
}

// dialFor dials for g. The dialer records a failure. A connection that comes after the request
// has ended is closed: no other request may use it.
func (s *session) dialFor(ctx context.Context, g *grant) (link, rules.Attempt, error) {
	late, early, again := false, false, false
	g.dialState.set(func(w *dialState) {
		late, early, again = w.over, w.used > w.repeats, w.repeats > 0
		w.dialing = !w.over && !early
	})
	switch {
	case late:
		return link{}, g.a, head.ErrGone
	case early: // net/http itself repeats the request
		return link{}, g.a, errRepeat
	}
	connect := s.from.connect
	if again {
		connect = s.reconnect
	}
	up, a, err := connect(ctx, g)
	g.dialState.set(func(w *dialState) {
		w.dialing, w.recorded = false, w.recorded || err != nil
		late = w.over && err == nil
	})
	if late {
		up.Close()
		if g.s.from.tunnel() == nil {
			g.recordGone()
		}
		return link{}, a, head.ErrGone
	}
	return up, a, err
}

// abandon is called at the end of every request. It records the end of the
// request if nothing else has recorded it or will record it.
func (g *grant) abandon() {
	silent := false
	g.dialState.set(func(w *dialState) {
		w.over = true
		silent = !w.recorded && !w.dialing
	})
	if silent && g.fault.Load() == nil && g.s.from.tunnel() == nil {
		g.recordGone()
	}
}

// recordGone records that a granted request ended without a connection.
func (g *grant) recordGone() {
	g.s.p.closed(rules.Close{Attempt: g.a, Decision: g.d, Started: g.began.UnixNano(), Duration: int64(time.Since(g.began)),
		Cause: cmp.Or(g.s.guard.EndedBy(), rules.EndGone)})
}

func (w *dialState) set(change func(*dialState)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}
