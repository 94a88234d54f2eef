// Tests of parents that lie: each answer is one that a broken or hostile proxy could give. Whatever
// it is, the client gets no second answer in it, and never our login, and nothing goes elsewhere.

package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// The answer that a lie smuggles behind another one.
const (
	poison   = "POISON"
	smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + poison
)

// lying answers the first request of each connection with text, and then ends it if closes is set. It
// answers each later request with its target.
func lying(text string, closes bool) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, r io.Reader) {
		b := bufio.NewReader(r)
		for first := true; ; first = false {
			req, err := http.ReadRequest(b)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			switch {
			case first && strings.Contains(req.RequestURI, "a.example"):
				io.WriteString(conn, text)
				if closes {
					return
				}
			default:
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(req.RequestURI), req.RequestURI)
			}
		}
	}
}

// Lies about a request in absolute-form. A client asks for one destination and, on the same
// connection, for another one.
func TestParentLiesInAbsoluteForm(t *testing.T) {
	t.Parallel()
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct {
		what, method, answer string
		closes               bool
		status               int    // of the first answer; 0: any
		body                 string // of the first answer
		cut                  bool   // the first answer ends before its time
	}{
		{"two answers", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst" + smuggled, false, 200, "first", false},
		{"a length that is too small", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + smuggled, false, 200, "", false},
		{"a length and chunks", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, false, 200, "", false}, // the chunks count (RFC 9112, section 6.3)
		{"two lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + smuggled, false, 502, "", false},
		{"a list of lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0, 44\r\n\r\n" + smuggled, false, 502, "", false},
		{"a negative length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + smuggled, false, 502, "", false},
		{"a signed length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n" + smuggled, false, 502, "", false},
		{"a coding that does not exist", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n" + smuggled, false, 502, "", false},
		{"chunks twice", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + smuggled, false, 502, "", false},
		{"a chunk of a huge size", "GET", chunked + "ffffffffffffffff1\r\nx", true, 200, "", true},
		{"a chunk of a negative size", "GET", chunked + "-1\r\nx\r\n0\r\n\r\n" + smuggled, true, 200, "", true},
		{"a chunk with a bare line feed", "GET", chunked + "5\nhello\r\n0\r\n\r\n" + smuggled, true, 200, "", true},
		{"an answer behind the last chunk", "GET", chunked + "5\r\nhello\r\n0\r\n\r\n" + smuggled, false, 200, "hello", false},
		{"an answer in the trailers", "GET", chunked + "5\r\nhello\r\n0\r\nContent-Length: 0\r\nProxy-Authenticate: Basic\r\n\r\n", false, 200, "hello", false},
		{"half a chunk", "GET", chunked + "5\r\nhe", true, 200, "he", true},
		{"half a body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", true, 200, "he", true},
		{"half a head", "GET", "HTTP/1.1 200 OK\r\nContent-Le", true, 502, "", false},
		{"a body of 204", "GET", "HTTP/1.1 204 No Content\r\n\r\n" + smuggled, false, 204, "", false},
		{"a body of 304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n" + smuggled, false, 304, "", false},
		{"a body for HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n" + smuggled, false, 200, "", false},
		{"a switch that was not asked for", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + smuggled, false, 502, "", false},
		{"interim answers without end", "GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 300) + smuggled, false, 502, "", false},
		{"an interim answer and an end", "GET", "HTTP/1.1 100 Continue\r\n\r\n", true, 502, "", false},
		{"a head without end", "GET", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: bbbbbbbbbbbbbbbbbbbbbbbb\r\n", 4000), true, 502, "", false},
		{"a line without end", "GET", "HTTP/1.1 200 " + strings.Repeat("x", 1<<18), true, 502, "", false},
		{"a NUL in a field", "GET", "HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 0\r\n\r\n", false, 502, "", false},
		{"a space before the colon", "GET", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\nall of it", true, 200, "all of it", false}, // the field is removed
		{"no head at all", "GET", "hello, world\r\n\r\n", true, 502, "", false},
		{"another version", "GET", "HTTP/2 200 OK\r\n\r\n", true, 502, "", false},
		{"TLS", "GET", "\x15\x03\x01\x00\x02\x02\x28", true, 502, "", false},
		{"a status of two digits", "GET", "HTTP/1.1 20 OK\r\n\r\n", true, 502, "", false},
		{"a status of four digits", "GET", "HTTP/1.1 2000 OK\r\n\r\n", true, 502, "", false},
		{"407 again and again", "GET", strings.Repeat("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", 3), false, 502, "", false},
		{"our login in every place", "GET", "HTTP/1.1 403 " + parentLogin + "\r\nX-" + parentLogin[:12] + ": Basic " + parentLogin + "\r\nProxy-Authenticate: " + parentLogin + "\r\nContent-Length: 33\r\n\r\nsally:hunter2 " + parentLogin[:19], false, 403, "************* ******************=", false},
		{"our password alone", "GET", "HTTP/1.1 403 No\r\nContent-Length: 16\r\n\r\npassword hunter2", false, 403, "password *******", false},
		{"our login in the trailers", "GET", chunked + "2\r\nhi\r\n0\r\nX-Echo: Basic " + parentLogin + "\r\nX-Password: hunter2\r\n\r\n", false, 200, "hi", false},
		{"a redirect to another proxy", "GET", "HTTP/1.1 305 Use Proxy\r\nLocation: http://10.66.66.66:3128/\r\nContent-Length: 0\r\n\r\n", false, 305, "", false},
	} {
		w, parent := parentWorld(t, "", lying(c.answer, c.closes))
		conn := w.dial(w.http)
		var raw bytes.Buffer
		r := bufio.NewReader(io.TeeReader(conn, &raw))
		fmt.Fprintf(conn, "%s http://a.example/one HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE\r\n\r\n", c.method)
		resp, body, cut := answerOf(t, c.what, r, c.method)
		if c.status != 0 && resp.StatusCode != c.status || c.status != 502 && body != c.body || cut != c.cut || strings.Contains(body, poison) {
			t.Errorf("%s: %s %q, cut %t", c.what, resp.Status, body, cut)
		}
		w.noLogin(c.what, resp, body)
		if !cut && !resp.Close {
			io.WriteString(conn, "GET http://b.example/two HTTP/1.1\r\nHost: b.example\r\n\r\n")
			resp, body, _ = answerOf(t, c.what, r, "GET")
			if body != "http://b.example/two" {
				t.Errorf("%s: the second answer is %s %q", c.what, resp.Status, body)
			}
		}
		conn.Close()
		if strings.Contains(raw.String(), "Content-Length :") {
			t.Errorf("%s: the client got %q", c.what, raw.String())
		}
		if got := parent.received(); strings.Count(got, "http://a.example/one") != 1 {
			t.Errorf("%s: the parent was asked %d times", c.what, strings.Count(got, "http://a.example/one"))
		}
		if end := w.wantClosed(); end.Attempt.Parent == nil {
			t.Errorf("%s: the record has no parent", c.what)
		}
		w.onlyTo(parentAt)
	}
}

// answerOf reads one answer that is not interim. cut means that it ended before its time.
func answerOf(t *testing.T, what string, r *bufio.Reader, method string) (resp *http.Response, body string, cut bool) {
	t.Helper()
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		b, err := io.ReadAll(resp.Body)
		if resp.StatusCode >= 200 {
			return resp, string(b), err != nil
		}
	}
}

// noLogin checks that an answer has nothing of our login for the parent.
func (w *world) noLogin(what string, resp *http.Response, body string) {
	w.t.Helper()
	var all strings.Builder
	resp.Header.Write(&all)
	resp.Trailer.Write(&all)
	for _, secret := range []string{parentLogin, "hunter2", parentLogin[:19]} {
		if strings.Contains(resp.Status+all.String()+body, secret) {
			w.t.Errorf("%s: the client sees our login: %s %s %q", what, resp.Status, all.String(), body)
		}
	}
}

// Lies about a CONNECT. fault is "" if the tunnel is there.
func TestParentLiesAboutConnect(t *testing.T) {
	t.Parallel()
	long := func(n int) string {
		head := "HTTP/1.1 200 OK\r\nA: "
		return head + strings.Repeat("b", n-len(head)-4) + "\r\n\r\n"
	}
	for _, c := range []struct {
		what, answer, fault string
	}{
		{"a head of exactly the limit", long(maxParentHead), ""},
		{"a head of one octet more", long(maxParentHead + 1), "parent_reply"},
		{"line feeds alone", "HTTP/1.1 200 OK\n\n", "parent_timeout"}, // the end of the head does not come
		{"line feeds alone, and the end", "HTTP/1.1 200 OK\n\r\n\r\n", "parent_reply"},
		{"an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "parent_reply"},
		{"lower case", "http/1.1 200 ok\r\n\r\n", "parent_reply"},
		{"a tab for a space", "HTTP/1.1\t200 OK\r\n\r\n", "parent_reply"},
		{"two spaces", "HTTP/1.1  200 OK\r\n\r\n", "parent_reply"},
		{"a sign", "HTTP/1.1 +20 OK\r\n\r\n", "parent_reply"},
		{"digits of another script", "HTTP/1.1 ２００ OK\r\n\r\n", "parent_reply"},
		{"HTTP/1.9", "HTTP/1.9 200 OK\r\n\r\n", "parent_reply"},
		{"ICY", "ICY 200 OK\r\n\r\n", "parent_reply"},
		{"TLS", "\x16\x03\x01\x00\x05hello", "parent_reply"},
		{"status 000", "HTTP/1.1 000 x\r\n\r\n", "parent_reply"},
		{"status 999", "HTTP/1.1 999 x\r\n\r\n", "parent_refused"},
		{"a NUL", "HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", "parent_reply"},
		{"a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "parent_reply"},
		{"a field without a name", "HTTP/1.1 200 OK\r\n: b\r\n\r\n", "parent_reply"},
		{"a carriage return in a field", "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", "parent_reply"},
		{"octets beyond ASCII", "HTTP/1.1 200 \xe9\r\nA: \xff\xfe\r\n\r\n", ""},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", ""},
		{"a redirect to another proxy", "HTTP/1.1 302 Found\r\nLocation: http://10.66.66.66:3128/\r\n\r\n", "parent_refused"},
		{"305", "HTTP/1.1 305 Use Proxy\r\nLocation: http://10.66.66.66:3128/\r\n\r\n", "parent_refused"},
		{"401", "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=\"" + parentLogin + "\"\r\n\r\n", "parent_auth"},
		{"407 and then 200", "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "parent_auth"},
		{"403 and then 200", "HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n" + smuggled, "parent_refused"},
		{"429 with our login", "HTTP/1.1 429 " + parentLogin + "\r\nRetry-After: 1\r\nX: " + parentLogin + "\r\n\r\n", "parent_refused"},
		{"seven interim answers", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 7) + "HTTP/1.1 200 OK\r\n\r\n", ""},
		{"eight of them", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 8) + "HTTP/1.1 200 OK\r\n\r\n", "parent_reply"},
		{"half an answer after an interim one", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20", "parent_timeout"},
	} {
		w := newWorld(t, func(cfg *Config) { cfg.Limits.Dial = time.Second })
		w.parented(parentKeys)
		parent := w.origin(parentAt, saying(c.answer))
		if c.fault == "" {
			conn, _ := w.tunnelTo("a.example:443", "")
			hello := string(helloFor(t, "a.example"))
			io.WriteString(conn, hello)
			w.eventually("the hello", func() bool { return strings.HasSuffix(parent.received(), hello) })
			conn.Close()
		} else if _, fault, _ := w.refused("a.example:443"); fault != c.fault {
			t.Errorf("%s: %s", c.what, fault)
		}
		if end := w.wantClosed(); end.Cause.DialFault() != c.fault && c.fault != "" {
			t.Errorf("%s: recorded %v", c.what, end.Cause)
		}
		if got := parent.received(); strings.Count(got, "CONNECT ") != 1 {
			t.Errorf("%s: asked %d times", c.what, strings.Count(got, "CONNECT "))
		}
		w.onlyTo(parentAt)
	}
}

// Lies of a SOCKS5 parent.
func TestSOCKS5ParentLies(t *testing.T) {
	t.Parallel()
	const ask = "\x05\x01\x00\x01\x08\x08\x08\x08\x01\xbb"
	type lie struct{ what, method, reply, fault string }
	lies := []lie{
		{"a name of 255 octets", "\x05\x00", "\x05\x00\x00\x03\xff" + strings.Repeat("x", 255) + "\x00\x01", ""},
		{"a name of no octets", "\x05\x00", "\x05\x00\x00\x03\x00\x00\x01", ""},
		{"an IPv6 address", "\x05\x00", "\x05\x00\x00\x04" + strings.Repeat("\x00", 18), ""},
		{"a login that we do not have", "\x05\x02", "", "parent_reply"},
		{"GSSAPI", "\x05\x01", "", "parent_reply"},
		{"version 4 of the methods", "\x04\x00", "", "parent_reply"},
		{"version 4 of the reply", "\x05\x00", "\x04\x00" + bound, "parent_reply"},
		{"a type that does not exist", "\x05\x00", "\x05\x00\x00\x02\x00\x00\x00\x00\x00\x00", "parent_reply"},
		{"a reserved octet", "\x05\x00", "\x05\x00\x80\x01\x00\x00\x00\x00\x00\x00", "parent_reply"},
		{"a code that does not exist", "\x05\x00", "\x05\xff" + bound, "parent_reply"},
	}
	for n := range len("\x05\x00" + bound) {
		lies = append(lies, lie{fmt.Sprintf("%d octets of a reply", n), "\x05\x00", ("\x05\x00" + bound)[:n] + "END", "parent_reply"})
	}
	for _, c := range lies {
		w := newWorld(t, nil)
		w.parented(socksKeys)
		parent := w.origin(parentAt, func(conn *net.TCPConn, r io.Reader) {
			reply, ends := strings.CutSuffix(c.reply, "END")
			io.ReadFull(r, make([]byte, len(hello5)))
			io.WriteString(conn, c.method)
			io.ReadFull(r, make([]byte, len(ask)))
			io.WriteString(conn, reply)
			if !ends {
				io.Copy(conn, r)
			}
		})
		if c.fault == "" {
			conn, _ := w.tunnelTo("a.example:443", "")
			hello := string(helloFor(t, "a.example"))
			io.WriteString(conn, hello)
			w.eventually("the hello", func() bool { return parent.received() == hello5+ask+hello })
			conn.Close()
			continue
		}
		if _, fault, _ := w.refused("a.example:443"); fault != c.fault {
			t.Errorf("%s: %s", c.what, fault)
		}
		if end := w.wantClosed(); end.Cause != rules.ParentReply {
			t.Errorf("%s: recorded %v", c.what, end.Cause)
		}
		w.onlyTo(parentAt)
	}
}
