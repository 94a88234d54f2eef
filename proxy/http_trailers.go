// HTTP, trailers: the fields after a chunked response, for a client that reads them (RFC 9110,
// sections 6.5 and 10.1.4).

package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// wantTrailers tells the destination that the client reads trailers.
func (g *grant) wantTrailers(h http.Header) {
	if g.head.Trailers() {
		h["Te"], h["Connection"] = []string{"trailers"}, append(h["Connection"], "TE")
	}
}

// announceTrailers prepares the trailers of a chunked response, if the client reads them. resp is
// net/http's own response, to which net/http adds the trailers at the end of the body. Trailers
// stay trailers: they are never merged into a head.
func (g *grant) announceTrailers(resp *http.Response) {
	if !g.head.Trailers() || len(resp.TransferEncoding) == 0 {
		return
	}
	named, login := resp.Header["Connection"], g.hidden()
	g.out.trailers = func() http.Header {
		kept := sendable(resp.Trailer, named)
		hideFields(kept, login)
		return kept
	}
	if names := slices.Sorted(maps.Keys(sendable(resp.Trailer, named))); len(names) > 0 {
		// In lower case, because net/http would take fields of the head for trailers that are
		// announced as "Trailer".
		resp.Header["trailer"] = []string{strings.Join(names, ", ")}
	}
}

// sendable returns the trailers that may be forwarded.
func sendable(t http.Header, connection []string) http.Header {
	kept := make(http.Header, len(t))
	for name, values := range t {
		if folded := fold(name); !headOnly(folded) && !hopByHop(folded) && !forwarding(folded) && !ours(folded) && !lists(connection, name) {
			kept[name] = values
		}
	}
	return kept
}

// headOnly reports whether a field must be in a head and not in a trailer: fields of framing,
// routing and authentication, and fields that change how a response is used (RFC 9110, section
// 6.5.1). A recipient that merges trailers into the head would obey them.
func headOnly(folded string) bool {
	switch folded {
	case "transfer-encoding", "content-length", "trailer", "host", "via", "max-forwards", "expect",
		"authorization", "www-authenticate", "cookie", "set-cookie", "set-cookie2", "clear-site-data",
		"content-encoding", "content-type", "content-range", "content-location", "content-disposition",
		"cache-control", "pragma", "age", "expires", "date", "location", "refresh", "retry-after", "vary", "warning", "range",
		"alt-svc", "strict-transport-security", "x-frame-options", "x-content-type-options", "link", "origin":
		return true
	}
	for _, prefix := range [...]string{"if-", "access-control-", "content-security-policy", "cross-origin-", "sec-"} {
		if strings.HasPrefix(folded, prefix) {
			return true
		}
	}
	return false
}

// trail adds the trailers to the answer at the end of its body.
func (w *answer) trail() {
	if w.trailers == nil {
		return
	}
	t := w.trailers()
	w.trailers = nil
	if len(t) == 0 {
		return
	}
	w.Flush() // net/http would send a short body that it holds with its length, and no trailers
	h := w.Header()
	for name, values := range t {
		h[http.TrailerPrefix+name] = values
	}
}
