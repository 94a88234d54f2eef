// Tests of clients that leave while their request is served, and of clients that only seem to
// leave: a client that has closed its sending half still reads.

package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A slowOrigin is an origin that reads a request and answers only when the test tells it to.
type slowOrigin struct {
	arrived chan struct{}
	answer  chan string
	gone    chan struct{}
}

func newSlowOrigin(t *testing.T) *slowOrigin {
	o := &slowOrigin{make(chan struct{}, 9), make(chan string, 1), make(chan struct{}, 9)}
	t.Cleanup(func() { close(o.answer) })
	return o
}

func (o *slowOrigin) serve(conn *net.TCPConn, r io.Reader) {
	br := bufio.NewReader(r)
	for {
		req, err := http.ReadRequest(br)
		if err != nil {
			break
		}
		io.Copy(io.Discard, req.Body)
		o.arrived <- struct{}{}
		go func() {
			if text := <-o.answer; text != "" {
				io.WriteString(conn, text)
			}
		}()
	}
	o.gone <- struct{}{}
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s after ten seconds", what)
	}
}

// If a client closes its connection, its request ends at once, however the client closes and
// whatever it has sent after the request. The record gives the cause.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
		for _, c := range []struct {
			name, behind string
			leave        func(*net.TCPConn)
		}{
			{"closes", "", func(c *net.TCPConn) { c.Close() }},
			{"resets", "", peek.Reset},
			{"half-closes, then closes", "", func(c *net.TCPConn) { c.CloseWrite(); c.Close() }},
			{"closes, with a second request", "GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", func(c *net.TCPConn) { c.Close() }},
			{"resets, with a second request", "GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", peek.Reset},
		} {
			t.Run(version+" "+c.name, func(t *testing.T) {
				w := newWorld(t, nil)
				o := newSlowOrigin(t)
				w.origin("8.8.8.8:80", o.serve)
				e := w.exchange("GET http://a.example/ " + version + "\r\nHost: a.example\r\n\r\n" + c.behind)
				wait(t, "request", o.arrived)
				c.leave(e.conn)
				wait(t, "end of the upstream connection", o.gone)
				if end := w.wantClosed(); end.Cause != rules.EndGone {
					t.Errorf("cause %v", end.Cause)
				}
				w.wantOne(rules.Allow, rules.ReasonNone)
				w.eventually("free slot", func() bool { return w.p.Stats().Connections == 0 })
			})
		}
	}
}

// The client leaves while its answer or its body is on the way.
func TestClientLeavesInTheMidst(t *testing.T) {
	t.Parallel()
	t.Run("of the answer", func(t *testing.T) {
		w := newWorld(t, nil)
		gone := make(chan struct{})
		w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
			http.ReadRequest(bufio.NewReader(r))
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
			io.Copy(conn, zeros{})
			close(gone)
		})
		e := w.exchange(getA)
		e.until("\r\n\r\n")
		e.conn.Close()
		wait(t, "end of the upstream connection", gone)
		if end := w.wantClosed(); end.Cause != rules.EndGone {
			t.Errorf("cause %v", end.Cause)
		}
	})
	for _, framing := range []string{"Content-Length: 1000\r\n\r\npart", "Transfer-Encoding: chunked\r\n\r\n9\r\npart", "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"} {
		t.Run("of "+framing, func(t *testing.T) {
			w := newWorld(t, nil)
			o := newSlowOrigin(t)
			to := w.origin("8.8.8.8:80", o.serve)
			e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" + framing)
			w.eventually("part", func() bool { return strings.Contains(to.received(), "part") })
			e.conn.Close()
			wait(t, "end of the upstream connection", o.gone)
			if end := w.wantClosed(); end.Cause != rules.EndGone {
				t.Errorf("cause %v", end.Cause)
			}
			if strings.HasSuffix(to.received(), "0\r\n\r\n") {
				t.Errorf("the part looks whole: %q", to.received())
			}
		})
	}
}

// printf … | nc -N sends the request and then closes the sending half. The client gets the answer
// as any other client does, with its interim responses.
func TestClientHalfCloses(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
		w := newWorld(t, nil)
		o := newSlowOrigin(t)
		w.origin("8.8.8.8:80", o.serve)
		e := w.exchange("GET http://a.example/ " + version + "\r\nHost: a.example\r\n\r\n")
		wait(t, "request", o.arrived)
		e.conn.CloseWrite()
		e.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if b, err := e.r.Peek(1); err != nil || b[0] != 'H' { // the probe has arrived
			t.Fatalf("%q %v", b, err)
		}
		o.answer <- "HTTP/1.1 103 Early Hints\r\n\r\n" + okAnswer
		_, body := e.want(200, "")
		if body != "ok" || len(e.interims) != map[string]int{"HTTP/1.1": 1, "HTTP/1.0": 0}[version] {
			t.Errorf("%q, %d interim responses", body, len(e.interims))
		}
		e.wantEnd()
		if end := w.wantClosed(); end.Cause != rules.EndClean {
			t.Errorf("cause %v", end.Cause)
		}
	}
}

// A client that half-closes and then waits has the time limit of a half-closed tunnel. Each piece
// of the answer renews the limit.
func TestClientHalfClosedLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.HalfClosed = 200 * time.Millisecond })
	o := newSlowOrigin(t)
	w.origin("8.8.8.8:80", o.serve)
	e := w.exchange(getA)
	wait(t, "request", o.arrived)
	e.conn.CloseWrite()
	wait(t, "end of the upstream connection", o.gone)
	if end := w.wantClosed(); end.Cause != rules.EndHalfClosed {
		t.Errorf("cause %v", end.Cause)
	}
}

// Empty lines before a request line are ignored, on a new connection and between requests, up to a
// limit. Empty lines alone are not a request (RFC 9112, section 2.2).
func TestEmptyLines(t *testing.T) {
	t.Parallel()
	const get = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", answering(okAnswer))
	e := w.exchange("\r\n" + get)
	e.want(200, "")
	e.send("\r")
	e.send("\n\r\n")
	e.send(get)
	e.want(200, "")
	e.send("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi\r\n" + get)
	e.want(200, "")
	e.want(200, "")
	e.send("\r\n")
	e.conn.CloseWrite()
	e.wantEnd()
	if ds := w.journal.decisions(); len(ds) != 4 || !ds[3].d.Allowed() {
		t.Errorf("%+v", ds)
	}
	w = newWorld(t, nil)
	o := w.origin("8.8.8.8:5000", nil)
	conn, r := w.tunnelTo("a.example:5000", "\r\n\r\nGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	(&exchange{w: w, conn: conn, r: r}).want(403, "host_mismatch")
	if w.wantOne(rules.Deny, rules.HostMismatch); o.received() != "" {
		t.Errorf("arrived %q", o.received())
	}
	for _, bad := range []string{strings.Repeat("\r\n", head.MaxEmptyLines+1), "\n", "\r", " \r\n"} {
		w := newWorld(t, nil)
		w.exchange(bad+get).want(400, "malformed_request")
		w.wantOne(rules.Deny, rules.MalformedRequest)
	}
}
