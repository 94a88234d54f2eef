// HTTP, abandoned: records the end of a granted request that ends without a connection, exactly
// once.

package proxy

import (
	"cmp"
	"context"
	"errors"
	"time"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// dialFor dials for g. The dialer records a failure. If the client leaves meanwhile, the dial ends,
// and abandon records that.
func (s *session) dialFor(ctx context.Context, g *grant) (link, rules.Attempt, error) {
	connect := s.from.connect
	if g.repeated {
		connect = s.reconnect
	}
	up, a, err := connect(ctx, g)
	g.recorded = g.recorded || err != nil && !errors.Is(err, head.ErrGone)
	return up, a, err
}

// clientLeft reports whether a dial ended because the client of its request has left.
func clientLeft(ctx context.Context) bool {
	_, request := ctx.Value(grantKey{}).(*grant)
	return request && errors.Is(ctx.Err(), context.Canceled)
}

// abandon is called at the end of every request. It records the end of the request if nothing else
// has recorded it or will record it.
func (g *grant) abandon() {
	if !g.recorded && g.fault.Load() == nil && g.s.from.tunnel() == nil {
		g.s.p.closed(rules.Close{Attempt: g.a, Decision: g.d, Started: g.began.UnixNano(), Duration: int64(time.Since(g.began)),
			Cause: cmp.Or(g.s.guard.EndedBy(), rules.EndGone)})
	}
}
