// HTTP, hops: answers TRACE and OPTIONS that must not be forwarded any more (RFC 9110, sections
// 7.6.2, 9.3.7 and 9.3.8).

package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sallyport/rules"
)

// forwarded are the methods that this proxy forwards, for Allow.
const forwarded = "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE"

// answerHere answers a request whose Max-Forwards is 0 as its last recipient. The request was
// permitted, and nothing is connected for it.
func (g *grant) answerHere(r *http.Request) {
	h, body := g.out.Header(), []byte(nil)
	if r.Method == http.MethodTrace {
		h["Content-Type"] = []string{"message/http"}
		h["X-Content-Type-Options"] = []string{"nosniff"}
		body = traced(r)
	} else {
		h["Allow"] = []string{forwarded}
	}
	h["Cache-Control"], h["Content-Length"] = []string{"no-store"}, []string{strconv.Itoa(len(body))}
	addVia(h, "1.1 "+g.s.p.engine.name)
	g.out.WriteHeader(http.StatusOK)
	g.out.Write(body)
	g.recorded = true
	if g.s.from.tunnel() == nil {
		g.s.p.closed(rules.Close{Attempt: g.a, Decision: g.d, Started: g.began.UnixNano(), Duration: int64(time.Since(g.began))})
	}
}

// traced returns the head of a TRACE as its client gets it back: only the fields that say what the
// hops before did, because any other may hold a credential, and the target without its query, for
// the same reason.
func traced(r *http.Request) []byte {
	var b bytes.Buffer
	target, _, _ := strings.Cut(r.RequestURI, "?")
	b.WriteString(r.Method + " " + target + " " + r.Proto + "\r\nHost: " + r.Host + "\r\n")
	for _, name := range [...]string{"Via", "Max-Forwards", "Connection", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Cache-Control"} {
		for _, value := range r.Header[name] {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.Bytes()
}
