// Tests of trailers from RFC 9110, sections 6.5 and 10.1.4: who gets them, which fields may be
// trailers, and what can only look like one.

package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"sallyport/rules"
)

const trailed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Later\r\nX-Sum: of the head\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Later: 2\r\nX-Later: 3\r\nX-Unannounced: 4\r\n\r\n"

// raw reads all that a client gets, until the proxy closes.
func (e *exchange) raw() string {
	e.w.t.Helper()
	e.conn.CloseWrite()
	got, err := io.ReadAll(e.r)
	if err != nil {
		e.w.t.Errorf("%q, %v", got, err)
	}
	return string(got)
}

// A client that says "TE: trailers" for its connection gets them, and its destination knows that.
// Any other client gets the body without them.
func TestTrailers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, version, fields string
		forwarded             bool
	}{
		{"asked for", "HTTP/1.1", "TE: trailers\r\nConnection: TE\r\n", true},
		{"asked for among others", "HTTP/1.1", "TE: gzip;q=0.5, Trailers\r\nConnection: keep-alive, te\r\n", true},
		{"not asked for", "HTTP/1.1", "", false},
		{"other codings only", "HTTP/1.1", "TE: gzip\r\nConnection: TE\r\n", false},
		{"of another hop", "HTTP/1.1", "TE: trailers\r\n", false},
		{"HTTP/1.0", "HTTP/1.0", "TE: trailers\r\nConnection: TE\r\n", false},
	} {
		for _, way := range plainWays[:2] {
			t.Run(c.name+", "+way.name, func(t *testing.T) {
				b := newRedirectWorld(t, nil)
				o := b.origin("8.8.8.8:80", once(trailed))
				e := way.open(b)
				e.send("GET " + way.prefix + "/ " + c.version + "\r\nHost: a.example\r\n" + c.fields + "\r\n")
				resp, err := http.ReadResponse(e.r, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || string(body) != "hello" || resp.Header.Get("X-Sum") != "of the head" {
					t.Errorf("%q, %v, %v", body, err, resp.Header)
				}
				if got := strings.Contains(o.received(), "\r\nTe: trailers\r\n") && strings.Contains(o.received(), "\r\nConnection: TE\r\n"); got != c.forwarded {
					t.Errorf("TE forwarded: %v, arrived %q", got, o.received())
				}
				want := http.Header{}
				if c.forwarded {
					want = http.Header{"X-Sum": {"1"}, "X-Later": {"2", "3"}, "X-Unannounced": {"4"}}
				}
				if len(resp.Trailer) != len(want) || strings.Join(resp.Trailer["X-Later"], ",") != strings.Join(want["X-Later"], ",") || resp.Trailer.Get("X-Sum") != want.Get("X-Sum") {
					t.Errorf("trailers %v, want %v", resp.Trailer, want)
				}
				if resp.Header.Get("X-Later") != "" || resp.Header.Get("X-Unannounced") != "" {
					t.Errorf("a trailer became a field of the head: %v", resp.Header)
				}
				b.wantOne(rules.Allow, rules.ReasonNone)
			})
		}
	}
}

// A trailer is announced if the destination announced it (RFC 9110, section 6.6.2).
func TestTrailersAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", once(strings.Replace(trailed, "X-Sum, X-Later", "X-Sum, Set-Cookie, X-Later", 1)))
	got := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n").raw()
	if !strings.Contains(strings.ToLower(got), "\r\ntrailer: x-later, x-sum\r\n") || strings.Count(got, "X-Sum: ") != 2 || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("%q", got)
	}
}

// Fields of framing, routing, authentication and of this proxy alone are dropped, in any spelling
// (RFC 9110, section 6.5.1). The other trailers stay.
func TestForbiddenTrailers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Host", "Via", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "TE", "Upgrade", "HTTP2-Settings",
		"Authorization", "WWW-Authenticate", "Set-Cookie", "Cookie", "Content-Encoding", "Content-Type", "Content-Range", "Cache-Control",
		"Location", "Expires", "Max-Forwards", "If-Match", "Forwarded", "X-Forwarded-For", "X-Sallyport-Reason", "X_Sallyport_Hint",
		"Set_Cookie", "content.type", "X_Forwarded_Host", "X-Named", "Access-Control-Allow-Origin", "Strict-Transport-Security", "Content_Length", "Transfer_Encoding",
	} {
		w := newWorld(t, nil)
		w.origin("8.8.8.8:80", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Named\r\n\r\n2\r\nok\r\n0\r\n"+name+": forbidden\r\nX-Kept: kept\r\n\r\n"))
		got := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n").raw()
		if strings.Contains(got, "forbidden") || !strings.HasSuffix(got, "0\r\nX-Kept: kept\r\n\r\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What stands in the place of trailers never becomes a second response or a field of the next one:
// it is a trailer, or the response is cut.
func TestTrailersThatLookLikeResponses(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
	for _, c := range []struct{ name, trailers string }{
		{"a response", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"},
		{"a response behind the trailers", "X: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"},
		{"a response in a value", "X: 1\rHTTP/1.1 200 OK\r\n\r\n"},
		{"a response in a bare LF", "X: 1\nHTTP/1.1 200 OK: x\n\nbad"},
		{"folded", "X: 1\r\n HTTP/1.1 200 OK\r\n\r\n"},
		{"a chunk", "5\r\nworse\r\n0\r\n\r\n"},
		{"no name", ": x\r\n\r\n"},
		{"longer than 4 KiB", strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 20) + "\r\n"},
		{"without an end", strings.Repeat("X: x\r\n", 10000)},
		{"a length that differs", "Content-Length: 100\r\n\r\n"},
	} {
		for _, te := range []string{"", "TE: trailers\r\nConnection: TE\r\n"} {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", once(head+c.trailers))
			e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" + te + "\r\n")
			resp, err := http.ReadResponse(e.r, nil)
			if err != nil {
				t.Fatal(c.name, err)
			}
			body, err := io.ReadAll(resp.Body)
			if string(body) != "ok" && err == nil {
				t.Errorf("%s: body %q, %v", c.name, body, err)
			}
			for _, values := range resp.Trailer {
				if strings.ContainsAny(strings.Join(values, ""), "\r\n") {
					t.Errorf("%s: trailers %q", c.name, resp.Trailer)
				}
			}
			e.conn.CloseWrite()
			if rest, _ := io.ReadAll(e.r); len(rest) > 0 {
				t.Errorf("%s: %q after the answer", c.name, rest)
			}
			if n := o.connections(); n != 1 {
				t.Errorf("%s: %d connections", c.name, n)
			}
		}
	}
	// The answer to the next request comes from a connection without leftovers.
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", answering(head+"X: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nbad"))
	e := w.exchange("")
	for range 3 {
		e.send("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
		resp, err := http.ReadResponse(e.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != "ok" || err != nil || resp.Trailer.Get("X") != "1" {
			t.Errorf("%s %q %v %v", resp.Status, body, err, resp.Trailer)
		}
	}
}

// Trailers of a request are not forwarded: no field says whether the server reads them. They are
// judged all the same.
func TestRequestTrailersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n")
	e.want(200, "")
	if got := o.received(); strings.Contains(got, "X-Sum") || !strings.HasSuffix(got, "\r\n0\r\n\r\n") {
		t.Errorf("arrived %q", got)
	}
}
