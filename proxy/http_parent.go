// HTTP, parent: requests in absolute-form to a parent (RFC 9112, section 3.2.2), its refusal of our
// login, and its end without an answer.

package proxy

import (
	"context"

	"sallyport/rules"
)

// proxyAuthorization is the field with our login for a parent. A client's own one was removed.
const proxyAuthorization = "Proxy-Authorization"

// forParent gives the request the form that the other end of a connection reads. net/http has
// not written a byte of the request yet. If it repeats the request on another connection, the form
// may change.
func (g *grant) forParent(u *upstream) {
	if g.url == nil {
		return
	}
	g.url.Opaque = ""
	delete(g.field, proxyAuthorization)
	if !u.link.absolute {
		return
	}
	path := g.url.EscapedPath()
	switch {
	case g.head.Server:
		path = "" // OPTIONS about the server (RFC 9112, section 3.2.4)
	case path == "":
		path = "/"
	}
	g.url.Opaque = "//" + g.forwardedHost() + path // net/http puts the scheme in front
	if login := basic(u.link.parent); login != "" {
		g.field[proxyAuthorization] = []string{login}
	}
}

// keepWay closes the session's own idle connections if the next request must not take them. A kept
// connection has the way, and the login, of its time, so it does not outlive a generation with
// parents. A request with Upgrade needs a connection to the destination itself, by CONNECT.
func (s *session) keepWay(next *grant) {
	before, now := s.by, next.a.Generation
	if s.by = now; len(s.kept) == 0 || before == nil || now == nil {
		return
	}
	parents := len(before.Policy.Parents())+len(now.Policy.Parents()) > 0
	if before != now && (parents || s.shares()) || parents && next.head.Upgrade() != "" {
		s.forget()
	}
}

// plain reports whether the connection for a request will carry plain HTTP requests of one client,
// so that an HTTP parent gets them in absolute-form.
func (g *grant) plain() bool {
	_, toUs := g.s.from.(proxySource)
	return toUs && g.head.Upgrade() == ""
}

// parentEnded returns the fault of a parent that read the request in absolute-form and ended the
// connection without a byte of an answer. A parent answers also for a destination that does not.
// Other errors stay as they are.
func (g *grant) parentEnded(ctx context.Context, err error) error {
	u := g.up
	if !g.lost || !u.link.absolute || u.heard.Load() || timedOut(err) || g.fault.Load() != nil ||
		g.s.guard.EndedBy() != rules.EndClean || ctx.Err() != nil {
		return err
	}
	l := u.link
	l.asked = l.asked && !u.reused // else the connection carried an answer before
	e := endedUnheard(l)
	e.unsure = !idempotent(g.head.Method)
	g.refused = e
	g.s.p.parents.note(l.parent, e)
	return faultOf(e)
}

// loginRefused returns the fault of a parent that wants a login, or another one.
func (g *grant) loginRefused() error {
	g.refused = refusedWith(g.up.link.parent, 407)
	g.s.p.parents.note(g.refused.parent, g.refused)
	return faultOf(g.refused)
}
