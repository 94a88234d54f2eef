// Tests of responses: what destinations can do to a client, and what they cannot.

package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elazarl/goproxy"

	"sallyport/rules"
)

const getA = "GET http://a.example/?password=hunter2 HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: Basic aHVudGVyMg==\r\n\r\n"

// once returns an origin that answers one request with text and closes.
func once(text string) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, r io.Reader) {
		http.ReadRequest(bufio.NewReader(r))
		io.WriteString(conn, text)
	}
}

func TestUpstreamFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		origin func(*net.TCPConn, io.Reader) // nil: nothing listens
		status int
		reason string // in the body
		cause  rules.Cause
	}{
		{"refused", nil, 502, "refused", rules.DialRefused},
		{"closes at once", func(*net.TCPConn, io.Reader) {}, 502, "no valid answer", rules.EndNoAnswer},
		{"no HTTP", once("SSH-2.0-OpenSSH\r\n"), 502, "no valid answer", rules.EndNoAnswer},
		{"unasked upgrade", once("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), 502, "no valid answer", rules.EndNoAnswer},
		{"unasked upgrade without Upgrade", once("HTTP/1.1 101 Switching Protocols\r\n\r\n"), 502, "no valid answer", rules.EndNoAnswer},
		{"head of 1 MiB", once("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), 502, "no valid answer", rules.EndNoAnswer},
		{"1xx without end", once(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10000)), 502, "no valid answer", rules.EndNoAnswer},
		{"two lengths", once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"), 502, "no valid answer", rules.EndNoAnswer},
		{"silent", func(_ *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) }, 504, "timeout", rules.EndIdle},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			w := newWorld(t, func(cfg *Config) {
				if c.cause == rules.EndIdle {
					cfg.Limits.Idle = 200 * time.Millisecond
				}
				cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			})
			if c.origin != nil {
				w.origin("8.8.8.8:80", c.origin)
			}
			e := w.exchange(getA)
			resp, body := e.want(c.status, "")
			if !resp.Close || !strings.Contains(body, c.reason) || !strings.Contains(body, "a.example") {
				t.Errorf("close %v, %q", resp.Close, body)
			}
			e.wantEnd()
			if end := w.wantClosed(); end.Cause != c.cause || len(w.journal.closes()) != 1 {
				t.Errorf("%d ends, cause %q", len(w.journal.closes()), end.Cause)
			}
			if s := log.String() + body + fmt.Sprintf("%+v", w.journal.decisions()); strings.Contains(s, "hunter2") || strings.Contains(s, "aHVu") {
				t.Error("a secret is told")
			}
		})
	}
}

// A response that was cut upstream does not look complete to the client.
func TestAnswerCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text string }{
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
		{"chunked, broken size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"},
		{"Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.origin("8.8.8.8:80", once(c.text))
			e := w.exchange(getA)
			if resp, body := e.answer("GET"); resp.StatusCode != 200 || !strings.HasSuffix(body, "(broken off)") {
				t.Errorf("%s %q", resp.Status, body)
			}
			if end := w.wantClosed(); end.Cause != rules.EndReset {
				t.Errorf("cause %q", end.Cause)
			}
		})
	}
}

// Responses keep their framing, and the connection stays open if it can.
func TestAnswerFraming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, method, text, body string }{
		{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"},
		{"trailers, announced and not", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sallyport-Reason\r\n\r\n" +
			"5\r\nhello\r\n0\r\nX-Sallyport-Reason: not_listed\r\nX-Sallyport-Hint: x\r\n\r\n", "hello"},
		{"to the end", "GET", "HTTP/1.0 200 OK\r\n\r\nhello", "hello"},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", ""},
		{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""},
		{"HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ""},
		{"103 first", "GET", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		{"bytes after it", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nX: split\r\n\r\n", "hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.origin("8.8.8.8:80", once(c.text))
			e := w.exchange(c.method + " http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
			resp, body := e.answer(c.method)
			if body != c.body || c.method == "HEAD" && resp.ContentLength != 9 {
				t.Errorf("%q, length %d", body, resp.ContentLength)
			}
			if len(resp.Trailer) > 0 || resp.Header.Get("Trailer") != "" {
				t.Errorf("trailers %v, header %v", resp.Trailer, resp.Header)
			}
			e.send("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
			e.want(403, "not_listed")
		})
	}
}

// A stream of unknown length reaches the client piece by piece.
func TestAnswerStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		http.ReadRequest(bufio.NewReader(r))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
		<-released
		io.WriteString(conn, "4\r\nlast\r\n0\r\n\r\n")
	})
	e := w.exchange(getA)
	e.conn.SetDeadline(time.Now().Add(5 * time.Second))
	resp, err := http.ReadResponse(e.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first" {
		t.Errorf("%q %v", first, err)
	}
	release()
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "last" {
		t.Errorf("%q %v", rest, err)
	}
}

// If a kept connection ends during a request, the request is repeated on a new connection, as
// the same flow, if it may be repeated.
func TestStaleUpstream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text          string
		status, connections int
	}{
		{"GET", "GET http://a.example/twice HTTP/1.1\r\nHost: a.example\r\n\r\n", 200, 2},
		{"POST", "POST http://a.example/twice HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi", 502, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			first := make(chan struct{}, 1)
			first <- struct{}{}
			o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, recorded io.Reader) {
				r := bufio.NewReader(recorded)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					if req.URL.Path == "/twice" && len(first) > 0 {
						<-first
						return // reads the request and never answers
					}
					io.WriteString(conn, okAnswer)
				}
			})
			e := w.exchange(getA)
			e.want(200, "")
			e.send(c.text)
			e.want(c.status, "")
			if o.connections() != c.connections || strings.Count(o.received(), "/twice") != c.connections {
				t.Errorf("%d connections, arrived %q", o.connections(), o.received())
			}
			w.eventually("the end of both flows", func() bool { return len(w.journal.closes()) == 2 })
			if ds := w.journal.decisions(); len(ds) != 2 || ds[0].a.Flow == ds[1].a.Flow {
				t.Errorf("%+v", ds)
			}
		})
	}
}

// goproxy permits CONNECT by default, and can decrypt TLS. The proxy never lets it do either.
func TestGoproxyIsTame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := &w.p.engine
	e.pseudonym() // makes the engine
	if action, _ := rejectConnect("a.example:443", nil); action != goproxy.RejectConnect {
		t.Error("CONNECT is not rejected")
	}
	for _, target := range []string{"http://a.example/", "/"} {
		rec := httptest.NewRecorder()
		e.proxy.ServeHTTP(rec, httptest.NewRequest("GET", target, nil))
		if rec.Code != http.StatusForbidden {
			t.Errorf("%s without a grant: %d", target, rec.Code)
		}
	}
	if e.proxy.AllowHTTP2 || e.proxy.Tr.Proxy != nil || e.proxy.ConnectDialWithReq != nil {
		t.Error("goproxy has ways of its own")
	}
}
