// Tests that bytes do not wait: what has arrived from a client or a destination is passed on
// before anything waits for more, in every framing. Each step waits for the step before, so
// a byte that is held back ends the test.

package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A script is an origin that reads a head and then sends one text after the other, each when
// the test tells it to, and closes.
type script chan string

func newScript(t *testing.T) script {
	s := make(script)
	t.Cleanup(func() { close(s) })
	return s
}

func (s script) serve(conn *net.TCPConn, r io.Reader) {
	http.ReadRequest(bufio.NewReader(r))
	for text := range s {
		io.WriteString(conn, text)
	}
}

func (s script) say(t *testing.T, text string) {
	t.Helper()
	select {
	case s <- text:
	case <-time.After(10 * time.Second):
		t.Fatalf("no request has come for %q", text)
	}
}

// until reads from the client's end of a connection until text has arrived.
func (e *exchange) until(text string) {
	e.w.t.Helper()
	var got strings.Builder
	for !strings.HasSuffix(got.String(), text) {
		b, err := e.r.ReadByte()
		if err != nil {
			e.w.t.Fatalf("%q, %v; want %q", got.String(), err, text)
		}
		got.WriteByte(b)
	}
}

// The head is passed on without the body, and each piece without the next.
func TestAnswerPiecesDoNotWait(t *testing.T) {
	t.Parallel()
	type step struct{ sent, seen string }
	for _, c := range []struct {
		name, request string
		steps         []step
	}{
		{"Content-Length", "GET / HTTP/1.1", []step{
			{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "\r\n\r\n"}, {"01234", "01234"}, {"5", "5"}, {"6789", "6789"}}},
		{"part of a range", "GET / HTTP/1.1\r\nRange: bytes=5-9", []step{
			{"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n", "\r\n\r\n"}, {"56", "56"}, {"789", "789"}}},
		{"chunked", "GET / HTTP/1.1", []step{
			{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n"}, {"5\r\nfirst\r\n", "first\r\n"}, {"4\r\nlast\r\n", "last\r\n"}, {"0\r\n\r\n", "0\r\n\r\n"}}},
		{"slow chunk", "GET / HTTP/1.1", []step{
			{"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n01", "01\r\n"}, {"23", "23\r\n"}, {"4", "4\r\n"},
			{strings.Repeat("x", 4090) + "z", "z\r\n"}, {"\r\n3;x=y\r\n0", "0\r\n"}, {"12\r\n2", "12\r\n"}, {"\r\n34", "34\r\n"}, {"\r\n0\r\n\r\n", "0\r\n\r\n"}}},
		{"slow chunk in its head's segment", "GET / HTTP/1.1", []step{
			{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfFfF \r\n0123", "0123\r\n"}, {"4", "4\r\n"}}},
		{"server-sent events", "GET / HTTP/1.1\r\nAccept: text/event-stream", []step{
			{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n"}, {"9\r\ndata: 1\n\n\r\n", "data: 1\n\n\r\n"}}},
		{"until close", "GET / HTTP/1.1", []step{{"HTTP/1.1 200 OK\r\n\r\n", "\r\n\r\n"}, {"one", "one\r\n"}, {"two", "two\r\n"}}},
		{"HTTP/1.0 client", "GET / HTTP/1.0", []step{
			{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n"}, {"3\r\none\r\n", "one"}, {"3\r\ntwo\r\n0\r\n\r\n", "two"}}},
		{"HTTP/1.0 server", "GET / HTTP/1.1", []step{{"HTTP/1.0 200 OK\r\n\r\n", "\r\n\r\n"}, {"one", "one\r\n"}}},
		{"HEAD", "HEAD / HTTP/1.1", []step{{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "\r\n\r\n"}}},
		{"204", "GET / HTTP/1.1", []step{{"HTTP/1.1 204 No Content\r\n\r\n", "\r\n\r\n"}}},
		{"304", "GET / HTTP/1.1", []step{{"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", "\r\n\r\n"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			next := newScript(t)
			w.origin("8.8.8.8:80", next.serve)
			e := w.exchange(strings.Replace(c.request, " /", " http://a.example/", 1) + "\r\nHost: a.example\r\n\r\n")
			for _, s := range c.steps {
				next.say(t, s.sent)
				e.until(s.seen)
			}
			w.wantOne(rules.Allow, rules.ReasonNone)
		})
	}
}

// The same holds for a body on its way to the destination. An answer may begin, and continue,
// while the body still arrives.
func TestRequestPiecesDoNotWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, framing string
		pieces        []string
		arrives       []string
	}{
		{"Content-Length", "Content-Length: 10", []string{"01234", "5", "6789"}, []string{"01234", "5", "6789"}},
		{"chunked", "Transfer-Encoding: chunked", []string{"5\r\nfirst\r\n", "4\r\nla", "st\r\n", "0\r\n\r\n"}, []string{"first\r\n", "la\r\n", "st\r\n", "0\r\n\r\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			next := newScript(t)
			o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
				go io.Copy(io.Discard, r)
				for text := range next {
					io.WriteString(conn, text)
				}
			})
			e := w.exchange("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" + c.framing + "\r\n\r\n")
			w.eventually("the head without the body", func() bool { return strings.HasSuffix(o.received(), "\r\n\r\n") })
			next.say(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			e.until("\r\n\r\n")
			for i, p := range c.pieces {
				e.send(p)
				w.eventually("piece "+p, func() bool { return strings.HasSuffix(o.received(), c.arrives[i]) })
				next.say(t, fmt.Sprintf("1\r\n%d\r\n", i))
				e.until(fmt.Sprintf("%d\r\n", i))
			}
			next.say(t, "0\r\n\r\n")
			e.until("0\r\n\r\n")
			w.wantOne(rules.Allow, rules.ReasonNone)
		})
	}
}

// A long body costs no memory, in either direction.
func TestLongBodiesNeedNoMemory(t *testing.T) {
	const size = 256 << 20
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		if req, err := http.ReadRequest(bufio.NewReader(conn)); err != nil || req.Method == "POST" {
			n, _ := io.Copy(io.Discard, req.Body)
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Got: %d\r\nContent-Length: 0\r\n\r\n", n)
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		io.CopyN(conn, zeros{}, size)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	resp, err := http.ReadResponse(e.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("down: %d bytes, %v", n, err)
	}
	e = w.exchange(fmt.Sprintf("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n", size))
	if n, err := io.CopyN(e.conn, zeros{}, size); err != nil {
		t.Errorf("up: %d bytes, %v", n, err)
	}
	if resp, _ := e.want(200, ""); resp.Header.Get("X-Got") != fmt.Sprint(size) {
		t.Errorf("up: %v", resp.Header)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("%d bytes were allocated for 2 × %d", got, size)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Many small pieces that are available at once cost few writes: an answer is flushed when
// nothing more is available, not after each piece.
func TestAnswerPiecesTogether(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat("1\r\nx\r\n", 10000)+"0\r\n\r\n"))
	e := w.exchange(getA)
	resp, err := http.ReadResponse(e.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != 10000 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if n := segments(t, e.conn); n > 1000 {
		t.Errorf("10000 pieces came in %d segments", n)
	}
}
