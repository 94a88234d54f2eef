// HTTP, repeat: a request that was sent on a kept connection which the destination has closed
// meanwhile.

package proxy

import (
	"context"
	"net/http"

	"sallyport/rules"
)

// mayRepeat reports whether a request that got no answer is repeated, once, on a new connection.
// A destination may close a kept connection at any time, also while a request is on its way. So the
// request must have been sent on a kept connection, and not one byte of an answer may have come.
// Only a method that may be carried out twice is repeated (RFC 9110, section 9.2.2), and any other
// only if nothing of it was sent. A body is not kept, so a request with one is not repeated.
func (g *grant) mayRepeat(ctx context.Context, err error) bool {
	u := g.up
	if !g.lost || g.repeated || !u.reused || u.heard.Load() || g.head.HasBody() || timedOut(err) || ctx.Err() != nil ||
		g.s.guard.EndedBy() != rules.EndClean || !idempotent(g.head.Method) && u.told.Load() {
		return false
	}
	g.repeated, g.lost = true, false
	return true
}

// idempotent reports whether a request with the method may be carried out twice.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// judgeAgain asks the generation in force about a request that is to be repeated, if the
// generation has changed. The error is a *deniedError.
func (g *grant) judgeAgain() error {
	a := g.s.p.withCurrent(g.s.c, g.a)
	if a.Generation == g.a.Generation {
		return nil // connected asks again in any case
	}
	a.Provisional = true
	d := g.s.p.cfg.Gate.Decide(a)
	if !d.Allowed() {
		return &deniedError{a, d}
	}
	g.a, g.d = a, d
	return nil
}

// reconnect connects for a request that is repeated. The flow of the request records how it ends.
func (s *session) reconnect(ctx context.Context, g *grant) (link, rules.Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, s.p.limits.Dial)
	defer cancel()
	return s.p.dialGranted(ctx, g.d, g.a, g.plain())
}
