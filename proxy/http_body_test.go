// Tests of bodies in plain HTTP: complete, broken, refused, answered before their end, and
// abandoned.

package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// Bodies arrive complete, with their framing.
func TestRequestBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, framing, body, arrives string }{
		{"Content-Length", "Content-Length: 5\r\n", "hello", "hello"},
		{"chunked", "Transfer-Encoding: chunked\r\n", "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", "0\r\n\r\n"},
		{"trailers", "Transfer-Encoding: chunked\r\nTrailer: X-Forwarded-For\r\n",
			"3\r\nhel\r\n0\r\nX-Forwarded-For: 10.0.0.1\r\nProxy-Authorization: Basic x\r\nTransfer_Encoding: chunked\r\n\r\n", "0\r\n\r\n"},
		{"expecting 100", "Content-Length: 5\r\nExpect: 100-continue\r\n", "hello", "hello"},
		{"empty", "Content-Length: 0\r\n", "", "Content-Length: 0\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", answering(okAnswer))
			e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" + c.framing + "\r\n" + c.body)
			resp, _ := e.answer("POST")
			if resp.StatusCode != 200 || !strings.Contains(o.received(), c.arrives) {
				t.Errorf("%s, arrived %q", resp.Status, o.received())
			}
			for _, part := range []string{"Trailer", "X-Forwarded-For", "Proxy-Authorization", "Transfer_Encoding"} {
				if strings.Contains(o.received(), part) {
					t.Errorf("%s arrived: %q", part, o.received())
				}
			}
			w.wantOne(rules.Allow, rules.ReasonNone)
			e.send("GET http://a.example/next HTTP/1.1\r\nHost: a.example\r\n\r\n")
			e.want(200, "")
		})
	}
}

// A body that breaks its framing never looks complete to the destination, and bytes after it
// are no request.
func TestRequestBodyBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"3\r\nabc\r\n0x0\r\n\r\nGET http://a.example/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n")
	e.want(400, "malformed_request")
	e.conn.CloseWrite()
	io.Copy(io.Discard, e.r)
	if got := o.received(); strings.HasSuffix(got, "0\r\n\r\n") || strings.Contains(got, "smuggled") {
		t.Errorf("arrived %q", got)
	}
	ds := w.journal.decisions()
	if last := ds[len(ds)-1]; last.d.Allowed() || last.d.Why() != rules.MalformedRequest {
		t.Errorf("%+v", ds)
	}
}

// A destination's answer to Expect reaches the client, without the body and without a delay.
func TestRequestExpectRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		http.ReadRequest(bufio.NewReader(r))
		io.WriteString(conn, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
	})
	e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	e.want(417, "")
	e.wantEnd()
	if strings.Contains(o.received(), "hello") {
		t.Errorf("arrived %q", o.received())
	}
}

// A destination may answer before it has the body. If the client is slow with the rest, the
// connection ends soon, and the rest is no request.
func TestRequestAnsweredEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		http.ReadRequest(bufio.NewReader(r))
		io.WriteString(conn, okAnswer)
		io.Copy(io.Discard, r)
	})
	e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\npart")
	e.want(200, "")
	start := time.Now()
	e.wantEnd()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	w.wantOne(rules.Allow, rules.ReasonNone)
}

// A client that closes its sending half still gets its answer.
func TestRequestHalfClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		http.ReadRequest(bufio.NewReader(r))
		close(arrived)
		<-release
		io.WriteString(conn, okAnswer)
	})
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	<-arrived
	e.conn.CloseWrite()
	time.Sleep(20 * time.Millisecond) // time for a wrong proxy to give up
	close(release)
	e.want(200, "")
	e.wantEnd()
}

// If a client has gone, its request ends.
func TestRequestClientGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	arrived, gone := make(chan struct{}), make(chan struct{})
	w.origin("8.8.8.8:80", func(_ *net.TCPConn, r io.Reader) {
		http.ReadRequest(bufio.NewReader(r))
		close(arrived)
		io.Copy(io.Discard, r)
		close(gone)
	})
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	<-arrived
	peek.Reset(e.conn)
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the upstream connection stays")
	}
	w.wantClosed()
}

// A body that breaks its framing after its request was answered is recorded like a body
// that breaks it before the answer, on every kind of connection.
func TestRequestBodyBrokenLate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, first, broken string }{
		{"size", "3\r\nabc\r\n", "zz\r\n"},
		{"bare LF", "3\r\nabc\r\n", "5\nabcde\n0\n\n"},
		{"trailer", "3\r\nabc\r\n", "0\r\nHost: evil.example\r\n\r\n"},
		{"longer chunk", "3\r\nabc\r\n", "1\r\nabc\r\n"},
		{"a request after it", "3\r\nabc\r\n", "0 \r\n\r\nGET http://a.example/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"},
	} {
		for _, tunnel := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				w := newWorld(t, nil)
				o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
					http.ReadRequest(bufio.NewReader(r))
					io.WriteString(conn, okAnswer)
					io.Copy(io.Discard, r)
				})
				head := "Host: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" + c.first
				var e *exchange
				if tunnel {
					e = &exchange{w: w}
					e.conn, e.r = w.tunnelTo("a.example:80", "POST / HTTP/1.1\r\n"+head)
				} else {
					e = w.exchange("POST http://a.example/ HTTP/1.1\r\n" + head)
				}
				e.want(200, "")
				e.send(c.broken)
				w.eventually("two decisions", func() bool { return len(w.journal.decisions()) == 2 })
				if ds := w.journal.decisions(); !ds[0].d.Allowed() || ds[1].d.Allowed() || ds[1].d.Why() != rules.MalformedRequest || ds[0].a.Flow != ds[1].a.Flow {
					t.Errorf("%+v", ds)
				}
				e.conn.CloseWrite()
				io.Copy(io.Discard, e.r)
				if strings.Contains(o.received(), "smuggled") {
					t.Errorf("arrived %q", o.received())
				}
			})
		}
	}
}

// A body in the smallest chunks costs the destination one segment for each buffer, not for each
// chunk, and arrives complete.
func TestTinyChunksTogether(t *testing.T) {
	const chunks = 50000
	w := newWorld(t, nil)
	got, pieces := make(chan int64, 1), make(chan uint32, 1)
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, req.Body)
		got <- n
		pieces <- segments(t, conn)
		io.WriteString(conn, okAnswer)
	})
	e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" +
		strings.Repeat("1;x\r\ny\r\n", 1000) + strings.Repeat("1\r\nx\r\n", chunks-1000) + "0\r\n\r\n")
	e.want(200, "")
	if n := <-got; n != chunks {
		t.Errorf("%d of %d bytes", n, chunks)
	}
	if n := <-pieces; n > chunks/20 {
		t.Errorf("%d chunks came in %d segments", chunks, n)
	}
}

// If the destination ends the connection, or sends no valid answer, while the client still holds
// its body back, the client gets a 502 at once, and its connection ends.
func TestRequestBodyNotSentYet(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Content-Length: 5\r\n\r\n", "Content-Length: 5\r\n\r\nhe", "Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
		"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", "Content-Length: 1000000\r\n\r\n"} {
		for _, answer := range []string{"", "HTTP/1.1 100 Continue\r\n\r\n", "SSH-2.0-x\r\n\r\n"} {
			t.Run(framing+answer, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				w.origin("8.8.8.8:80", once(answer))
				e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" + framing)
				if resp, _ := e.want(502, ""); !resp.Close || resp.Header.Get("X-Sallyport-Fault") != "no valid answer" || (answer == "") != strings.Contains(resp.Header.Get("X-Sallyport-Hint"), "It may have") {
					t.Error(resp.Header)
				}
				e.wantEnd()
				if end := w.wantClosed(); end.Cause != rules.EndNoAnswer || end.Duration > int64(5*time.Second) {
					t.Errorf("%+v", end)
				}
			})
		}
	}
}
