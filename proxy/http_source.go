// HTTP sources: where the requests of a session come from decides what they are asked as and where they go.

package proxy

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// A source is the kind of connection that a session's requests come on.
type source interface {
	// ask returns the question about a request. first: it is the session's first one.
	ask(s *session, h *head.Head, first bool) rules.Attempt
	// target returns where a request goes, of which a is the question.
	target(h *head.Head, a *rules.Attempt) rules.Authority
	// misplaced returns why a request of this form has no place here, "" where it has one.
	misplaced(h *head.Head) string
	// connect makes the connection that g is granted.
	connect(ctx context.Context, g *grant) (*net.TCPConn, rules.Attempt, error)
	// tunnel returns the flow that all requests are a part of; nil: each is a flow of its own.
	tunnel() *flow
	// hostOf returns the Host that the destination sees, with its port.
	hostOf(g *grant) string
	// limits adds to the limits of the guard.
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

func (proxySource) connect(ctx context.Context, g *grant) (*net.TCPConn, rules.Attempt, error) {
	return g.s.p.dial(ctx, g.d, g.a)
}

func (proxySource) tunnel() *flow { return nil }

func (proxySource) hostOf(g *grant) string { return g.host }

func (proxySource) limits(l *head.Limits, _ *Proxy) { l.Connect = true }

// A tunnelSource is a tunnel that is granted and connected already. Its requests come in origin-form. Each is decided
// by itself, as part of the tunnel's flow, and goes to the tunnel's upstream connection. The tunnel closes both
// connections when serveHTTP returns.
type tunnelSource struct {
	attempt rules.Attempt // provisional: Flow, Via, Authority, Dest as dialed, Resolved
	up      *net.TCPConn  // connected to attempt.Dest, unused so far
	flow    *flow         // registered; judged, in and out belong to the engine, done to the tunnel
	used    atomic.Bool   // up is in the session's pool of connections
}

func (t *tunnelSource) ask(s *session, h *head.Head, _ bool) rules.Attempt {
	a := t.attempt
	a.Generation = s.p.cfg.Generation() // each request is judged by what is in force now
	show(&a, h)
	a.HostIgnored = false
	return a
}

func (t *tunnelSource) target(_ *head.Head, a *rules.Attempt) rules.Authority { return targetOf(a) }

func (t *tunnelSource) misplaced(h *head.Head) string { return originOnly(h) }

func (t *tunnelSource) connect(ctx context.Context, g *grant) (*net.TCPConn, rules.Attempt, error) {
	if t.used.CompareAndSwap(false, true) {
		return t.up, t.attempt, nil
	}
	p := g.s.p
	ctx, cancel := context.WithTimeout(ctx, p.limits.Dial) // the tunnel itself reports how the flow ends
	defer cancel()
	return p.dialGranted(ctx, g.d, g.a)
}

func (t *tunnelSource) tunnel() *flow { return t.flow }

func (t *tunnelSource) hostOf(g *grant) string { return shownHost(g) }

func (t *tunnelSource) limits(l *head.Limits, p *Proxy) { l.First = p.limits.Sniff }

// A redirectedSource is a redirected connection to which nothing is granted yet. Its requests come in origin-form. Each
// is a flow of its own, and goes to the name that it shows.
type redirectedSource struct {
	attempt rules.Attempt // of the connection; its flow is that of the first request
}

func (r *redirectedSource) ask(s *session, h *head.Head, first bool) rules.Attempt {
	a := r.attempt
	a.Generation = s.p.cfg.Generation() // each request is judged by what is in force now
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

func (r *redirectedSource) connect(ctx context.Context, g *grant) (*net.TCPConn, rules.Attempt, error) {
	tcp, a, _, err := g.s.p.dialJudged(ctx, g.d, g.a, false)
	return tcp, a, err
}

func (r *redirectedSource) tunnel() *flow { return nil }

func (r *redirectedSource) hostOf(g *grant) string { return shownHost(g) }

func (r *redirectedSource) limits(l *head.Limits, p *Proxy) { l.First = p.limits.Sniff }

// show puts what a request's head showed into the question.
func show(a *rules.Attempt, h *head.Head) {
	a.Shown = rules.ShownHTTP
	a.Host, a.HostAddr, a.HostPort = h.Host.Name, h.Host.Addr, h.Host.Port
}

// targetOf returns the name, or else the address, that a wants.
func targetOf(a *rules.Attempt) rules.Authority {
	t := rules.Authority{Name: a.Target(), Port: a.Dest.Port()}
	if t.Name.IsZero() {
		t.Addr = a.Dest.Addr()
	}
	return t
}

// originOnly returns why a request that is not in origin-form has no place on a connection to an origin server.
func originOnly(h *head.Head) string {
	if h.Form != head.FormOrigin {
		return "proxy request to an origin server"
	}
	return ""
}

// shownHost returns the Host of a request that is not for the proxy itself. On the way to an address it is the name
// that the request showed, which the policy found bound to the address.
func shownHost(g *grant) string {
	if g.head.HasHost && g.a.Target().IsZero() {
		return g.head.Host.String()
	}
	return g.host
}
