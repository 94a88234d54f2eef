// Tests of what an idle tunnel of a client over TLS holds.

package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
)

// maxLayer is what TLS may add to an idle tunnel, with both ends of the layer, which are in the
// test's process: the state of each, and room for its longest record so far.
const maxLayer = 32 << 10

// An idle tunnel over TLS holds no buffer of the relay.
func TestIdleTunnelsOverTLS(t *testing.T) {
	const tunnels = 100
	w := newSecure(t, func(c *Config) { c.Limits.PerClient = 2 * tunnels })
	w.origin("8.8.8.8:5000", func(conn *net.TCPConn, r io.Reader) {
		for b := make([]byte, 16); ; {
			n, err := r.Read(b)
			if err != nil {
				return
			}
			conn.Write(b[:n])
		}
	})
	cfg := w.client(issued(esSubject)(w))
	open := func(over string) net.Conn {
		var conn net.Conn
		if over == "TLS" {
			conn = tls.Client(w.dialFrom("127.0.0.1", w.https), cfg)
		} else {
			conn = w.dialFrom("127.0.0.2", w.http)
		}
		if got := ask(conn, ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatal(got)
		}
		io.WriteString(conn, "\x01hello")
		if _, err := io.ReadFull(conn, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	held := func(over string) int {
		before := footprint()
		var conns []net.Conn
		for range tunnels {
			conns = append(conns, open(over))
		}
		each := (footprint() - before) / tunnels
		for _, conn := range conns {
			conn.Close()
		}
		w.eventually("all have ended", func() bool { return w.p.Stats().Connections == 0 })
		return each
	}
	held("TLS") // fills pools and tables
	plain, secure := held("TCP"), held("TLS")
	t.Logf("an idle tunnel holds %d bytes, and %d over TLS", plain, secure)
	if secure-plain > maxLayer {
		t.Errorf("an idle tunnel holds %d bytes, and %d over TLS: TLS adds more than %d", plain, secure, maxLayer)
	}
}
