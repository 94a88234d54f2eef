// HTTP upstream: a session's connections to its destinations, and the final question before a
// byte is sent on one.

package proxy

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/textproto"

	"github.com/elazarl/goproxy"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// connectionFor returns a connection for a granted request: one that waits, or a new one. A request
// that is repeated gets a new one.
func (s *session) connectionFor(ctx context.Context, g *grant) (*upstream, error) {
	if !g.repeated {
		if u := s.waiting(g); u != nil {
			u.reused = true
			return u, nil
		}
	}
	up, a, err := s.dialFor(ctx, g)
	if err != nil {
		return nil, err
	}
	return s.upstream(up, a, g.host)
}

// roundTrip sends a granted request to its destination. It always returns a response, except after
// a 101.
func (g *grant) roundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	if g.answered != nil {
		return g.answered, g.answerErr
	}
	g.url, g.field = r.URL, r.Header
	g.s.keepWay(g)
	g.wantTrailers(r.Header)
	resp, err := g.trip(r)
	if err != nil && g.mayRepeat(r.Context(), err) {
		if err = g.judgeAgain(); err == nil {
			resp, err = g.trip(r)
		}
	}
	g.out.settle()
	if err != nil {
		err = g.parentEnded(r.Context(), err)
	}
	if err == nil && g.up.link.absolute && resp.StatusCode == http.StatusProxyAuthRequired {
		resp.Body.Close()
		err = g.loginRefused()
	}
	if err == nil && resp.StatusCode < http.StatusOK {
		if g.accepts(resp) && resp.Body.(*body).x.handOver() && g.switchProtocols(resp) {
			return nil, nil
		}
		resp.Body.Close()
		g.up.Close()
		err = errUpgrade
	}
	if err != nil {
		return g.failed(r, err)
	}
	g.up.serial.Store(0) // the rest of the request's body may still come, and is judged
	g.announceTrailers(resp)
	g.returned(resp.Header)
	if len(resp.TransferEncoding) > 0 {
		g.out.pieces = new(head.Pieces)
	}
	g.hideLogin(resp)
	// This is a copy, because net/http later adds the trailers to the original.
	out := *resp
	out.Trailer = nil
	return &out, nil
}

// interim forwards an interim response, unless the client speaks HTTP/1.0, which has none.
func (g *grant) interim(status int, header textproto.MIMEHeader) error {
	h := http.Header(header)
	if g.head.HTTP11 {
		g.returned(h)
	}
	return g.out.interim(status, h, g.head.HTTP11)
}

// connected asks the final question. The connection is ready, new or not, and no byte of the
// request has been sent on it. The question is final only once. If the request is repeated on
// another connection, the question is provisional. If connected returns an error, the connection is
// not used.
func (g *grant) connected(u *upstream) error {
	g.recorded, g.up = true, u
	u.begin(g.s.guard)
	a := g.a
	a.Dest, a.Resolved, a.Mismatch, a.Parent, a.Provisional = u.dest, u.resolved, u.mismatch, u.link.parent, g.final
	g.forParent(u)
	if a.Unproven = u.unproven != ""; a.Unproven {
		a.Detail = u.unproven
	}
	d := g.s.p.cfg.Gate.Decide(a)
	if !d.Allowed() {
		peek.Reset(u.conn)
		return &deniedError{a, d}
	}
	g.final, a.Provisional = true, false
	switch {
	case g.s.from.tunnel() != nil:
		g.flow = g.s.from.tunnel()
		g.flow.setDecision(a, d)
	case g.flow == nil:
		g.flow, g.own = g.s.p.openFlow(g.s.c, u.link, a, d), true
	default:
		g.flow.setDecision(a, d)
	}
	g.flow.reconnected(u.link)
	if g.flow.outdated() {
		return net.ErrClosed
	}
	u.flow.Store(g.flow)
	return nil
}

// end reports the end of a request that was finally allowed.
func (g *grant) end() {
	g.abandon()
	if !g.own || g.s.switched == g {
		return
	}
	g.flow.done(g.cause())
}

// cause returns why the request ended as it did.
func (g *grant) cause() rules.Cause {
	cause := g.s.guard.EndedBy()
	switch {
	case g.refused != nil:
		g.flow.refusedBy(g.refused)
		cause = g.refused.cause
	case cause != rules.EndClean:
	case g.failure != rules.EndClean:
		cause = g.failure
	case g.cut.Load():
		cause = rules.EndReset
	}
	return cause
}

// A body is the body of an answer. Its end is the end of the trip.
type body struct {
	io.ReadCloser
	x   *trip
	err error // of the last Read
}

// Read reads the body, and flushes the response before it waits. If the body breaks off, the
// response to the client breaks off too.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	x := b.x
	x.u.answer.Store(x.g.out)
	n, err := b.read(p)
	x.u.answer.Store(nil)
	switch b.err = err; {
	case err == io.EOF:
		x.g.out.trail()
		x.done(true)
	case err != nil:
		x.g.cut.Store(true)
		x.done(false)
	}
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	if pieces := b.x.g.out.pieces; pieces != nil {
		return pieces.Read(p, b.ReadCloser.Read, b.x.u.atHand)
	}
	return b.ReadCloser.Read(p)
}

// Close ends the trip. What was not read of the body is not read any more.
func (b *body) Close() error {
	b.x.done(b.ReadCloser == http.NoBody)
	b.err = cmp.Or(b.err, net.ErrClosed)
	return nil
}
