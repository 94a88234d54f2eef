// HTTP upstream: the connections of one session to its destinations, and the
// final question before a byte is on one of them.

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
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/elazarl/goproxy"

	"sallyport/rules"
)

// Limits of what a destination may send or keep us waiting for.
const (
	maxResponseHead = 64 << 10
	continueWait    = time.Second // for 100 Continue, before the body is sent anyway
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
			IdleConnTimeout:        min(s.p.limits.Idle, maxKeepAlive),
			ResponseHeaderTimeout:  s.p.limits.Idle,
			ExpectContinueTimeout:  continueWait,
			MaxResponseHeaderBytes: maxResponseHead,
		}
	}
	return s.up
}

// dial connects to what the current request was granted and to nothing else.
func (s *session) dial(ctx context.Context, _, addr string) (conn net.Conn, err error) {
	defer func() {
		if v := recover(); v != nil { // on a goroutine of Transport's, that would be the end
			s.guard.panicked = fmt.Errorf("%v\n%s", v, debug.Stack())
			err = errors.New("internal error")
		}
	}()
	g, ok := ctx.Value(grantKey{}).(*grant)
	if !ok || g.host != addr {
		return nil, errors.New("not granted")
	}
	var tcp *net.TCPConn
	var a rules.Attempt
	switch {
	case s.in == nil:
		tcp, a, err = s.p.dial(ctx, g.d, g.a)
	case s.redirected():
		tcp, a, _, err = s.p.dialJudged(ctx, g.d, g.a, false)
	case s.used.CompareAndSwap(false, true):
		tcp, a = s.in.upstream, s.in.attempt
	default: // the tunnel itself reports how the flow ends
		ctx, cancel := context.WithTimeout(ctx, s.p.limits.Dial)
		defer cancel()
		tcp, a, err = s.p.dialGranted(ctx, g.d, g.a)
	}
	if err != nil {
		return nil, err
	}
	return s.upstream(tcp, a), nil
}

// An upstream is a connection that carries requests of one session to one
// destination. It holds its TCP connection, never embeds it.
type upstream struct {
	conn     *net.TCPConn
	dest     netip.AddrPort
	resolved []netip.Addr
	mismatch bool // as in rules.Attempt
	idle     time.Duration
	flow     atomic.Pointer[flow] // what its bytes count for
}

func (s *session) upstream(conn *net.TCPConn, a rules.Attempt) *upstream {
	return &upstream{conn: conn, dest: a.Dest, resolved: a.Resolved, mismatch: a.Mismatch, idle: s.p.limits.Idle}
}

func (u *upstream) Read(b []byte) (int, error) {
	u.conn.SetReadDeadline(time.Now().Add(u.idle))
	n, err := u.conn.Read(b)
	if f := u.flow.Load(); f != nil {
		f.out.Add(uint64(n))
	}
	return n, err
}

// Write also gives a Read that waits for the answer its time anew.
func (u *upstream) Write(b []byte) (int, error) {
	u.conn.SetDeadline(time.Now().Add(u.idle))
	n, err := u.conn.Write(b)
	if f := u.flow.Load(); f != nil {
		f.in.Add(uint64(n))
	}
	return n, err
}

func (u *upstream) Close() error                       { return u.conn.Close() }
func (u *upstream) LocalAddr() net.Addr                { return u.conn.LocalAddr() }
func (u *upstream) RemoteAddr() net.Addr               { return u.conn.RemoteAddr() }
func (u *upstream) SetDeadline(t time.Time) error      { return u.conn.SetDeadline(t) }
func (u *upstream) SetReadDeadline(t time.Time) error  { return u.conn.SetReadDeadline(t) }
func (u *upstream) SetWriteDeadline(t time.Time) error { return u.conn.SetWriteDeadline(t) }

// roundTrip takes a granted request to its destination. It always answers.
func (g *grant) roundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	trace := httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { g.connected(i.Conn, cancel) }}
	resp, err := g.s.transport().RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, &trace)))
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
	stripHop(resp.Header)
	resp.Header.Del("X-Sallyport-Reason") // ours to say
	resp.Header.Del("X-Sallyport-Fault")
	resp.Header.Del("X-Sallyport-Hint")
	addVia(resp.Header, "1.1 "+g.s.p.engine.name)
	resp.Body = &body{ReadCloser: resp.Body, g: g, cancel: cancel}
	// A copy: net/http puts the trailers into the original when it meets them.
	// They are not forwarded, as what they say could be ours.
	out := *resp
	out.Trailer = nil
	return &out, nil
}

// errUpgrade refuses a 101 that nobody asked for: no upgrade was forwarded.
var errUpgrade = errors.New("destination switched protocols unasked")

// connected asks the final question: the connection is in hand, new or used
// before, and nothing of the request is on it yet. It is asked once; on a
// repetition that net/http makes after a stale connection, provisionally.
func (g *grant) connected(conn net.Conn, cancel context.CancelCauseFunc) {
	u := conn.(*upstream)
	a := g.a
	a.Dest, a.Resolved, a.Mismatch, a.Provisional = u.dest, u.resolved, u.mismatch, g.final
	d := g.s.p.cfg.Gate.Decide(a)
	if !d.Allowed() {
		reset(u.conn)
		cancel(&deniedError{a, d})
		return
	}
	g.final, a.Provisional = true, false
	switch {
	case g.s.tunnelFlow() != nil:
		g.flow = g.s.in.flow
		g.flow.judged(a, d)
	case g.flow == nil:
		g.flow, g.own = g.s.p.openFlow(g.s.c, u.conn, a, d), true
	default:
		g.flow.judged(a, d)
	}
	if g.flow.outdated() {
		reset(u.conn) // which need not be the flow's first one
		cancel(net.ErrClosed)
	}
	u.flow.Store(g.flow)
}

// end reports how a request ended that had its final allow.
func (g *grant) end() {
	if !g.own {
		return
	}
	cause := rules.EndClean
	if g.cut.Load() {
		cause = rules.EndReset
	}
	g.flow.done(cause)
}

// A body is a response body that remembers whether it broke off.
type body struct {
	io.ReadCloser
	g      *grant
	cancel context.CancelCauseFunc
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.g.cut.Store(true)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// failed is the answer to a request that did not get one.
func (g *grant) failed(r *http.Request, err error) (*http.Response, error) {
	var b bytes.Buffer
	var denied *deniedError
	var dial *dialError
	json := g.head.wantsJSON()
	switch fault := g.fault.Load(); {
	case fault != nil:
		b.Write(refusal(&g.head, fault.a, fault.d))
	case errors.As(err, &denied):
		b.Write(refusal(&g.head, denied.a, denied.d))
		if f := g.s.tunnelFlow(); f != nil && g.s.guard.heads == 1 {
			f.judged(denied.a, denied.d)
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
		resp.Header.Set("Connection", "close") // ReadResponse takes it for its own
	}
	return resp, err
}

func (g *grant) upstreamPage(b *bytes.Buffer, status int, reason string, json bool) {
	page := errorBody{Error: "upstream", Reason: reason}
	page.Host, page.Port = wanted(g.a)
	writePage(b, status, page, json)
}
