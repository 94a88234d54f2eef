// HTTP headers: what of a message is for one hop only, and what a client or an
// origin must not be able to say through us.

package proxy

import (
	"net/http"
	"strings"
)

// hopByHop lists fields that belong to one connection (RFC 9110, section
// 7.6.1). Upgrades are not forwarded, so Upgrade is one of them.
var hopByHop = [...]string{"Connection", "Keep-Alive", "Te", "Upgrade", "Http2-Settings", "Proxy-Connection"}

// rewrite makes a request ready for its destination.
func (g *grant) rewrite(r *http.Request, pseudonym string) {
	r.URL.Scheme, r.URL.Host, r.URL.User = "http", g.host, nil
	r.Host = g.forwardedHost()
	r.Trailer = nil // the guard lets none through
	// Close is about the client's connection. It is used upstream where the body
	// may never be wanted: net/http would send it after a final answer, to save
	// the connection, and first ask the client for it.
	r.Close = g.head.expects
	if g.head.expects && g.head.http11 {
		r.Body = &expected{ReadCloser: r.Body, out: g.out}
	} else {
		r.Header.Del("Expect") // to be ignored in HTTP/1.0 (RFC 9110, section 10.1.1)
	}
	stripHop(r.Header)
	for name := range r.Header {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") || name == "X-Upstream-Https-Proxy" {
			delete(r.Header, name)
		}
	}
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = nil // or Transport adds its own
	}
	version := "1.1 "
	if !g.head.http11 {
		version = "1.0 "
	}
	addVia(r.Header, version+pseudonym)
}

// forwardedHost is the Host that the destination sees: always canonical, never
// the client's text. On the way to an address it is the name that the request
// showed, which the policy found bound to the address.
func (g *grant) forwardedHost() string {
	host := g.host
	if g.s.in != nil && g.head.hasHost && g.a.Target().IsZero() {
		host = g.head.host.String()
	}
	return strings.TrimSuffix(host, ":80")
}

// stripHop removes hop-by-hop fields, those that Connection names, and
// everything about proxies.
func stripHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.Trim(name, " \t")); name != "" {
				delete(h, name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
	for name := range h {
		if strings.HasPrefix(name, "Proxy-") {
			delete(h, name)
		}
	}
}

// returned makes the fields of an answer ready for the client: those of one hop
// and those that are ours to say are not forwarded.
func (g *grant) returned(h http.Header) {
	stripHop(h)
	h.Del("X-Sallyport-Reason")
	h.Del("X-Sallyport-Fault")
	h.Del("X-Sallyport-Hint")
	addVia(h, "1.1 "+g.s.p.engine.name)
}

// addVia puts us behind those that the message passed before.
func addVia(h http.Header, us string) {
	if before := h["Via"]; len(before) > 0 {
		us = strings.Join(before, ", ") + ", " + us
	}
	h["Via"] = []string{us}
}
