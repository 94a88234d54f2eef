// First messages of protocols that are neither TLS nor HTTP: each reaches its server unchanged,
// without a wait for more.

package proxy

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"sallyport/rules"
)

// A firstMessage is how a protocol begins.
type firstMessage struct {
	name, greeting, first string
	held                  bool // resembles the beginning of a request: passed on after textWait
}

var firstMessages = []firstMessage{
	{name: "syslog, octet-counted (RFC 6587, 3.4.1)", first: "77 <34>1 2026-11-30T06:00:00Z host app - ID47 - an application event log entry"},
	{name: "syslog of a web server, octet-counted", first: `71 <34>1 2026-11-30T06:00:00Z host nginx - - - "GET / HTTP/1.1" 200 12`},
	{name: "syslog, a line (RFC 6587, 3.4.2)", first: "<34>Oct 11 22:14:15 host su: 'su root' failed\n"},
	{name: "syslog of a web server, a line", first: "<190>Oct 11 22:14:15 host nginx: 10.0.0.1 \"GET / HTTP/1.1\" 200\n"},
	{name: "JSON of a web server, a line", first: `{"time":"06:00","request":"GET / HTTP/1.1"}` + "\n"},
	{name: "GELF", first: `{"version":"1.1","host":"a","short_message":"GET / HTTP/1.1"}` + "\x00"},
	{name: "graphite", first: "servers.web1.cpu 42 1764482400\n"},
	{name: "graphite, without a line end", first: "servers.web1.cpu 42 1764482400"},
	{name: "a metric of one word", first: "up", held: true},
	{name: "statsd", first: "page.views:1|c"},
	{name: "Redis, inline", first: "PING\r\n"},
	{name: "Redis, an array", first: "*1\r\n$4\r\nPING\r\n"},
	{name: "memcached", first: "get key\r\n"},
	{name: "SMTP", greeting: "220 mail ESMTP\r\n", first: "EHLO client.example\r\n"},
	{name: "IMAP", greeting: "* OK ready\r\n", first: "a1 CAPABILITY\r\n"},
	{name: "POP3", greeting: "+OK\r\n", first: "CAPA\r\n"},
	{name: "FTP", greeting: "220 ready\r\n", first: "USER anonymous\r\n"},
	{name: "MQTT", first: "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id"},
	{name: "AMQP", first: "AMQP\x00\x00\x09\x01"},
	{name: "Kafka", first: "\x00\x00\x00\x17\x00\x12\x00\x03\x00\x00\x00\x01\x00\x04test\x00\x00\x00\x00\x00"},
	{name: "PostgreSQL, SSLRequest", first: "\x00\x00\x00\x08\x04\xd2\x16\x2f"},
	{name: "PostgreSQL, a query", first: "Q\x00\x00\x00\x0dSELECT 1\x00"},
	{name: "SQL Server, PRELOGIN", first: "\x12\x01\x00\x2f\x00\x00\x01\x00\x00\x00\x1a\x00\x06"},
	{name: "MySQL, SSLRequest", greeting: "\x4a\x00\x00\x00\x0a8.0.36\x00", first: "\x20\x00\x00\x01\x85\xae\xff\x19\x00\x00\x00\x01\xff"},
	{name: "MySQL, a login of 278 octets", greeting: "\x4a\x00\x00\x00\x0a8.0.36\x00", first: "\x16\x01\x00\x01\x85\xa6\xff\x19\x00\x00\x00\x01\xff"},
	{name: "LDAP, bind", first: "0\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"},
	{name: "SMB, direct", first: "\x00\x00\x00\x24\xfeSMB\x40\x00\x00\x00"},
	{name: "NetBIOS, session request", first: "\x81\x00\x00\x44 CKFDENECFDEFFCFGEFFCCACACACACACA\x00"},
	{name: "RDP", first: "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"},
	{name: "SSH", greeting: "SSH-2.0-server\r\n", first: "SSH-2.0-OpenSSH_10.0\r\n"},
	{name: "DNS", first: "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01"},
	{name: "telnet", first: "\xff\xfd\x01\xff\xfd\x03"},
	{name: "an empty line", first: "\r\n", held: true},
	{name: "a frame that begins with letters", first: "HELO\x00\x01\x02"},
	{name: "a frame that begins with a word", first: "LOGIN", held: true},
}

// waysIn are the ways to reach a server by a permitted name or address.
var waysIn = []struct {
	name, origin string
	open         func(b *redirectWorld) net.Conn
}{
	{"CONNECT", "8.8.8.8:5000", func(b *redirectWorld) net.Conn { return b.rawTunnelTo("a.example:5000") }},
	{"SOCKS5", "8.8.8.8:5000", func(b *redirectWorld) net.Conn { return b.socksTo("a.example", 5000) }},
	{"redirected, by address", "8.8.8.5:1433", func(b *redirectWorld) net.Conn { return b.to("8.8.8.5:1433") }},
	{"redirected, pinned", "8.8.8.8:5000", func(b *redirectWorld) net.Conn { return b.to("8.8.8.8:5000") }},
}

// rawTunnelTo is tunnelTo for a destination that may send first.
func (w *world) rawTunnelTo(authority string) *net.TCPConn {
	w.t.Helper()
	conn := w.dial(w.http)
	io.WriteString(conn, "CONNECT "+authority+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	const granted = "HTTP/1.1 200 Connection established\r\n\r\n"
	got := make([]byte, len(granted))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != granted {
		w.t.Fatalf("CONNECT %s: %q, %v", authority, got, err)
	}
	return conn
}

// socksTo opens a tunnel by SOCKS5.
func (w *world) socksTo(name string, port uint16) *net.TCPConn {
	w.t.Helper()
	conn := w.dial(w.socks)
	io.WriteString(conn, greeting+nameRequest(1, name, port))
	got := make([]byte, 12)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "\x05\x00"+reply(0) {
		w.t.Fatalf("SOCKS5 to %s: %x, %v", name, got, err)
	}
	return conn
}

// Bytes that are not held have a limit of an hour: if the proxy waited for more, the test would
// not end.
func TestFirstMessages(t *testing.T) {
	t.Parallel()
	if textWait+pinWait > 50*time.Millisecond {
		t.Errorf("bytes are held for %v, greetings for %v", textWait, pinWait)
	}
	for _, m := range firstMessages {
		for _, way := range waysIn {
			for _, size := range []int{1 << 20, 1} {
				t.Run(m.name+"/"+way.name, func(t *testing.T) {
					b := newRedirectWorld(t, func(c *Config) {
						c.Limits.Sniff, c.textWait, c.pinWait = time.Hour, time.Hour, time.Hour
						if m.held {
							c.textWait = time.Millisecond
						}
						if m.greeting != "" {
							c.pinWait = time.Millisecond
						}
					})
					b.pin("8.8.8.8", "a.example")
					b.firstMessage(m, way.origin, way.open, size)
				})
			}
		}
	}
}

// firstMessage sends a message in pieces of a size. The server answers when it has the whole
// message, while the client's side is open, and then sees the client's end.
func (b *redirectWorld) firstMessage(m firstMessage, at string, open func(*redirectWorld) net.Conn, size int) {
	b.t.Helper()
	const answer, farewell = "received", "bye"
	o := b.origin(at, func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, m.greeting)
		if _, err := io.ReadFull(r, make([]byte, len(m.first))); err == nil {
			io.WriteString(conn, answer)
		}
		if n, err := io.Copy(io.Discard, r); n == 0 && err == nil {
			io.WriteString(conn, farewell)
		}
	})
	conn := open(b)
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(m.greeting))); err != nil {
		b.t.Fatalf("no greeting: %v", err)
	}
	for _, piece := range split([]byte(m.first), size) {
		conn.Write(piece)
	}
	got := make([]byte, len(answer))
	if _, err := io.ReadFull(conn, got); err != nil {
		b.t.Fatalf("no answer: %v; the server got %q", err, o.received())
	}
	conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(conn); string(rest) != farewell || err != nil {
		b.t.Errorf("after the half-close: %q, %v", rest, err)
	}
	if o.received() != m.first {
		b.t.Errorf("the server got %q", o.received())
	}
	if r := b.wantOne(rules.Allow, rules.ReasonNone); r.a.Shown != rules.ShownOpaque {
		b.t.Errorf("shown %v", r.a.Shown)
	}
	if end := b.wantClosed(); end.Cause != rules.EndClean || end.BytesIn != uint64(len(m.first)) {
		b.t.Errorf("closed %+v", end)
	}
}

// A half-close ends a message as well as more bytes would: the proxy waits for nothing more and
// passes the message on.
func TestFirstMessageThenHalfClose(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"up", "servers.web1.cpu 42 1764482400", "G", "GET key", "MKCOL /", "POST /", "\r\n", "\x80", "\x80\x2e\x01", "\x15\x00", "\x14"} {
		for _, way := range waysIn {
			b := newRedirectWorld(t, func(c *Config) { c.Limits.Sniff, c.textWait, c.pinWait = time.Hour, time.Hour, time.Hour })
			b.pin("8.8.8.8", "a.example")
			o := b.origin(way.origin, func(conn *net.TCPConn, r io.Reader) {
				io.Copy(io.Discard, r)
				io.WriteString(conn, "bye")
			})
			conn := way.open(b)
			io.WriteString(conn, first)
			conn.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(conn); string(got) != "bye" || err != nil || o.received() != first {
				t.Errorf("%q by %s: answer %q, %v; the server got %q", first, way.name, got, err, o.received())
			}
			conn.Close()
			b.wantOne(rules.Allow, rules.ReasonNone)
			b.wantClosed()
		}
	}
}

// Bytes that were passed on after a pause must not become a request. The byte that would complete
// the request does not arrive, and the denial is recorded.
func TestLateRequest(t *testing.T) {
	t.Parallel()
	const head = " HTTP/1.1\r\nHost: evil.example\r\n\r\n"
	for _, c := range []struct{ sent, later, end string }{
		{"G", "ET /", head},
		{"GET", " /", head},
		{"\r\n", "GET /", head},
		{"MKCOL /", "", head},
		{"GET http:", "//evil.example/", "\r\n"},
		{"GET http:", "//evil.example/", ""}, // then the client ends its bytes
		{"\x01", "GET /", head},
		{"(GET) /", " HTTP/1.1", "\r\nHost: evil.example\r\n\r\n"},
		{"GET", " /a b HTTP/1.1", "\r\nHost: evil.example\r\n\r\n"},
		{"X", "YZ /" + string(bytes.Repeat([]byte("a"), 100<<10)), head},
		{"PRO", "XY", " TCP4 8.8.8.8 8.8.8.8 1 2\r\n" + string(helloFor(t, "evil.example"))},
		{"\r\n\r\n", "\x00\r\nQUIT", "\n\x20\x00\x00\x00" + string(helloFor(t, "evil.example"))},
	} {
		for _, way := range waysIn {
			b := newRedirectWorld(t, func(c *Config) { c.textWait = time.Millisecond })
			b.pin("8.8.8.8", "a.example")
			o := b.origin(way.origin, nil)
			conn := way.open(b)
			sent := ""
			for _, piece := range []string{c.sent, c.later} {
				io.WriteString(conn, piece)
				sent += piece
				b.eventually("what is no request yet", func() bool { return o.received() == sent })
			}
			io.WriteString(conn, c.end)
			if c.end == "" {
				conn.(*net.TCPConn).CloseWrite()
			}
			if _, err := io.ReadAll(conn); err == nil {
				t.Errorf("%q by %s: a clean end, want a reset", c.sent, way.name)
			}
			conn.Close()
			b.idle()
			if o.received() != sent {
				t.Errorf("%q by %s: the server got %q", c.sent, way.name, o.received())
			}
			ds := b.journal.decisions()
			if len(ds) != 2 || !ds[0].d.Allowed() || ds[1].d.Allowed() || ds[1].d.Why() != rules.MalformedRequest {
				t.Errorf("%q by %s: decisions %+v", c.sent, way.name, ds)
			}
			if end := b.wantClosed(); end.Cause != rules.EndDenied(rules.MalformedRequest) {
				t.Errorf("%q by %s: cause %q", c.sent, way.name, end.Cause)
			}
		}
	}
}

// Bytes that can still become a ClientHello, or that only a request begins with, are not passed
// on after a pause.
func TestBeginningsThatAreHeld(t *testing.T) {
	t.Parallel()
	hello := string(helloFor(t, "evil.example"))
	for _, first := range []string{hello[:1], hello[:3], hello[:100], "\x80\x2e", "\x15", "GET /", "POST http://evil.example/", "put / HT"} {
		for _, way := range waysIn {
			b := newRedirectWorld(t, func(c *Config) { c.textWait, c.Limits.Sniff = time.Millisecond, 40*time.Millisecond })
			b.pin("8.8.8.8", "a.example")
			o := b.origin(way.origin, nil)
			conn := way.open(b)
			io.WriteString(conn, first)
			io.ReadAll(conn)
			conn.Close()
			b.wantOne(rules.Deny, rules.SniffTimeout)
			b.idle()
			if o.received() != "" {
				t.Errorf("%q by %s: the server got %q", first, way.name, o.received())
			}
		}
	}
}
