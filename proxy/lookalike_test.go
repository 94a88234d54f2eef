// Tests of lookalikes: bytes that a lenient server reads as TLS or HTTP are not relayed as
// another protocol, and other protocols are not delayed.

package proxy

import (
	"io"
	"strings"
	"testing"

	"sallyport/rules"
)

// Bytes that hide a name are refused before one of them is sent on, in one or many pieces, on
// every port and by every front end. They are never taken for another protocol.
func TestLookalikesAreRefused(t *testing.T) {
	t.Parallel()
	hello, request := string(helloFor(t, "evil.example")), "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
	for _, c := range []struct{ name, first string }{
		{"warning alert", "\x15\x03\x01\x00\x02\x01\x5a" + hello},
		{"warning alert of version 1.0", "\x15\x01\x00\x00\x02\x01\x5a" + hello},
		{"change cipher spec", "\x14\x03\x03\x00\x01\x01" + hello},
		{"empty application data", "\x17\x03\x01\x00\x00" + hello},
		{"heartbeat", "\x18\x03\x01\x00\x03\x01\x00\x00" + hello},
		{"empty record", "\x16\x03\x01\x00\x00" + hello},
		{"SSLv2 hello", "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + hello},
		{"PROXY header", "PROXY TCP4 8.8.8.8 8.8.8.8 1 2\r\n" + hello},
		{"PROXY header, second version", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00" + hello},
		{"HTTP/0.9, by its address", "GET http://evil.example/\r\n"},
		{"HTTP/0.9, by a header that it has not", "GET /\nHost: evil.example\n\n"},
		{"no version, before fields that llhttp reads", "POST /\r\nHost: evil.example\r\n\r\n"},
		{"vertical tabs", "GET\v/\vHTTP/1.1\r\nHost: evil.example\r\n\r\n"},
		{"form feeds", "GET\f/\fHTTP/1.1\r\nHost: evil.example\r\n\r\n"},
		{"control byte in the path", "GET /\x01 HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
		{"blanks before", " \t" + request},
	} {
		for _, size := range []int{1 << 20, 1} {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:5000", nil)
			conn, r := w.tunnelTo("a.example:5000", "")
			for _, b := range split([]byte(c.first), size) {
				conn.Write(b)
			}
			io.Copy(io.Discard, r)
			conn.Close() // otherwise the proxy waits before it closes
			w.wantOne(rules.Deny, rules.MalformedRequest)
			w.idle()
			if o.received() != "" {
				t.Errorf("%s, %d bytes a piece: origin got %q", c.name, size, o.received())
			}

			b := newRedirectWorld(t, nil)
			o = b.origin("8.8.8.5:1433", nil)
			conn = b.to("8.8.8.5:1433")
			for _, piece := range split([]byte(c.first), size) {
				conn.Write(piece)
			}
			io.Copy(io.Discard, conn)
			conn.Close()
			b.wantOne(rules.Deny, rules.MalformedRequest)
			b.idle()
			if o.received() != "" {
				t.Errorf("%s, redirected, %d bytes a piece: origin got %q", c.name, size, o.received())
			}
		}
	}
	// The bytes come in one piece: in several, the first bytes are a protocol of their own.
	fields := "Host: evil.example\r\n\r\n"
	for _, first := range []string{"\x01\r\n\r\n" + request, "\x00" + request, "POST / RTSP/1.0\r\n" + fields,
		"DESCRIBE rtsp://a.example/ RTSP/1.0\r\n" + fields, "SOURCE /x ICE/1.0\r\n" + fields, "OPTIONS *x\r\n" + fields,
		"CONNECT evil.example:80\r\n" + fields, "POST /x FOO\r\n" + fields} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:5000", nil)
		conn, r := w.tunnelTo("a.example:5000", "")
		io.WriteString(conn, first)
		got, _ := io.ReadAll(r)
		conn.Close()
		w.wantOne(rules.Deny, rules.MalformedRequest)
		w.idle()
		if o.received() != "" || !strings.Contains(string(got), "X-Sallyport-Reason: malformed_request") {
			t.Errorf("%q: answer %q, origin got %q", first, got, o.received())
		}
	}
}
