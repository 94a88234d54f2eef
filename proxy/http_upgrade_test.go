// Tests of Upgrade and 101 on plain HTTP, from RFC 9110, section 7.8, RFC 6455, section 4, and RFC
// 9931: what is forwarded, what a 101 must prove, and what the tunnel after it carries.

package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"sallyport/rules"
)

// The key and its answer are those of RFC 6455, section 1.3.
const (
	wsKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	wsAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	wsFields = "Host: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + wsKey + "\r\n"
	getWS    = "GET http://a.example/chat HTTP/1.1\r\n" + wsFields + "\r\n"
	ok101    = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + wsAccept + "\r\n\r\n"
	frame    = "\x81\x85\x01\x02\x03\x04iejhn" // text "hello", masked
)

// switching returns an origin that answers with a 101 and text, and then echoes.
func switching(text string) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, r io.Reader) {
		br := bufio.NewReader(r)
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		io.WriteString(conn, text)
		io.Copy(conn, br)
		conn.CloseWrite()
	}
}

// The ways in which a request of plain HTTP comes.
var plainWays = []struct {
	name, prefix string
	open         func(*redirectWorld) *exchange
}{
	{"proxy", "http://a.example", func(b *redirectWorld) *exchange { return b.exchange("") }},
	{"tunnel", "", func(b *redirectWorld) *exchange {
		e := &exchange{w: b.world}
		e.conn, e.r = b.tunnelTo("a.example:80", "")
		return e
	}},
	{"tunnel to another port", "", func(b *redirectWorld) *exchange {
		e := &exchange{w: b.world}
		e.conn, e.r = b.tunnelTo("a.example:5000", "")
		return e
	}},
	{"redirected", "", func(b *redirectWorld) *exchange { return b.exchangeTo("8.8.8.8:80", "") }},
}

// A permitted handshake arrives as the client sent it. After the 101 both sides speak freely, in
// both directions, and the flow's one record has all bytes.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, way := range plainWays {
		t.Run(way.name, func(t *testing.T) {
			b := newRedirectWorld(t, nil)
			port := "80"
			host := "a.example"
			if strings.Contains(way.name, "port") {
				port, host = "5000", "a.example:5000"
			}
			o := b.origin("8.8.8.8:"+port, switching(ok101+"\x81\x02hi"))
			e := way.open(b)
			e.send("GET " + way.prefix + "/chat HTTP/1.1\r\n" + strings.Replace(wsFields, "a.example", host, 1) +
				"Sec-WebSocket-Protocol: chat\r\nOrigin: http://a.example\r\n\r\n")
			resp, err := http.ReadResponse(e.r, nil)
			if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Connection") != "Upgrade" ||
				resp.Header.Get("Sec-WebSocket-Accept") != wsAccept || !strings.Contains(resp.Header.Get("Via"), "sallyport-") {
				t.Fatalf("%+v, %v", resp, err)
			}
			e.until("\x81\x02hi")
			head := o.received()
			for _, line := range []string{"GET /chat HTTP/1.1\r\n", "Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-Websocket-Key: " + wsKey + "\r\n",
				"Sec-Websocket-Version: 13\r\n", "Sec-Websocket-Protocol: chat\r\n", "Origin: http://a.example\r\n"} {
				if !strings.Contains(head, line) {
					t.Errorf("%q did not arrive: %q", line, head)
				}
			}
			for range 3 {
				e.send(frame)
				e.until(frame)
			}
			e.conn.CloseWrite()
			if rest, err := io.ReadAll(e.r); len(rest) > 0 || err != nil {
				t.Errorf("%q, %v at the end", rest, err)
			}
			end := b.wantClosed()
			if int(end.BytesIn) != len(o.received()) || int(end.BytesOut) != len(ok101+"\x81\x02hi"+frame+frame+frame) || end.Cause != rules.EndClean || len(b.journal.closes()) != 1 {
				t.Errorf("%d ends, %+v", len(b.journal.closes()), end)
			}
			b.wantOne(rules.Allow, rules.ReasonNone)
		})
	}
}

// Only a request that RFC 6455, section 4.1, permits is forwarded with its Upgrade. From any other,
// Upgrade is removed and the rest is served, as a server that ignores Upgrade would do.
func TestUpgradeNotForwarded(t *testing.T) {
	t.Parallel()
	key := "Sec-WebSocket-Key: " + wsKey + "\r\n"
	const line = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"
	for _, c := range []struct{ name, text string }{
		{"h2c", line + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + key + "\r\n"},
		{"TLS", line + "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n" + key + "\r\n"},
		{"TLS, OPTIONS", "OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n"},
		{"connect-udp", line + "Connection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n"},
		{"a version", line + "Connection: Upgrade\r\nUpgrade: websocket/13\r\n" + key + "\r\n"},
		{"longer", line + "Connection: Upgrade\r\nUpgrade: websocket2\r\n" + key + "\r\n"},
		{"HTTP/1.0", "GET http://a.example/ HTTP/1.0\r\n" + wsFields + "\r\n"},
		{"POST", "POST http://a.example/ HTTP/1.1\r\n" + wsFields + "Content-Length: 0\r\n\r\n"},
		{"a length", "GET http://a.example/ HTTP/1.1\r\n" + wsFields + "Content-Length: 2\r\n\r\nhi"},
		{"chunked", "GET http://a.example/ HTTP/1.1\r\n" + wsFields + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"},
		{"Expect", "GET http://a.example/ HTTP/1.1\r\n" + wsFields + "Expect: 100-continue\r\n\r\n"},
		{"without Connection", line + "Upgrade: websocket\r\n" + key + "\r\n"},
		{"without Upgrade", line + "Connection: Upgrade\r\n" + key + "\r\n"},
		{"without a key", line + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
		{"two keys", line + "Connection: Upgrade\r\nUpgrade: websocket\r\n" + key + key + "\r\n"},
		{"a short key", line + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: c2hvcnQ=\r\n\r\n"},
		{"no base64", line + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=*\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", answering(okAnswer))
			e := w.exchange(c.text)
			e.want(200, "")
			if got := o.received(); strings.Contains(got, "Upgrade") || strings.Contains(got, "HTTP2-Settings") || strings.Contains(got, "Expect") {
				t.Errorf("arrived %q", got)
			}
			w.wantOne(rules.Allow, rules.ReasonNone)
		})
	}
	t.Run("several protocols", func(t *testing.T) {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", switching(ok101))
		e := w.exchange(line + "Connection: keep-alive, UPGRADE\r\nUpgrade: h2c\r\nUpgrade: TLS/1.0, WebSocket\r\n" + key + "\r\n")
		e.until("\r\n\r\n")
		if got := o.received(); !strings.Contains(got, "\r\nUpgrade: websocket\r\n") || strings.Contains(got, "h2c") || strings.Contains(got, "TLS") {
			t.Errorf("arrived %q", got)
		}
	})
}

// A 101 that does not answer this request is a fault: the client gets a 502, nothing that it sent
// goes on, and the destination's connection ends.
func TestFalse101(t *testing.T) {
	t.Parallel()
	accept := "Sec-WebSocket-Accept: " + wsAccept + "\r\n"
	const status = "HTTP/1.1 101 Switching Protocols\r\n"
	for _, c := range []struct{ name, request, answer string }{
		{"not asked for", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", ok101},
		{"asked for h2c", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", ok101},
		{"HTTP/1.0 client", "GET http://a.example/ HTTP/1.0\r\n" + wsFields + "\r\n", ok101},
		{"another protocol", getWS, status + "Connection: Upgrade\r\nUpgrade: h2c\r\n" + accept + "\r\n"},
		{"two protocols", getWS, status + "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n" + accept + "\r\n"},
		{"two Upgrades", getWS, status + "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n" + accept + "\r\n"},
		{"no Upgrade", getWS, status + "Connection: Upgrade\r\n" + accept + "\r\n"},
		{"no Connection", getWS, status + "Upgrade: websocket\r\n" + accept + "\r\n"},
		{"no proof", getWS, status + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
		{"the proof of another key", getWS, strings.Replace(ok101, "s3pP", "s3pQ", 1)},
		{"two proofs", getWS, strings.Replace(ok101, "\r\n\r\n", "\r\n"+accept+"\r\n", 1)},
		{"HTTP/1.0 server", getWS, strings.Replace(ok101, "HTTP/1.1", "HTTP/1.0", 1)},
		{"a length", getWS, strings.Replace(ok101, "\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n", 1)},
		{"length 0", getWS, strings.Replace(ok101, "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1)},
		{"chunked", getWS, strings.Replace(ok101, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1)},
		{"Content_Length", getWS, strings.Replace(ok101, "\r\n\r\n", "\r\nContent_Length: 5\r\n\r\n", 1)},
		{"status 099", getWS, strings.Replace(ok101, "101", "099", 1)},
		{"status 000", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "HTTP/1.1 000 x\r\nContent-Length: 2\r\n\r\nok"},
	} {
		for _, way := range plainWays[:2] {
			t.Run(c.name+", "+way.name, func(t *testing.T) {
				b := newRedirectWorld(t, nil)
				gone := make(chan struct{})
				o := b.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
					defer close(gone)
					br := bufio.NewReader(r)
					if _, err := http.ReadRequest(br); err != nil {
						return
					}
					io.WriteString(conn, c.answer)
					io.Copy(conn, br)
				})
				e := way.open(b)
				e.send(strings.Replace(c.request, "http://a.example", way.prefix, 1))
				b.eventually("the head", func() bool { return strings.HasSuffix(o.received(), "\r\n\r\n") })
				head := o.received()
				e.conn.Write([]byte("GET " + way.prefix + "/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"))
				resp, body := e.want(502, "")
				if resp.Header.Get("X-Sallyport-Fault") != "no valid answer" || !strings.Contains(resp.Header.Get("X-Sallyport-Hint"), "switched to another protocol") || !resp.Close {
					t.Errorf("%v %q", resp.Header, body)
				}
				wait(t, "end of the destination's connection", gone)
				if got := o.received(); got != head {
					t.Errorf("arrived %q after the head", got[len(head):])
				}
				e.conn.CloseWrite()
				if rest, _ := io.ReadAll(e.r); len(rest) > 0 {
					t.Errorf("%q after the answer", rest)
				}
				if end := b.wantClosed(); end.Cause != rules.EndNoAnswer {
					t.Errorf("cause %q", end.Cause)
				}
				if b.p.Stats().Panics != 0 {
					t.Error("a panic")
				}
			})
		}
	}
}
