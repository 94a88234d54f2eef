// HTTP, upgrade: a request that asks for WebSocket, its 101, and the tunnel after that (RFC 9110,
// section 7.8; RFC 6455; RFC 9931).

package proxy

import (
	"bytes"
	"crypto/sha1" // RFC 6455 demands it; it protects nothing here
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"sallyport/rules"
)

// errUpgrade refuses a 101 that was not asked for, or does not prove that it answers this request.
var errUpgrade = errors.New("destination switched protocols without a request for that")

// upgrade sends a request that asks for WebSocket. It reports whether the protocol was switched:
// then nothing more may be written, and the session ends in the tunnel. If it was not, the answer
// is in g.answered.
//
// Nothing that the client sends after the request is read before the answer. If the answer is a
// refusal and the client has sent something, the connection ends after the refusal and the bytes
// are discarded: they may be a request only because a third party made them look like one (RFC
// 9931, section 3.1).
func (g *grant) upgrade(r *http.Request) bool {
	r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	resp, err := g.roundTrip(r, nil)
	if g.s.switched != nil {
		return true
	}
	if err == nil && g.s.guard.Early() {
		resp.Header.Set("Connection", "close")
	}
	g.answered, g.answerErr = resp, err
	return false
}

// accepts reports whether a 101 answers this request: it names the one protocol that was asked for,
// has no framing, and proves by the key that the server speaks WebSocket (RFC 6455, section 4.2.2).
func (g *grant) accepts(resp *http.Response) bool {
	key := g.head.Upgrade()
	proof := resp.Header["Sec-Websocket-Accept"]
	return key != "" && resp.StatusCode == http.StatusSwitchingProtocols && resp.ProtoAtLeast(1, 1) && len(resp.TransferEncoding) == 0 && !framed(resp.Header) &&
		lists(resp.Header["Connection"], "upgrade") &&
		len(resp.Header["Upgrade"]) == 1 && strings.EqualFold(strings.Trim(resp.Header["Upgrade"][0], " \t"), "websocket") &&
		len(proof) == 1 && proof[0] == acceptOf(key)
}

// framed reports whether a head says how long its body is, in any spelling.
func framed(h http.Header) bool {
	for name := range h {
		if folded := fold(name); folded == "content-length" || folded == "transfer-encoding" {
			return true
		}
	}
	return false
}

// acceptOf returns what Sec-WebSocket-Accept must be for a key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// lists reports whether one of the lists has an item, in any letter case.
func lists(values []string, item string) bool {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(one, " \t"), item) {
				return true
			}
		}
	}
	return false
}

// switchProtocols takes the client's connection from net/http and sends the 101, with the bytes of
// the destination that came with it. net/http has left the upstream connection to us. It reports
// whether net/http gave the client's connection up.
func (g *grant) switchProtocols(resp *http.Response) bool {
	g.out.finish() // no flush from now on
	hijacker, ok := g.out.ResponseWriter.(http.Hijacker)
	if !ok {
		return false
	}
	if _, _, err := hijacker.Hijack(); err != nil {
		return false
	}
	g.s.switched = g
	g.returned(resp.Header)
	resp.Header["Connection"], resp.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	resp.Header.Write(&b)
	b.WriteString("\r\n")
	b.Write(g.up.rest)
	g.up.keep(g.up.rest, len(g.up.rest))
	if _, err := g.s.guard.Write(b.Bytes()); err != nil {
		g.flow.Abort(rules.EndGone)
	}
	return true
}

// leave ends the session's part for net/http if the connection was taken from it: net/http then
// does not do it.
func (s *session) leave() {
	if s.switched != nil {
		s.guard.Close()
	}
}

// carry relays after a 101, as part of the request's flow, and returns why the flow ended.
func (g *grant) carry() (cause rules.Cause) {
	f := g.flow
	defer g.up.Close()
	if g.own {
		defer func() { f.done(cause) }()
	}
	g.up.conn.SetDeadline(time.Time{})
	f.c.TCP.SetDeadline(time.Time{})
	r := newRelay(f)
	defer r.Finish()
	w := &frameWatch{f: f}
	if more, err := w.Inspect(f.c.Bytes); err != nil {
		return rules.EndReset
	} else if more {
		r.Up.Inspector = w
	}
	if !r.forward(sniffResult{}) {
		return rules.EndReset
	}
	return r.Run()
}

// A frameWatch demands that the client's first bytes after a 101 begin a WebSocket frame with a
// mask, as each client's frame must (RFC 6455, sections 5.1 and 5.2). A request of HTTP and a
// record of TLS do not. So a server that sends a 101 and goes on reading HTTP gets no request that
// was not judged.
type frameWatch struct {
	f    *flow
	seen int // bytes
}

// Begin does nothing.
func (w *frameWatch) Begin() error { return nil }

// Inspect judges the first two bytes.
func (w *frameWatch) Inspect(b []byte) (more bool, err error) {
	for ; w.seen < 2 && len(b) > 0; w.seen++ {
		if !frameByte(w.seen, b[0]) {
			w.f.deny(w.f.lastAttempt(), rules.MalformedRequest, notFrame)
			return false, errDenied
		}
		b = b[1:]
	}
	return w.seen < 2, nil
}

// End does nothing.
func (w *frameWatch) End() error { return nil }

// notFrame is the detail if a client does not speak WebSocket after it switched to it.
const notFrame = "not a WebSocket frame of a client, although the destination switched to WebSocket (101)"

// frameByte reports whether c may be the byte at an index of the first frame: a type that may come
// first (text, binary, close, ping, pong), then the mask bit.
func frameByte(index int, c byte) bool {
	if index > 0 {
		return c&0x80 != 0
	}
	switch c & 0x0f {
	case 1, 2, 8, 9, 10:
		return true
	}
	return false
}
