// HTTP, abandoned: a granted request that ends before a connection is in its
// hand has its end on record, too, and once.

package proxy

import (
	"cmp"
	"context"
	"net"
	"sync"
	"time"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// A dialState is a granted request's search for a connection. net/http gives it up
// where the client leaves; the dialer may still be at work then.
type dialState struct {
	mu       sync.Mutex
	dialing  bool // the dialer will tell, or has to be told that the request is over
	recorded bool // how the search ended is on record, or becomes so with the flow
	over     bool // the request is
}

// dialFor dials for g. The dialer has a failure put on record; what it connects
// when the request is over already is of no use to any other.
func (s *session) dialFor(ctx context.Context, g *grant) (*net.TCPConn, rules.Attempt, error) {
	late := false
	g.dialState.set(func(w *dialState) { late, w.dialing = w.over, !w.over })
	if late {
		return nil, g.a, head.ErrGone
	}
	tcp, a, err := s.from.connect(ctx, g)
	g.dialState.set(func(w *dialState) {
		w.dialing, w.recorded = false, w.recorded || err != nil
		late = w.over && err == nil
	})
	if late {
		tcp.Close()
		if g.s.from.tunnel() == nil {
			g.recordGone()
		}
		return nil, a, head.ErrGone
	}
	return tcp, a, err
}

// abandon is called at the end of every request.
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

// recordGone puts on record that a granted request ended without a connection.
func (g *grant) recordGone() {
	g.s.p.closed(rules.Close{Attempt: g.a, Decision: g.d, Started: g.began.UnixNano(), Duration: int64(time.Since(g.began)),
		Cause: cmp.Or(g.s.guard.EndedBy(), rules.EndGone)})
}

func (w *dialState) set(change func(*dialState)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}
