// HTTP: decides on each request of a connection to the proxy itself, of a tunnel, or of a
// redirected connection.

package proxy

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
	"sallyport/rules/proxyheader"
)

// ServeHTTP serves clients of the HTTP proxy on l, until ctx ends or Drain begins:
// absolute-form requests and CONNECT.
func (p *Proxy) ServeHTTP(ctx context.Context, l net.Listener) error {
	return p.serve(ctx, l, frontEnd{via: rules.ViaHTTP, handle: p.handleHTTPConn, refuse: refuseHTTP})
}

// refuseHTTP answers a client that was not admitted, without waiting for it.
func refuseHTTP(c *client, a rules.Attempt, d rules.Decision) {
	c.TCP.SetWriteDeadline(time.Now().Add(time.Second))
	writeError(c, statusOf(a, d), a, d, false)
}

// handleHTTPConn serves a connection to the proxy: any number of requests in absolute-form, and
// at most one CONNECT, which is the last.
func (p *Proxy) handleHTTPConn(ctx context.Context, c *client) {
	s := newSession(ctx, p, c, proxySource{})
	s.serve()
	switch h := s.guard.Connect; {
	case s.switched != nil:
		s.switched.carry()
	case h != nil:
		p.connect(ctx, c, *h)
	}
}

// serveHTTP serves the requests of a tunnel or a redirected connection until no more requests
// may follow. The beginning of the first head is in c.Bytes.
//
// Each request is one question to the Gate. The question is provisional when the head is complete:
// it finds every denial that the head alone can cause. The question is final when an upstream
// connection is ready and no byte of the request has been sent on it. So an allow is recorded
// once, with the address that the request went to. A denied request is answered, the connection is
// closed, and nothing after the request is read.
//
// serveHTTP returns why the last request ended before its answer did, or EndClean.
func (p *Proxy) serveHTTP(ctx context.Context, c *client, from source) rules.Cause {
	s := newSession(ctx, p, c, from)
	s.serve()
	switch {
	case s.switched != nil:
		return s.switched.carry()
	case s.last != nil:
		return s.last.cause()
	}
	return s.guard.EndedBy()
}

// A session serves the requests of one client connection. Its connections to destinations carry no
// other client's requests.
type session struct {
	p     *Proxy
	c     *client
	from  source
	ctx   context.Context
	guard *head.Guard

	granted  *grant            // the request that net/http is about to serve
	last     *grant            // the request whose body the guard reads, served or not
	switched *grant            // the request after which the connection is a tunnel
	kept     []*upstream       // connections that wait for a request of this session
	by       *rules.Generation // of the last request
}

// A grant is one request that was allowed. It is used once.
type grant struct {
	s    *session
	head head.Head
	a    rules.Attempt
	d    rules.Decision // the first decision
	host string         // host:port to connect to, in canonical form

	began    time.Time // when net/http began to serve it
	recorded bool      // its end is recorded, or will be recorded with the flow
	repeated bool      // it is sent for the second time
	lost     bool      // it may have been sent, and no answer came

	final bool                        // the final question was asked
	flow  *flow                       // set from the final allow on
	up    *upstream                   // the upstream connection that carries the request; set at the final allow
	out   *answer                     // the response to its client
	url   *url.URL                    // of the request as it is sent; set by roundTrip
	field http.Header                 // and its header
	own   bool                        // flow is the request's own, not the tunnel's
	fault atomic.Pointer[deniedError] // the denial of a body that broke its framing
	cut   atomic.Bool                 // the response was cut

	answered  *http.Response // the answer to a request with Upgrade, if it was no 101
	answerErr error
	failure   rules.Cause  // why the destination gave no valid answer
	refused   *parentError // the parent refused the request; nil: it did not
}

func newSession(ctx context.Context, p *Proxy, c *client, from source) *session {
	s := &session{p: p, c: c, from: from, ctx: ctx}
	limits := head.Limits{Head: p.limits.Head, Idle: p.limits.Idle, HalfClosed: p.limits.HalfClosed}
	from.limits(&limits, p)
	s.guard = head.NewGuard(&c.Conn, s, limits)
	return s
}

// Await waits for the first bytes of a request. A connection without a byte is only counted.
func (s *session) Await(limit int) error {
	err := s.p.await(s.c, limit)
	if err == nil {
		return nil
	}
	if broken := brokenTLS(s.c, err); broken != "" {
		s.p.denySecure(s.c, rules.MalformedRequest, broken)
	} else if s.guard.Heads == 0 {
		s.p.count.empty.Add(1)
	}
	return err
}

// serve serves requests until no more may follow. A refused first head, and a CONNECT, never
// reach net/http.
func (s *session) serve() {
	if s.guard.NextHead() == nil {
		s.p.engine.serve(s)
		s.forget()
		if s.last != nil && s.switched == nil && s.last.head.Upgrade() != "" {
			s.c.HangUp() // the client may have sent bytes that stay unread
		}
	}
	if s.guard.Panicked != nil {
		panic(s.guard.Panicked)
	}
}

// Judge decides about the next head, or records a fault. A nil head means that the fault is in
// the body of the current request.
func (s *session) Judge(h *head.Head, fault rules.Reason, detail string) bool {
	if h == nil {
		s.bodyFault(fault, detail)
		return false
	}
	defer func() { h.Authorization = "" }() // the secret is not kept
	a := s.from.ask(s, h, s.guard.Heads == 0)
	if h.Raw != "" {
		a.Raw = []byte(h.Raw)
	}
	if a.Fault == rules.ReasonNone { // else the client's certificate is refused
		a.Detail = ""
	}
	if fault == rules.ReasonNone {
		fault, detail = s.unfit(h)
	}
	if fault != rules.ReasonNone {
		a.Fault, a.Detail = fault, detail
	} else if s.from == (proxySource{}) {
		s.p.basic(s.c, &a, h)
	}
	if fault != rules.ReasonNone && s.guard.Heads == 0 && s.from == (proxySource{}) && proxyheader.Begins(s.c.Bytes) {
		a.Detail = proxyheader.Unexpected
	}
	// Port 443 must carry TLS, and a request is not TLS: the question is final at once.
	a.Provisional = a.Fault == rules.ReasonNone && a.Dest.Port() != portTLS
	d := s.p.decide(s.c, a)
	if !d.Allowed() {
		s.refuse(h, a, d)
		return false
	}
	h.Authorization = ""
	s.last = &grant{s: s, head: *h, a: a, d: d, host: s.from.target(h, &a).String(), final: !a.Provisional}
	s.granted = s.last
	s.c.again.Store(true)
	return true
}

// unfit returns why a well-formed request cannot be served here.
func (s *session) unfit(h *head.Head) (rules.Reason, string) {
	if detail := s.from.misplaced(h); detail != "" {
		return rules.MalformedRequest, detail
	}
	if strings.Contains(h.Via, s.p.engine.pseudonym()) {
		return rules.Self, throughUs
	}
	return rules.ReasonNone, ""
}

// throughUs is the detail of a loop.
const throughUs = "the request already passed through this proxy (Via)"

// notForOrigins is the detail if a client sent a request for a web server.
const notForOrigins = "the request has the form for a web server, not for a proxy"

// refuse answers a request that net/http never sees.
func (s *session) refuse(h *head.Head, a rules.Attempt, d rules.Decision) {
	if f := s.from.tunnel(); f != nil && s.guard.Heads == 0 {
		f.setDecision(a, d) // the tunnel ends unused
	}
	s.c.TCP.SetWriteDeadline(time.Now().Add(peek.Linger))
	s.c.Write(refusal(h, a, d))
	if h.HasBody() || len(s.c.Bytes) > h.Len || h.Len == 0 || a.Fault != rules.ReasonNone {
		s.c.HangUp()
	}
}

// refusal returns the complete answer to a denied request.
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

// bodyFault records that the body of a permitted request broke its framing. It records this even
// if the request has been answered already.
func (s *session) bodyFault(fault rules.Reason, detail string) {
	a := s.last.a
	a.Provisional, a.Fault, a.Detail = false, fault, detail
	s.last.fault.Store(&deniedError{a, s.p.cfg.Gate.Decide(a)})
}
