// Tunnel: a CONNECT or SOCKS5 request from the first question to the last byte.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"

	"sallyport/proxy/head"
	"sallyport/proxy/hello"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A replier answers a request in the client's protocol.
type replier interface {
	granted(c *client) error
	denied(c *client, a rules.Attempt, d rules.Decision)
	failed(c *client, a rules.Attempt, e *dialError)
}

// tunnel serves a request for a tunnel: it asks the Gate, connects, answers, judges the
// client's first bytes, and relays. a is the question. Bytes that the client sent after its
// request are in c.Bytes.
func (p *Proxy) tunnel(ctx context.Context, c *client, a rules.Attempt, r replier) {
	a.Provisional = true
	d := p.decide(c, a)
	if !d.Allowed() {
		r.denied(c, a, d)
		c.HangUp()
		return
	}
	up, a, err := p.dial(ctx, d, a, false)
	if err != nil {
		p.notConnected(c, a, r, err)
		return
	}
	defer up.Close()
	f := p.openFlow(c, up, a, d)
	cause := rules.EndReset
	defer func() { f.done(cause) }()
	if now := p.withCurrent(c, a); !p.cfg.Gate.Preview(now).Allowed() { // the generation changed since the grant; Decide records the denial
		if a, d = now, p.cfg.Gate.Decide(now); !d.Allowed() {
			f.setDecision(a, d)
			r.denied(c, a, d)
			c.HangUp()
			return
		}
	}
	if r.granted(c) == nil {
		cause = f.carry(ctx)
	}
}

// notConnected answers a request that was granted but whose destination was not connected.
func (p *Proxy) notConnected(c *client, a rules.Attempt, r replier, err error) {
	var denied *deniedError
	var failed *dialError
	switch {
	case errors.As(err, &denied):
		r.denied(c, denied.a, denied.d)
	case errors.As(err, &failed):
		r.failed(c, a, failed)
	}
	c.HangUp()
}

// carry judges the client's first bytes and relays. It returns why the flow ended.
func (f *flow) carry(ctx context.Context) rules.Cause {
	a, d, _ := f.lastDecision()
	switch port := a.Dest.Port(); {
	case d.Opaque():
		if d := f.judge(a); !d.Allowed() {
			return f.refuse(sniffResult{}, a, d)
		}
		f.c.Deadline(0)
		return f.relay(sniffResult{})
	case port == portTLS || port == portHTTP:
		return f.clientFirst(ctx, a)
	}
	return f.eitherFirst(ctx, a)
}

// judge asks the final question about the flow. A flow that was granted before a drain began is
// not denied because of the drain. If the proxy did not read the first bytes because of a limit,
// the question stays provisional, so that the answer does not cover them.
func (f *flow) judge(a rules.Attempt) rules.Decision {
	a.Provisional = a.Fault >= rules.Limit
	d := f.p.cfg.Gate.Decide(a)
	f.setDecision(a, d)
	if d.Allowed() {
		f.outdated() // if the flow is outdated, both ends are reset and nothing can be sent
	}
	return d
}

// clientFirst serves ports where the client sends first by protocol. Nothing is relayed before the
// client's first bytes are judged.
func (f *flow) clientFirst(ctx context.Context, a rules.Attempt) rules.Cause {
	s := f.p.sniff(f.c, a.Dest.Port(), false)
	if s.http && s.fault == rules.ReasonNone {
		return f.requests(ctx, a)
	}
	if cause, ended := f.interrupted(a, s); ended {
		return cause
	}
	s.addTo(&a)
	if d := f.judge(a); !d.Allowed() {
		return f.refuse(s, a, d)
	}
	return f.relay(s)
}

// requests hands the flow to the HTTP engine, which decides on each request.
func (f *flow) requests(ctx context.Context, a rules.Attempt) rules.Cause {
	return f.p.serveHTTP(ctx, f.c, &tunnelSource{attempt: a, up: f.up, flow: f})
}

// eitherFirst serves all other ports. The destination may send first. The client's first bytes are
// judged before any of them is sent on. A client may wait for its server for any time, so the
// deadline begins only when the client has begun to send. Bytes that only resemble the beginning
// of a request are passed on sooner; see sniff.
func (f *flow) eitherFirst(ctx context.Context, a rules.Attempt) rules.Cause {
	f.c.Deadline(0)
	r := newRelay(f)
	defer r.Finish()
	r.StartDown()
	if len(f.c.Bytes) == 0 {
		if err := f.c.Fill(hello.MaxRecords); err != nil {
			return f.silent(r, a, err)
		}
	}
	r.MarkActive()
	s := f.p.sniff(f.c, a.Dest.Port(), true)
	if f.p.forgedHeader(f.c, a.Via) {
		s = forged()
	}
	if s.http && s.fault == rules.ReasonNone && f.out.Load() == 0 && r.StopDown() {
		if f.out.Load() == 0 {
			r.Finish()
			return f.requests(ctx, a)
		}
		r.ResumeDown()
	}
	if cause, ended := f.interrupted(a, s); ended {
		r.AwaitDown()
		return cause
	}
	if s.http && s.fault == rules.ReasonNone {
		s = f.sniffHead()
	}
	s.addTo(&a)
	if d := f.judge(a); !d.Allowed() {
		if f.out.Load() > 0 || !r.StopDown() {
			f.Abort(rules.EndDenied(d.Why())) // an alert or a denial page must not follow the destination's bytes
		}
		r.AwaitDown()
		return f.refuse(s, a, d)
	}
	if !r.forward(s) {
		r.AwaitDown()
		return r.carried(rules.EndReset)
	}
	return r.run()
}

// silent ends a flow whose client sent nothing: the client closed its sending half, or it is gone.
func (f *flow) silent(r *tunnelRelay, a rules.Attempt, err error) rules.Cause {
	a.Shown = rules.ShownSilent
	d := f.judge(a)
	if err != io.EOF || !d.Allowed() {
		f.Abort(rules.EndReset)
		r.AwaitDown()
		return rules.EndReset
	}
	if r.EndUp() != nil {
		f.Abort(rules.EndReset)
	}
	if r.AwaitDown() != nil {
		return rules.EndReset
	}
	return rules.EndClean
}

// interrupted reports whether a flow was ended from outside while the proxy waited for its client,
// and why. If so, it asks the generation in force, so that the denial of a reload is recorded.
func (f *flow) interrupted(a rules.Attempt, s sniffResult) (cause rules.Cause, ended bool) {
	f.mu.Lock()
	cause = f.cause
	f.mu.Unlock()
	if cause == rules.EndClean || !errors.Is(s.err, net.ErrClosed) {
		return rules.EndClean, false
	}
	a = f.p.withCurrent(f.c, a)
	f.setDecision(a, f.p.cfg.Gate.Decide(a)) // provisional: a denial is final; an allow is not asked again
	return cause, true
}

// refuse ends the flow after the client got the reply that it is connected.
func (f *flow) refuse(s sniffResult, a rules.Attempt, d rules.Decision) rules.Cause {
	f.c.refuse(s, a, d)
	return rules.EndDenied(d.Why())
}

// refuse answers in the protocol of the client's first bytes, if they showed one, and ends the
// connection.
func (c *client) refuse(s sniffResult, a rules.Attempt, d rules.Decision) {
	switch {
	case s.tls:
		c.Write(accessDenied())
		c.HangUp()
	case s.http || head.LooksHTTP(c.Bytes) == head.Alike:
		writeError(c, statusOf(a, d), a, d, wantsJSON(c.Bytes))
		c.HangUp()
	default:
		peek.Reset(c.TCP)
	}
}

// accessDenied returns the fatal alert access_denied (RFC 8446, section 6.2) in a record of a
// version that every client accepts before the versions are negotiated.
func accessDenied() []byte { return []byte{21, 3, 1, 0, 2, 2, 49} }
