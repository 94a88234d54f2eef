// HTTP headers: what of a message is for one hop only, and what a client or an
// origin must not be able to say through us.

package proxy

import (
	"io"
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

// addVia puts us behind those that the message passed before.
func addVia(h http.Header, us string) {
	if before := h["Via"]; len(before) > 0 {
		us = strings.Join(before, ", ") + ", " + us
	}
	h["Via"] = []string{us}
}

// An answer is a response on its way to the client.
type answer struct {
	http.ResponseWriter
	stream bool // of unknown length: every piece goes out at once
}

// WriteHeader keeps net/http from guessing a Content-Type.
func (w *answer) WriteHeader(status int) {
	h := w.Header()
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil
	}
	w.stream = len(h["Content-Length"]) == 0
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a piece of the body.
func (w *answer) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	if err == nil && w.stream {
		w.Flush()
	}
	return n, err
}

// ReadFrom writes a body of known length by the server's own buffers: io.Copy
// would make one of 32 KiB for each.
func (w *answer) ReadFrom(src io.Reader) (int64, error) {
	if r, ok := w.ResponseWriter.(io.ReaderFrom); ok && !w.stream {
		return r.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// Flush sends what is buffered.
func (w *answer) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}
