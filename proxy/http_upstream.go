// HTTP upstream: a session's connections to its destinations, and the final question before a
// byte is sent on one.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime/debug"
	"time"

	"github.com/elazarl/goproxy"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// Limits of what a destination may send, and of how long it may keep a client waiting.
const (
	maxResponseHead = 64 << 10
	continueWait    = time.Second // how long to wait for 100 Continue; then the body is sent anyway
)

// transport returns the session's own pool of connections.
func (s *session) transport() *http.Transport {
	if s.up == nil {
		s.up = &http.Transport{
			DialContext:            s.dial,
			DialTLSContext:         noDial,
			DisableCompression:     true,
			MaxIdleConns:           2, // each costs 16 KiB and a descriptor; see neededDescriptors
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        min(s.p.limits.Idle, head.MaxKeepAlive),
			ResponseHeaderTimeout:  s.p.limits.Idle,
			ExpectContinueTimeout:  continueWait,
			MaxResponseHeaderBytes: maxResponseHead,
		}
	}
	return s.up
}

// dial connects to the destination of the current grant and to nothing else.
func (s *session) dial(ctx context.Context, _, addr string) (conn net.Conn, err error) {
	defer func() {
		if v := recover(); v != nil { // net/http does not recover on this goroutine
			s.guard.Panicked = fmt.Errorf("%v\n%s", v, debug.Stack())
			err = errors.New("internal error")
		}
	}()
	g, ok := ctx.Value(grantKey{}).(*grant)
	if !ok || g.host != addr {
		return nil, errors.New("no grant for this destination")
	}
	up, a, err := s.dialFor(ctx, g)
	if err != nil {
		return nil, err
	}
	return s.upstream(up, a)
}

// roundTrip sends a granted request to its destination. It always returns a response, except after
// a 101.
func (g *grant) roundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	if g.answered != nil {
		return g.answered, g.answerErr
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	trace := httptrace.ClientTrace{
		GotConn:        func(i httptrace.GotConnInfo) { g.connected(i, cancel) },
		Got100Continue: g.out.proceed, // before the body is read
		Got1xxResponse: g.interim,
	}
	g.url, g.field = r.URL, r.Header
	g.s.keepWay(g)
	g.wantTrailers(r.Header)
	traced := r.WithContext(httptrace.WithClientTrace(ctx, &trace))
	resp, err := g.s.transport().RoundTrip(traced)
	if err != nil && g.mayRepeat(ctx, err) {
		if err = g.judgeAgain(); err == nil {
			resp, err = g.s.transport().RoundTrip(traced)
		}
	}
	g.out.settle()
	if err != nil {
		err = g.parentEnded(ctx, err)
	}
	if err == nil && g.up.link.absolute && resp.StatusCode == http.StatusProxyAuthRequired {
		resp.Body.Close()
		err = g.loginRefused()
	}
	if err == nil && resp.StatusCode < http.StatusOK {
		if g.accepts(resp) && g.switchProtocols(resp) {
			return nil, nil
		}
		resp.Body.Close()
		err = errUpgrade
	}
	if err != nil {
		var denied *deniedError
		if errors.As(context.Cause(ctx), &denied) {
			err = denied
		}
		cancel(nil)
		return g.failed(r, err)
	}
	g.up.serial.Store(0) // the rest of the request's body may still come, and is judged
	g.announceTrailers(resp)
	g.returned(resp.Header)
	if len(resp.TransferEncoding) > 0 {
		g.out.pieces = new(head.Pieces)
	}
	g.hideLogin(resp)
	resp.Body = &body{ReadCloser: resp.Body, g: g, up: g.up, cancel: cancel}
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

// connected asks the final question. The connection is ready, new or reused, and no byte of the
// request has been sent on it. The question is final only once. If the request is repeated on
// another connection, the question is provisional.
func (g *grant) connected(i httptrace.GotConnInfo, cancel context.CancelCauseFunc) {
	u := i.Conn.(*upstream)
	early := false
	g.dialState.set(func(w *dialState) {
		early = w.used > w.repeats
		w.recorded, w.used = true, w.used+1
	})
	if early { // net/http itself repeats the request
		peek.Reset(u.conn)
		cancel(errRepeat)
		return
	}
	g.up = u
	u.begin(i.Reused)
	a := g.a
	a.Dest, a.Resolved, a.Mismatch, a.Parent, a.Provisional = u.dest, u.resolved, u.mismatch, u.link.parent, g.final
	g.forParent(u)
	if a.Unproven = u.unproven != ""; a.Unproven {
		a.Detail = u.unproven
	}
	d := g.s.p.cfg.Gate.Decide(a)
	if !d.Allowed() {
		peek.Reset(u.conn)
		cancel(&deniedError{a, d})
		return
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
		cancel(net.ErrClosed)
	}
	u.flow.Store(g.flow)
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

// A body is a response body that records whether it was cut.
type body struct {
	io.ReadCloser
	g      *grant
	up     *upstream
	cancel context.CancelCauseFunc
}

// Read reads the body, and flushes the response before it waits.
func (b *body) Read(p []byte) (int, error) {
	b.up.answer.Store(b.g.out)
	n, err := b.read(p)
	b.up.answer.Store(nil)
	switch {
	case err == io.EOF:
		b.g.out.trail()
	case err != nil:
		b.g.cut.Store(true)
	}
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	if pieces := b.g.out.pieces; pieces != nil {
		return pieces.Read(p, b.ReadCloser.Read, b.up.atHand)
	}
	return b.ReadCloser.Read(p)
}

// Close ends the request.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
