// HTTP, parent: requests in absolute-form to a parent (RFC 9112, section 3.2.2), and its refusal of
// our login.

package proxy

import "sallyport/rules"

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

// loginRefused returns the fault of a parent that wants a login, or another one.
func (g *grant) loginRefused() error {
	e := refusedWith(g.up.link.parent, 407)
	g.s.p.parents.note(e.parent, e)
	g.refused = rules.ParentAuth
	return faultOf(e)
}
