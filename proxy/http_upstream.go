// HTTP upstream: a session's connections to its destinations, and the final question before a
// byte is sent on one.

package proxy

import (
	"bufio"
	"bytes"
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
	tcp, a, err := s.dialFor(ctx, g)
	if err != nil {
		return nil, err
	}
	return s.upstream(tcp, a)
}

// roundTrip sends a granted request to its destination. It always returns a response.
func (g *grant) roundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	trace := httptrace.ClientTrace{
		GotConn:        func(i httptrace.GotConnInfo) { g.connected(i.Conn, cancel) },
		Got100Continue: func() { g.out.interim(http.StatusContinue, nil) }, // before the body is read
		Got1xxResponse: g.interim,
	}
	resp, err := g.s.transport().RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, &trace)))
	g.out.settle()
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
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
	g.returned(resp.Header)
	if len(resp.TransferEncoding) > 0 {
		g.out.pieces = new(head.Pieces)
	}
	resp.Body = &body{ReadCloser: resp.Body, g: g, up: g.up, cancel: cancel}
	// This is a copy, because net/http later adds the trailers to the original. Trailers are not
	// forwarded: a client could take them for fields that only this proxy may set.
	out := *resp
	out.Trailer = nil
	return &out, nil
}

// interim forwards an interim response, unless the client speaks HTTP/1.0, which has none.
func (g *grant) interim(status int, header textproto.MIMEHeader) error {
	if !g.head.HTTP11 {
		return nil
	}
	h := http.Header(header)
	g.returned(h)
	return g.out.interim(status, h)
}

// errUpgrade refuses a 101 response: no Upgrade was forwarded.
var errUpgrade = errors.New("destination switched protocols without a request for that")

// connected asks the final question. The connection is ready, new or reused, and no byte of the
// request has been sent on it. The question is final only once. If net/http repeats the request on
// another connection, the question is provisional.
func (g *grant) connected(conn net.Conn, cancel context.CancelCauseFunc) {
	u := conn.(*upstream)
	g.up = u
	g.dialState.set(func(w *dialState) { w.recorded = true })
	a := g.a
	a.Dest, a.Resolved, a.Mismatch, a.Provisional = u.dest, u.resolved, u.mismatch, g.final
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
		g.flow, g.own = g.s.p.openFlow(g.s.c, u.conn, a, d), true
	default:
		g.flow.setDecision(a, d)
	}
	if g.flow.outdated() {
		peek.Reset(u.conn) // u.conn need not be the flow's first connection
		cancel(net.ErrClosed)
	}
	u.flow.Store(g.flow)
}

// end reports the end of a request that was finally allowed.
func (g *grant) end() {
	g.abandon()
	if !g.own {
		return
	}
	cause := g.s.guard.EndedBy()
	if cause == rules.EndClean && g.cut.Load() {
		cause = rules.EndReset
	}
	g.flow.done(cause)
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
	if err != nil && err != io.EOF {
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

// failed returns the proxy's answer to a request if the destination did not answer.
func (g *grant) failed(r *http.Request, err error) (*http.Response, error) {
	var b bytes.Buffer
	var denied *deniedError
	var dial *dialError
	json := g.head.WantsJSON()
	switch fault := g.fault.Load(); {
	case fault != nil:
		b.Write(refusal(&g.head, fault.a, fault.d))
	case errors.As(err, &denied):
		b.Write(refusal(&g.head, denied.a, denied.d))
		if f := g.s.from.tunnel(); f != nil && g.s.guard.Heads == 1 {
			f.setDecision(denied.a, denied.d)
		}
	case errors.As(err, &dial):
		writeFailure(&b, dial, g.a, json)
	case timedOut(err):
		g.upstreamPage(&b, http.StatusGatewayTimeout, "timeout", json)
	default:
		g.upstreamPage(&b, http.StatusBadGateway, "no valid answer", json)
	}
	resp, err := http.ReadResponse(bufio.NewReader(&b), r)
	if err == nil {
		resp.Header.Set("Connection", "close") // ReadResponse has used the field up
	}
	return resp, err
}

func (g *grant) upstreamPage(b *bytes.Buffer, status int, reason string, json bool) {
	page := errorBody{Error: "upstream", Reason: reason}
	page.Host, page.Port = wanted(g.a)
	writePage(b, status, page, json)
}
