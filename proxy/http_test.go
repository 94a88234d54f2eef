// Tests of plain HTTP through the proxy: who is asked, what arrives, what
// does not. Origins record every byte.

package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// answering is an origin that reads requests, bodies included, and answers
// each with text.
func answering(text string) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, recorded io.Reader) {
		r := bufio.NewReader(recorded)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			io.WriteString(conn, text)
		}
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// An exchange is one connection to the proxy.
type exchange struct {
	w    *world
	conn *net.TCPConn
	r    *bufio.Reader
}

func (w *world) exchange(text string) *exchange {
	w.t.Helper()
	e := &exchange{w: w, conn: w.dial(w.http)}
	e.r = bufio.NewReader(e.conn)
	e.send(text)
	return e
}

func (e *exchange) send(text string) {
	e.w.t.Helper()
	if _, err := io.WriteString(e.conn, text); err != nil {
		e.w.t.Fatal(err)
	}
}

// answer reads one response to a request with the method.
func (e *exchange) answer(method string) (*http.Response, string) {
	e.w.t.Helper()
	resp, err := http.ReadResponse(e.r, &http.Request{Method: method})
	if err != nil {
		e.w.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		body = append(body, " (broken off)"...)
	}
	return resp, string(body)
}

// want reads one response and holds its status and X-Sallyport-Reason.
func (e *exchange) want(status int, reason string) (*http.Response, string) {
	e.w.t.Helper()
	resp, body := e.answer("GET")
	if resp.StatusCode != status || resp.Header.Get("X-Sallyport-Reason") != reason {
		e.w.t.Errorf("%d %q %q, want %d %q", resp.StatusCode, resp.Header.Get("X-Sallyport-Reason"), body, status, reason)
	}
	return resp, body
}

// wantEnd holds that the proxy says no more and closes.
func (e *exchange) wantEnd() {
	e.w.t.Helper()
	if rest, err := io.ReadAll(e.r); len(rest) > 0 || err != nil {
		e.w.t.Errorf("%q, %v behind the last answer", rest, err)
	}
}

// connections is how many connections an origin had.
func (o *origin) connections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// A permitted request arrives as it was sent, less what is for one hop or not
// the client's to say.
func TestRequestArrives(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // the environment does not matter
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop, keep-alive\r\n"+
		"X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Sallyport-Reason: fake\r\nX-Sallyport-Fault: fake\r\nX-End: 2\r\n\r\nok"))
	e := w.exchange("GET http://A.EXAMPLE.:80/p%41th?secret=1 HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: br\r\n" +
		"Connection: X-Named, Host, keep-alive\r\nX-Named: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: websocket\r\nHTTP2-Settings: AA\r\n" +
		"Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic c2VjcmV0\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n" +
		"X-Upstream-Https-Proxy: x\r\nVia: 1.1 before\r\nX-End: to end\r\nCookie: c=1\r\n\r\n")
	resp, body := e.want(200, "")
	if body != "ok" || resp.Header.Get("X-End") != "2" || !strings.Contains(resp.Header.Get("Via"), "sallyport-") {
		t.Errorf("%q %v", body, resp.Header)
	}
	for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Upgrade", "Content-Type", "X-Sallyport-Fault"} {
		if resp.Header.Get(name) != "" {
			t.Errorf("%s came back", name)
		}
	}
	lines := strings.Split(strings.TrimSuffix(o.received(), "\r\n\r\n"), "\r\n")
	slices.Sort(lines[1:])
	want := []string{"GET /p%41th?secret=1 HTTP/1.1", "Accept-Encoding: br", "Cookie: c=1", "Host: a.example",
		"Via: 1.1 before, 1.1 " + w.p.engine.name, "X-End: to end"}
	if !slices.Equal(lines, want) {
		t.Errorf("arrived:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	got := w.wantOne(rules.Allow, rules.ReasonNone)
	if a := got.a; a.Via != rules.HTTP || a.Authority.String() != "a.example" || a.Host.String() != "a.example" || a.HostPort != 80 ||
		a.Dest != netip.MustParseAddrPort("8.8.8.8:80") || len(a.Resolved) != 1 || a.Shown != rules.ShownHTTP {
		t.Errorf("%+v", a)
	}
	c := w.wantClosed()
	if int(c.BytesIn) != len(o.received()) || c.BytesOut < 100 || c.Cause != "" || c.Dialed != got.a.Dest || c.Attempt.Flow != got.a.Flow {
		t.Errorf("%+v", c)
	}
}

// A denied request is answered, journaled once, and nothing else happens: no
// look-up, no connection, and what is pipelined behind it is not read.
func TestRequestDenied(t *testing.T) {
	cases := []struct {
		name, text string
		status     int
		reason     rules.Reason
	}{
		{"not listed", "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, rules.NotListed},
		{"below a listed name", "GET http://x.a.example/ HTTP/1.1\r\nHost: x.a.example\r\n\r\n", 403, rules.NotListed},
		{"port", "GET http://a.example:81/ HTTP/1.1\r\nHost: a.example:81\r\n\r\n", 403, rules.PortNotListed},
		{"port that carries TLS", "GET http://a.example:443/ HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 403, rules.NotTLS},
		{"Host of another name", "GET http://a.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, rules.HostMismatch},
		{"Host of another permitted name", "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", 403, rules.HostMismatch},
		{"Host with another port", "GET http://a.example/ HTTP/1.1\r\nHost: a.example:5000\r\n\r\n", 403, rules.HostMismatch},
		{"Host that is an address", "GET http://a.example/ HTTP/1.1\r\nHost: 8.8.8.8\r\n\r\n", 403, rules.HostMismatch},
		{"address", "GET http://8.8.8.8/ HTTP/1.1\r\nHost: 8.8.8.8\r\n\r\n", 403, rules.IPLiteral},
		{"mapped loopback", "GET http://[::ffff:127.0.0.1]:9180/ HTTP/1.1\r\nHost: [::ffff:127.0.0.1]:9180\r\n\r\n", 403, rules.Self},
		{"our own listener", "GET http://127.0.0.1:9180/ HTTP/1.1\r\nHost: 127.0.0.1:9180\r\n\r\n", 403, rules.Self},
		{"with a body", "POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\n\r\nhello", 403, rules.NotListed},
		{"name with a NUL", "GET http://evil.example\x00.a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"bad name", "GET http://a..example/ HTTP/1.1\r\nHost: a..example\r\n\r\n", 400, rules.MalformedName},
		{"two Hosts", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"CL and TE", "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, rules.MalformedRequest},
		{"chunked in HTTP/1.0", "POST http://a.example/ HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, rules.MalformedRequest},
		{"bare LF", "GET http://a.example/ HTTP/1.1\nHost: a.example\n\n", 400, rules.MalformedRequest},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, rules.MalformedRequest},
		{"origin-form", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"https", "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"TRACE", "TRACE http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"too long", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", 431, rules.SniffTooLong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", answering(okAnswer))
			e := &exchange{w: w, conn: w.dial(w.http)}
			e.r = bufio.NewReader(e.conn)
			// A refusal can come before all is sent; the rest may then fail.
			go io.WriteString(e.conn, c.text+"GET http://a.example/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n")
			resp, body := e.want(c.status, c.reason.String())
			if !resp.Close || !strings.Contains(body, c.reason.String()) || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("close %v, %q, %v", resp.Close, body, resp.Header)
			}
			e.conn.CloseWrite()
			if rest, _ := io.ReadAll(e.r); len(rest) > 0 {
				t.Errorf("%q behind the refusal", rest)
			}
			w.wantOne(rules.Deny, c.reason)
			if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 || o.received() != "" {
				t.Errorf("dialed %v, looked up %v, arrived %q", w.dialed(), w.lookedUp(), o.received())
			}
		})
	}
}

// The recorder of TestRequestDenied would have seen a request.
func TestRequestRecorded(t *testing.T) {
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n").want(200, "")
	if len(w.dialed()) != 1 || len(w.lookedUp()) != 1 || o.received() == "" {
		t.Errorf("dialed %v, looked up %v, arrived %q", w.dialed(), w.lookedUp(), o.received())
	}
}

// A denial reaches a client that goes on sending: closing over its bytes would
// reset the connection and take the answer along.
func TestDenialOutlivesBody(t *testing.T) {
	w := newWorld(t, nil)
	e := w.exchange("POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 200000\r\n\r\n")
	w.wantOne(rules.Deny, rules.NotListed)
	for range 200 {
		if _, err := e.conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	e.want(403, "not_listed")
	e.conn.CloseWrite()
	e.wantEnd()
}

// A denial says in the wanted form what and why; HEAD gets no body.
func TestDenialForms(t *testing.T) {
	w := newWorld(t, nil)
	e := w.exchange("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nAccept: application/json\r\n\r\n")
	resp, body := e.want(403, "not_listed")
	if resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"reason":"not_listed"`) || !strings.Contains(body, `"hint":`) {
		t.Errorf("%v %s", resp.Header, body)
	}
	e = w.exchange("HEAD http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	if resp, _ := e.answer("HEAD"); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	e.wantEnd()
	e = w.exchange("GET / HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n")
	if _, body := e.want(400, "malformed_request"); !strings.Contains(body, "This is a proxy") {
		t.Error(body)
	}
}

// A permitted name that leads inside is refused after the look-up, without a
// connection, and the journal has one line.
func TestRequestPrivateAddress(t *testing.T) {
	w := newWorld(t, nil)
	e := w.exchange("GET http://inside.example/ HTTP/1.1\r\nHost: inside.example\r\n\r\n")
	if resp, _ := e.want(403, "private_address"); !resp.Close {
		t.Error("kept alive")
	}
	e.wantEnd()
	w.wantOne(rules.Deny, rules.PrivateAddress)
	if len(w.dialed()) > 0 || len(w.journal.closes()) > 0 {
		t.Errorf("dialed %v, closed %v", w.dialed(), w.journal.closes())
	}
}

// Every request of a connection is decided; upstream connections are reused
// for the same name of the same client and for nothing else.
func TestRequestsDecidedOneByOne(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.origin("8.8.8.8:80", answering(okAnswer)), w.origin("8.8.8.6:80", answering(okAnswer))
	toA := "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
	e := w.exchange(toA)
	e.want(200, "")
	e.send(toA)
	e.want(200, "")
	if a.connections() != 1 {
		t.Errorf("%d connections for two requests", a.connections())
	}
	e.send("GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n" + toA) // pipelined
	e.want(200, "")
	e.want(200, "")
	if strings.Contains(b.received(), "a.example") || strings.Contains(a.received(), "b.example") {
		t.Errorf("mixed up: a %q, b %q", a.received(), b.received())
	}
	other := w.exchange(toA)
	other.want(200, "")
	if a.connections() != 2 {
		t.Errorf("%d connections for two clients", a.connections())
	}
	e.send("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n" + toA)
	e.want(403, "not_listed")
	e.conn.CloseWrite()
	io.Copy(io.Discard, e.r)
	ds := w.journal.decisions()
	if len(ds) != 6 || ds[5].d.Allowed() {
		t.Errorf("%d decisions", len(ds))
	}
	flows := map[uint64]bool{}
	for _, d := range ds {
		flows[d.a.Flow] = true
	}
	if len(flows) != 6 {
		t.Errorf("flows %v", flows)
	}
	w.policy(`[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
`)
	other.send(toA)
	other.want(403, "not_listed")
	if len(w.journal.closes()) != 5 {
		t.Errorf("%d ends of flows", len(w.journal.closes()))
	}
}

// Bodies arrive whole, framed as they were.
func TestRequestBodies(t *testing.T) {
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
			if resp.StatusCode == 100 {
				resp, _ = e.answer("POST")
			}
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

// A body that breaks its framing never looks whole to the destination, and
// what is behind it is no request.
func TestRequestBodyBroken(t *testing.T) {
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

// What a destination answers to Expect reaches the client, without the body
// and without a hang.
func TestRequestExpectRefused(t *testing.T) {
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

// A destination may answer before it has the body. Where the client is slow
// with the rest, the connection ends soon, and the rest is no request.
func TestRequestAnsweredEarly(t *testing.T) {
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
	time.Sleep(20 * time.Millisecond) // room for a wrong proxy to give up
	close(release)
	e.want(200, "")
	e.wantEnd()
}

// A client that is gone takes its request with it.
func TestRequestClientGone(t *testing.T) {
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
	reset(e.conn)
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the upstream connection stays")
	}
	w.wantClosed()
}

// A head must come whole in time; who sends nothing is only counted.
func TestRequestHeadDeadline(t *testing.T) {
	w := newWorld(t, impatient)
	e := w.exchange("")
	e.wantEnd()
	w.eventually("count", func() bool { return w.p.Stats().Empty == 1 })
	if n := len(w.journal.decisions()); n != 0 {
		t.Errorf("%d decisions about nothing", n)
	}
	start := time.Now()
	e = w.exchange("GET http://a.exam")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond): // an attacker's pace
				io.WriteString(e.conn, "p")
			}
		}
	}()
	e.want(408, "sniff_timeout")
	close(stop)
	<-stopped
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	w.wantOne(rules.Deny, rules.SniffTimeout)
}

// A head that ends too early is on record.
func TestRequestHeadCut(t *testing.T) {
	w := newWorld(t, nil)
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\n")
	e.conn.CloseWrite()
	io.Copy(io.Discard, e.r)
	w.wantOne(rules.Deny, rules.MalformedRequest)
}

// A request that comes back to us is refused.
func TestRequestLoop(t *testing.T) {
	w := newWorld(t, nil)
	w.exchange(fmt.Sprintf("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 x, 1.1 %s\r\n\r\n",
		w.p.engine.pseudonym())).want(403, "self")
	w.wantOne(rules.Deny, rules.Self)
}

// CONNECT may follow requests on the same connection.
func TestConnectAfterRequest(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", answering(okAnswer))
	o := w.origin("8.8.8.8:443", echo)
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	e.want(200, "")
	hello := string(helloFor(t, "a.example"))
	e.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n" + hello)
	if resp, err := http.ReadResponse(e.r, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	if _, err := io.ReadFull(e.r, make([]byte, len(hello))); err != nil || o.received() != hello {
		t.Errorf("%v, arrived %q", err, o.received())
	}
}

// A panic while a request is served is one connection's end, counted and
// denied, wherever it happens.
func TestRequestPanic(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Lookup = func(context.Context, rules.Name) ([]netip.Addr, error) { panic("boom") }
	})
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	io.Copy(io.Discard, e.r)
	w.eventually("count", func() bool { return w.p.Stats().Panics == 1 })
	w.wantOne(rules.Deny, rules.MalformedRequest)
}
