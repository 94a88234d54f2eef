// HTTP headers: what of a message is for one hop only, and what a client or an
// origin must not be able to say through us.

package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// hopByHop tells whether a field belongs to one connection (RFC 9110, section
// 7.6.1) or is about proxies. Upgrades are not forwarded, so Upgrade is one.
func hopByHop(folded string) bool {
	switch folded {
	case "connection", "keep-alive", "te", "upgrade", "http2-settings":
		return true
	}
	return strings.HasPrefix(folded, "proxy-")
}

// forwarding tells whether a field says where a request came from or went by
// way of, which clients must not say through us.
func forwarding(folded string) bool {
	return folded == "forwarded" || folded == "x-upstream-https-proxy" || strings.HasPrefix(folded, "x-forwarded-")
}

// ours tells whether a field of an answer is ours to say.
func ours(folded string) bool { return strings.HasPrefix(folded, "x-sallyport-") }

// fold makes one of all spellings of a field name that some server takes for
// the same: CGI and its heirs (RFC 3875, section 4.1.18) know no letter case,
// and make the hyphen, and some of them every other sign, an underscore.
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

// rewrite makes a request ready for its destination.
func (g *grant) rewrite(r *http.Request, pseudonym string) {
	r.URL.Scheme, r.URL.Host, r.URL.User = "http", g.host, nil
	r.Host = g.forwardedHost()
	if g.head.Server {
		r.URL.Path = "*" // RFC 9112, section 3.2.4
	}
	r.Trailer = nil // the guard lets none through
	// Close is about the client's connection. It is used upstream where the body
	// may never be wanted: net/http would send it after a final answer, to save
	// the connection, and first ask the client for it.
	r.Close = g.head.Expects
	if g.head.Expects && g.head.HTTP11 {
		r.Body = &expected{ReadCloser: r.Body, out: g.out}
	} else {
		r.Header.Del("Expect") // to be ignored in HTTP/1.0 (RFC 9110, section 10.1.1)
	}
	strip(r.Header, forwarding)
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = nil // or Transport adds its own
	}
	version := "1.1 "
	if !g.head.HTTP11 {
		version = "1.0 "
	}
	addVia(r.Header, version+pseudonym)
}

// forwardedHost is the Host that the destination sees: always canonical, never
// the client's text.
func (g *grant) forwardedHost() string { return strings.TrimSuffix(g.s.from.hostOf(g), ":80") }

// strip removes hop-by-hop fields, those that Connection names, and others, in
// whatever spelling.
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

// returned makes the fields of an answer ready for the client: those of one hop
// and those that are ours to say are not forwarded.
func (g *grant) returned(h http.Header) {
	strip(h, ours)
	addVia(h, "1.1 "+g.s.p.engine.name)
}

// addVia puts us behind those that the message passed before.
func addVia(h http.Header, us string) {
	if before := h["Via"]; len(before) > 0 {
		us = strings.Join(before, ", ") + ", " + us
	}
	h["Via"] = []string{us}
}
