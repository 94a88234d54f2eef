// HTTP headers: fields that belong to one hop, and fields that a client or an origin must not
// set through the proxy.

package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// hopByHop reports whether a field belongs to one connection (RFC 9110, section 7.6.1) or is
// about proxies.
func hopByHop(folded string) bool {
	switch folded {
	case "connection", "keep-alive", "te", "upgrade", "http2-settings":
		return true
	}
	return strings.HasPrefix(folded, "proxy-")
}

// forwarding reports whether a field describes where a request came from. Clients must not set
// these fields.
func forwarding(folded string) bool {
	return folded == "forwarded" || folded == "x-upstream-https-proxy" || strings.HasPrefix(folded, "x-forwarded-")
}

// ours reports whether only this proxy may set a response field.
func ours(folded string) bool { return strings.HasPrefix(folded, "x-sallyport-") }

// fold maps all spellings of a field name that some server treats as one to the same text. CGI and
// its successors (RFC 3875, section 4.1.18) ignore case and turn the hyphen into an underscore.
// Some of them also turn every other sign into an underscore.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r | 0x20
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, name)
}

// rewrite prepares a request for its destination.
func (g *grant) rewrite(r *http.Request, pseudonym string) {
	r.URL.Scheme, r.URL.Host, r.URL.User = "http", g.host, nil
	r.Host = g.forwardedHost()
	if g.head.Server {
		r.URL.Path = "*" // RFC 9112, section 3.2.4
	}
	r.Trailer = nil // the guard removes trailers: no field says whether the server reads them
	// The client's Close is about the client's connection only. Upstream, Close is set if the
	// destination may never ask for the body. Otherwise net/http would read the rest of the body
	// from the client after a final response, only to keep the connection.
	r.Close = g.head.Expects
	expects := g.head.Expects && g.head.HTTP11 && g.head.HasBody()
	if g.head.HasBody() {
		r.Body = &upload{r.Body, g, expects}
	}
	if !expects {
		r.Header.Del("Expect") // a server ignores Expect in HTTP/1.0, and without a body (RFC 9110, section 10.1.1)
	}
	strip(r.Header, forwarding)
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = nil // or Transport adds its own
	}
	if hops, counted := g.head.MaxForwards(); counted {
		r.Header["Max-Forwards"] = []string{strconv.Itoa(hops - 1)}
	}
	version := "1.1 "
	if !g.head.HTTP11 {
		version = "1.0 "
	}
	addVia(r.Header, version+pseudonym)
}

// forwardedHost returns the Host for the destination: always canonical, never the client's
// text.
func (g *grant) forwardedHost() string { return strings.TrimSuffix(g.s.from.hostOf(g), ":80") }

// strip removes hop-by-hop fields, the fields that Connection names, and the fields for which
// others returns true, in any spelling.
func strip(h http.Header, others func(folded string) bool) {
	var named []string
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = fold(strings.Trim(name, " \t")); name != "" && name != "close" && name != "keep-alive" {
				named = append(named, name)
			}
		}
	}
	for name := range h {
		if folded := fold(name); hopByHop(folded) || others(folded) || slices.Contains(named, folded) {
			delete(h, name)
		}
	}
}

// returned prepares response fields for the client. It removes hop-by-hop fields and the fields
// that only this proxy may set.
func (g *grant) returned(h http.Header) {
	strip(h, ours)
	hideFields(h, g.hidden())
	addVia(h, "1.1 "+g.s.p.engine.name)
}

// addVia adds this proxy to the Via field, after the proxies that the message passed before.
func addVia(h http.Header, us string) {
	if before := h["Via"]; len(before) > 0 {
		us = strings.Join(before, ", ") + ", " + us
	}
	h["Via"] = []string{us}
}
