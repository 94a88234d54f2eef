// HTTP: decides on each request of a connection, whether the connection came
// to the proxy itself or runs through a tunnel.

package proxy

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// ServeHTTP serves proxy clients on l until ctx ends or Drain begins:
// absolute-form requests and CONNECT.
func (p *Proxy) ServeHTTP(ctx context.Context, l net.Listener) error {
	return p.serve(ctx, l, frontEnd{via: rules.ViaHTTP, handle: p.handleHTTPConn, refuse: refuseHTTP})
}

// refuseHTTP tells a client that was not admitted, without waiting for it.
func refuseHTTP(c *client, a rules.Attempt, d rules.Decision) {
	c.TCP.SetWriteDeadline(time.Now().Add(time.Second))
	writeError(c.TCP, statusOf(a, d), a, d, false)
}

// handleHTTPConn serves a connection to the proxy: any number of requests in
// absolute-form, and a CONNECT, which ends it.
func (p *Proxy) handleHTTPConn(ctx context.Context, c *client) {
	s := newSession(ctx, p, c, proxySource{})
	s.serve()
	if h := s.guard.Connect; h != nil {
		p.connect(ctx, c, *h)
	}
}

// serveHTTP serves requests on a connection of which the beginning of a first
// head is in c.Bytes, until the connection is done. The requests come from a
// tunnel or a redirected connection.
//
// Each request is one question for the policy. It is asked provisionally when
// the head is whole, which finds every denial that the head can show, and
// finally when an upstream connection is in hand and no byte of the request is
// on it; so an allow is journaled once, with the address that it went to. A
// denial answers, closes, and nothing behind it is read.
//
// It returns why the last request ended before its answer did, EndClean if it did
// not.
func (p *Proxy) serveHTTP(ctx context.Context, c *client, from source) rules.Cause {
	s := newSession(ctx, p, c, from)
	s.serve()
	return s.guard.EndedBy()
}

// A session is the requests of one client connection. Its upstream connections
// are its own: no other client's request travels on them.
type session struct {
	p     *Proxy
	c     *client
	from  source
	ctx   context.Context
	guard *head.Guard

	granted *grant          // the request that net/http is about to serve
	last    *grant          // the guard's: the request whose body it reads, served or not
	up      *http.Transport // made for the first request
}

// A grant is a request that was allowed, for one use.
type grant struct {
	s    *session
	head head.Head
	a    rules.Attempt
	d    rules.Decision // the first answer
	host string         // host:port to connect to, canonical

	began     time.Time // when net/http began to serve it
	dialState dialState

	final bool                        // the final question was asked
	flow  *flow                       // from the final allow on
	up    *upstream                   // what it travels on, from then on
	out   *answer                     // what its client is told
	own   bool                        // flow is this request's and not the tunnel's
	fault atomic.Pointer[deniedError] // the answer to a body that broke its framing
	cut   atomic.Bool                 // the answer ended before its end
}

func newSession(ctx context.Context, p *Proxy, c *client, from source) *session {
	s := &session{p: p, c: c, from: from, ctx: ctx}
	limits := head.Limits{Head: p.limits.Head, Idle: p.limits.Idle, HalfClosed: p.limits.HalfClosed}
	from.limits(&limits, p)
	s.guard = head.NewGuard(&c.Conn, s, limits)
	return s
}

// Await waits for the first bytes of a request. A client that sends none at all is only counted.
func (s *session) Await(limit int) error {
	err := s.p.await(s.c, limit)
	if err != nil && s.guard.Heads == 0 {
		s.p.count.empty.Add(1)
	}
	return err
}

// serve returns when no more requests come or may come. A first head that is
// refused, and a CONNECT, never reach net/http.
func (s *session) serve() {
	if s.guard.NextHead() == nil {
		s.p.engine.serve(s)
		if s.up != nil {
			s.up.CloseIdleConnections()
		}
	}
	if s.guard.Panicked != nil {
		panic(s.guard.Panicked)
	}
}

// Judge is the guard's question about the next head, or about a fault. A nil
// head is a fault in the body of the current request.
func (s *session) Judge(h *head.Head, fault rules.Reason, detail string) bool {
	if h == nil {
		s.bodyFault(fault, detail)
		return false
	}
	a := s.from.ask(s, h, s.guard.Heads == 0)
	a.Fault, a.Detail = fault, detail
	if h.Raw != "" {
		a.Raw = []byte(h.Raw)
	}
	if fault == rules.ReasonNone {
		a.Fault, a.Detail = s.unfit(h)
	}
	// Port 443 demands TLS, which a request is not: no need to connect first.
	a.Provisional = a.Fault == rules.ReasonNone && a.Dest.Port() != portTLS
	d := s.p.decide(s.c, a)
	if !d.Allowed() {
		s.refuse(h, a, d)
		return false
	}
	s.last = &grant{s: s, head: *h, a: a, d: d, host: s.from.target(h, &a).String(), final: !a.Provisional}
	s.granted = s.last
	s.c.again.Store(true)
	return true
}

// unfit tells why a well-formed request cannot be served here.
func (s *session) unfit(h *head.Head) (rules.Reason, string) {
	if detail := s.from.misplaced(h); detail != "" {
		return rules.MalformedRequest, detail
	}
	if strings.Contains(h.Via, s.p.engine.pseudonym()) {
		return rules.Self, "the request has passed here before (Via)"
	}
	return rules.ReasonNone, ""
}

// notForOrigins is the detail for clients that take us for a web server.
const notForOrigins = "request for a web server sent to a proxy"

// refuse answers a request that net/http has not seen and will not see.
func (s *session) refuse(h *head.Head, a rules.Attempt, d rules.Decision) {
	if f := s.from.tunnel(); f != nil && s.guard.Heads == 0 {
		f.setDecision(a, d) // the tunnel ends without having been used
	}
	s.c.TCP.SetWriteDeadline(time.Now().Add(peek.Linger))
	s.c.TCP.Write(refusal(h, a, d))
	if h.HasBody() || len(s.c.Bytes) > h.Len || h.Len == 0 || a.Fault != rules.ReasonNone {
		s.c.HangUp()
	}
}

// refusal is the whole answer to a denied request.
func refusal(h *head.Head, a rules.Attempt, d rules.Decision) []byte {
	var b bytes.Buffer
	json := h.WantsJSON()
	if a.Detail == notForOrigins && d.Why() == rules.MalformedRequest {
		writePage(&b, statusOf(a, d), errorBody{Error: "denied", Reason: d.Why().String(),
			Hint: "This is a proxy, not a web server: configure it as the HTTP proxy of your client."}, json)
	} else {
		writeError(&b, statusOf(a, d), a, d, json)
	}
	if h.Method == http.MethodHead {
		if end := bytes.Index(b.Bytes(), []byte("\r\n\r\n")); end >= 0 {
			b.Truncate(end + 4)
		}
	}
	return b.Bytes()
}

// bodyFault puts on record that the body of a permitted request broke its
// framing, also where the request was answered before.
func (s *session) bodyFault(fault rules.Reason, detail string) {
	a := s.last.a
	a.Provisional, a.Fault, a.Detail = false, fault, detail
	s.last.fault.Store(&deniedError{a, s.p.cfg.Gate.Decide(a)})
}
