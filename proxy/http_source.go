// HTTP sources: a request's question and destination depend on the connection that it came on.

package proxy

import (
	"context"
	"net/netip"
	"sync/atomic"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// A source is the connection that a session's requests come on: one of three types.
type source interface {
	// ask returns the question about a request. first is set for the session's first request.
	ask(s *session, h *head.Head, first bool) rules.Attempt
	// target returns where a request goes; a is its question.
	target(h *head.Head, a *rules.Attempt) rules.Authority
	// misplaced returns why a request of this form must not come on this connection, or "".
	misplaced(h *head.Head) string
	// connect makes the connection that g is granted.
	connect(ctx context.Context, g *grant) (link, rules.Attempt, error)
	// tunnel returns the flow that all requests belong to. nil: each request is a flow of its
	// own.
	tunnel() *flow
	// hostOf returns the Host for the destination, with its port.
	hostOf(g *grant) string
	// limits completes the limits of the guard.
	limits(l *head.Limits, p *Proxy)
}

// A proxySource is a connection to the proxy itself. Its requests come in absolute-form.
type proxySource struct{}

func (proxySource) ask(s *session, h *head.Head, _ bool) rules.Attempt {
	a := s.p.attempt(s.c, rules.ViaHTTP)
	a.Authority = h.Target.Name
	a.Dest = netip.AddrPortFrom(h.Target.Addr, h.Target.Port)
	show(&a, h)
	a.HostIgnored = h.Form == head.FormAbsolute && h.HasHost && h.Host != h.Target
	return a
}

func (proxySource) target(h *head.Head, _ *rules.Attempt) rules.Authority { return h.Target }

func (proxySource) misplaced(h *head.Head) string {
	if h.Form != head.FormAbsolute {
		return notForOrigins
	}
	return ""
}

func (proxySource) connect(ctx context.Context, g *grant) (link, rules.Attempt, error) {
	return g.s.p.dial(ctx, g.d, g.a, g.plain())
}

func (proxySource) tunnel() *flow { return nil }

func (proxySource) hostOf(g *grant) string { return g.host }

func (proxySource) limits(l *head.Limits, _ *Proxy) { l.Connect = true }

// A tunnelSource is a granted tunnel that is connected already. Its requests come in
// origin-form. Each is decided by itself, as part of the tunnel's flow, and goes to the
// tunnel's upstream connection. The tunnel closes both connections when serveHTTP returns.
type tunnelSource struct {
	attempt rules.Attempt // provisional, with Flow, Via, Authority, Resolved, and Dest as dialed
	up      link          // connected to attempt.Dest, unused so far
	flow    *flow         // registered by the tunnel, which also calls done
	used    atomic.Bool   // up is in the session's pool of connections
}

func (t *tunnelSource) ask(s *session, h *head.Head, _ bool) rules.Attempt {
	a := s.p.withCurrent(s.c, t.attempt) // each request is judged by the generation in force now
	show(&a, h)
	a.HostIgnored = false
	return a
}

func (t *tunnelSource) target(_ *head.Head, a *rules.Attempt) rules.Authority { return targetOf(a) }

func (t *tunnelSource) misplaced(h *head.Head) string { return originOnly(h) }

func (t *tunnelSource) connect(ctx context.Context, g *grant) (link, rules.Attempt, error) {
	if t.used.CompareAndSwap(false, true) {
		return t.up, t.attempt, nil
	}
	p := g.s.p
	ctx, cancel := context.WithTimeout(ctx, p.limits.Dial) // the tunnel itself reports how the flow ends
	defer cancel()
	return p.dialGranted(ctx, g.d, g.a, false)
}

func (t *tunnelSource) tunnel() *flow { return t.flow }

func (t *tunnelSource) hostOf(g *grant) string { return shownHost(g) }

func (t *tunnelSource) limits(l *head.Limits, p *Proxy) { l.First = p.limits.Sniff }

// A redirectedSource is a redirected connection without a grant. Its requests come in
// origin-form. Each is a flow of its own, and goes to the name in its Host.
type redirectedSource struct {
	attempt rules.Attempt // the attempt of the connection; its flow number is that of the first request
}

func (r *redirectedSource) ask(s *session, h *head.Head, first bool) rules.Attempt {
	a := r.attempt
	a.Generation = s.p.cfg.Generation() // each request is judged by the generation in force now
	show(&a, h)
	a.HostIgnored = false
	if !first {
		a.Flow = s.p.cfg.NextFlow()
	}
	byName(&a)
	return a
}

func (r *redirectedSource) target(_ *head.Head, a *rules.Attempt) rules.Authority { return targetOf(a) }

func (r *redirectedSource) misplaced(h *head.Head) string { return originOnly(h) }

func (r *redirectedSource) connect(ctx context.Context, g *grant) (link, rules.Attempt, error) {
	up, a, _, err := g.s.p.dialJudged(ctx, g.d, g.a, false)
	return up, a, err
}

func (r *redirectedSource) tunnel() *flow { return nil }

func (r *redirectedSource) hostOf(g *grant) string { return shownHost(g) }

func (r *redirectedSource) limits(l *head.Limits, p *Proxy) { l.First = p.limits.Sniff }

// show adds the fields of a request head to the question.
func show(a *rules.Attempt, h *head.Head) {
	a.Shown = rules.ShownHTTP
	a.Host, a.HostAddr, a.HostPort = h.Host.Name, h.Host.Addr, h.Host.Port
}

// targetOf returns the name of a's destination, or else its address.
func targetOf(a *rules.Attempt) rules.Authority {
	t := rules.Authority{Name: a.Target(), Port: a.Dest.Port()}
	if t.Name.IsZero() {
		t.Addr = a.Dest.Addr()
	}
	return t
}

// originOnly returns why a request that is not in origin-form must not come on a connection to
// an origin server.
func originOnly(h *head.Head) string {
	if h.Form != head.FormOrigin && h.Form != head.FormAsterisk {
		return "the request has the form for a proxy, not for a web server"
	}
	return ""
}

// shownHost returns the Host of a request that did not come to the proxy itself. If the
// destination is an address, the Host is the name in the request. The policy has found that this
// name is bound to the address.
func shownHost(g *grant) string {
	if g.head.HasHost && g.a.Target().IsZero() {
		return g.head.Host.String()
	}
	return g.host
}
