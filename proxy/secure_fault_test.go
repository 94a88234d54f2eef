// Tests of connections to the listener for TLS that never become TLS, or break it: each has its
// record, and opens nothing.

package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/proof"
	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

func TestNoHandshake(t *testing.T) {
	t.Parallel()
	hello := func(w *tlsWorld, cfg *tls.Config) func(conn *net.TCPConn) {
		return func(conn *net.TCPConn) { tls.Client(conn, cfg).Handshake() }
	}
	write := func(text string) func(conn *net.TCPConn) {
		return func(conn *net.TCPConn) { io.WriteString(conn, text) }
	}
	old := func(w *tlsWorld) *tls.Config {
		cfg := w.client(nil)
		cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		return cfg
	}
	for _, c := range []struct {
		name   string
		act    func(w *tlsWorld) func(conn *net.TCPConn)
		reason rules.Reason
		detail string
		answer string
	}{
		{"plain HTTP", func(*tlsWorld) func(*net.TCPConn) {
			return write("CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n\r\n")
		}, rules.MalformedRequest, "write the proxy as https://", "HTTP/1.1 400 Bad Request\r\nX-Sallyport-Reason: malformed_request\r\n"},
		{"SOCKS5", func(*tlsWorld) func(*net.TCPConn) { return write("\x05\x01\x00") }, rules.MalformedRequest, "[listen] socks5", ""},
		{"a PROXY header", func(*tlsWorld) func(*net.TCPConn) { return write(headers["version 2"]) }, rules.MalformedRequest, "PROXY", ""},
		{"other bytes", func(*tlsWorld) func(*net.TCPConn) { return write("\x80\x2e\x01") }, rules.MalformedRequest, "not TLS: ", ""},
		{"half a hello", func(*tlsWorld) func(*net.TCPConn) { return write("\x16\x03\x01\x02\x00\x01\x00") }, rules.SniffTimeout, "the TLS handshake was not complete in time", ""},
		{"the client leaves", func(*tlsWorld) func(*net.TCPConn) {
			return func(conn *net.TCPConn) { io.WriteString(conn, "\x16\x03\x01\x02\x00\x01\x00"); conn.CloseWrite() }
		}, rules.MalformedRequest, "the client left during the TLS handshake", ""},
		{"TLS 1.1", func(w *tlsWorld) func(*net.TCPConn) { return hello(w, old(w)) }, rules.MalformedRequest, "unsupported versions", ""},
		{"HTTP/2 alone", func(w *tlsWorld) func(*net.TCPConn) {
			cfg := w.client(nil)
			cfg.NextProtos = []string{"h2"}
			return hello(w, cfg)
		}, rules.MalformedRequest, "the TLS handshake failed: ", ""},
		{"the client does not trust the proxy", func(w *tlsWorld) func(*net.TCPConn) {
			return hello(w, &tls.Config{ServerName: "proxy.corp.example"})
		}, rules.MalformedRequest, "it must trust the authority of [listen] tls_cert", ""},
		{"the client wants another name", func(w *tlsWorld) func(*net.TCPConn) {
			cfg := w.client(nil)
			cfg.ServerName = "other.corp.example"
			return hello(w, cfg)
		}, rules.MalformedRequest, "the client ended the TLS handshake: ", ""},
		{"an endless handshake", func(*tlsWorld) func(*net.TCPConn) {
			return func(conn *net.TCPConn) {
				io.WriteString(conn, "\x16\x03\x01\x40\x00\x01\x00\xff\xff"+strings.Repeat("\x00", 0x3ffc))
				record := "\x16\x03\x01\x40\x00" + strings.Repeat("\x00", 0x4000)
				for range 5 {
					if _, err := io.WriteString(conn, record); err != nil {
						return
					}
				}
			}
		}, rules.SniffTooLong, "longer than 64 KiB", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newSecure(t, impatient)
			conn := w.dial(w.https)
			act := c.act(w)
			answered := make(chan string, 1)
			if c.answer != "" || strings.HasPrefix(c.name, "half") {
				act(conn)
				b, _ := io.ReadAll(conn)
				answered <- string(b)
			} else {
				act(conn)
				answered <- ""
			}
			if got := <-answered; !strings.HasPrefix(got, c.answer) {
				t.Errorf("%q", got)
			}
			if r := w.wantOne(rules.Deny, c.reason); !strings.Contains(r.a.Detail, c.detail) || r.a.Identity != nil {
				t.Errorf("%q, want %q", r.a.Detail, c.detail)
			}
			w.eventually("the failed handshake is counted", func() bool { return w.p.Stats().FailedHandshakes == 1 })
			if w.opened() != "" {
				t.Error(w.opened())
			}
		})
	}
}

// Garbage behind a finished handshake is recorded. It opens nothing.
func TestBrokenTLSAfterHandshake(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	d := w.dial(w.https)
	conn := tls.Client(d, w.client(issued(esSubject)(w)))
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(d, "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32))
	if r := w.wantOne(rules.Deny, rules.MalformedRequest); !strings.Contains(r.a.Detail, "the client broke TLS after the handshake") {
		t.Errorf("%q", r.a.Detail)
	}
	if w.opened() != "" {
		t.Error(w.opened())
	}
}

// A connection without a byte is only counted: balancers check ports so.
func TestSilentTLSConnection(t *testing.T) {
	t.Parallel()
	w := newSecure(t, impatient)
	w.dial(w.https).Close()
	quiet := w.from("127.0.0.1", w.client(nil))
	if _, err := io.ReadAll(quiet); err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Error(err)
	}
	w.eventually("both are counted", func() bool { return w.p.Stats().Empty == 2 })
	if ds := w.journal.decisions(); len(ds) > 0 {
		t.Errorf("%v", ds)
	}
}

// One client, and all together, have only so many handshakes under way.
func TestHandshakesAreBounded(t *testing.T) {
	t.Parallel()
	w := newSecure(t, func(c *Config) { c.Limits.Sniffing = 4 })
	io.WriteString(w.dial(w.https), "\x16\x03\x01\x02\x00\x01")
	w.eventually("a handshake", func() bool { return w.p.handshakes.Held() == 1 })
	refused := func(detail string) {
		t.Helper()
		before := len(w.journal.decisions())
		conn := w.dial(w.https)
		io.WriteString(conn, "\x16\x03\x01\x02\x00\x01")
		io.ReadAll(conn)
		w.eventually("a record", func() bool { return len(w.journal.decisions()) == before+1 })
		if r := w.journal.decisions()[before]; r.a.Fault != rules.Limit || r.a.Detail != detail {
			t.Errorf("%v %q", r.a.Fault, r.a.Detail)
		}
	}
	refused("the client's quota of limits.sniffing is reached by TLS handshakes")
	w.p.handshakes.Set(1, 2)
	refused("limits.sniffing is reached by TLS handshakes")
}

// Behind a balancer, the address in the header counts, and TLS follows it.
func TestTLSBehindABalancer(t *testing.T) {
	t.Parallel()
	w := newSecure(t, balanced)
	w.inForce(strings.Replace(secureConfig, `sources     = ["127.0.0.1"]`, `sources     = ["`+behindAddr+`"]`, 1), nil)
	w.origin("8.8.8.8:5000", echo)
	for version, header := range headers {
		for _, cert := range []*tls.Certificate{issued(esSubject)(w), nil} {
			before := len(w.journal.decisions())
			raw := w.dialFrom(balancerAddr, w.https)
			io.WriteString(raw, header)
			conn := tls.Client(raw, w.client(cert))
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			answer := ask(conn, "")
			if cert == nil {
				if !strings.HasPrefix(answer, "HTTP/1.1 403") {
					t.Errorf("%s: %q", version, answer)
				}
			} else {
				io.WriteString(conn, "\x01hello")
				if _, err := io.ReadFull(conn, make([]byte, 6)); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200") {
					t.Errorf("%s: %q, %v", version, answer, err)
				}
			}
			w.eventually("a record", func() bool { return len(w.journal.decisions()) == before+1 })
			if r := w.journal.decisions()[before]; r.a.Client.Addr().String() != behindAddr || r.d.Allowed() != (cert != nil) {
				t.Errorf("%s: %v, %v", version, r.a.Client, r.d.Why())
			}
		}
	}
}

// A configuration without the files of the listener makes no TLS.
func TestNoServerInForce(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	w.policy(worldConfig)
	conn := w.dial(w.https)
	if err := tls.Client(conn, w.client(nil)).Handshake(); err == nil {
		t.Error("a handshake")
	}
	if r := w.wantOne(rules.Deny, rules.MalformedRequest); !strings.Contains(r.a.Detail, "has no [listen] https") {
		t.Errorf("%q", r.a.Detail)
	}
}

// A request inside a tunnel over TLS is judged with the certificate too, by the generation in force.
func TestRequestInTunnelOverTLS(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		for b := make([]byte, 4096); ; {
			if _, err := r.Read(b); err != nil {
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	cert := issued(esSubject)(w)
	conn := w.from("127.0.0.1", w.client(cert))
	fmt.Fprint(conn, "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n")
	b := make([]byte, 1024)
	conn.Read(b)
	get := func() string {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		n, _ := conn.Read(b)
		return string(b[:n])
	}
	if got := get(); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("%q", got)
	}
	w.revoke(cert.Leaf)
	if got := get(); !strings.HasPrefix(got, "HTTP/1.1 403") || !strings.Contains(got, "was revoked on") {
		t.Errorf("%q", got)
	}
}

func BenchmarkConnectOverTLS(b *testing.B) {
	for _, name := range []string{"plain", "TLS", "TLS with a certificate"} {
		b.Run(name, func(b *testing.B) {
			w := newSecure(b, nil)
			w.origin("8.8.8.8:5000", echo)
			cfg := w.client(nil)
			from := "127.0.0.2"
			if name == "TLS with a certificate" {
				cfg, from = w.client(issued(proxytest.Subject{DNS: "es.corp.example"})(w)), "127.0.0.1"
			}
			for b.Loop() {
				to := w.https
				if name == "plain" {
					to = w.http
				}
				raw := w.dialFrom(from, to)
				var conn net.Conn = raw
				if name != "plain" {
					conn = tls.Client(raw, cfg)
				}
				if got := ask(conn, ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
					b.Fatal(got)
				}
				io.WriteString(conn, "\x01hello")
				io.ReadFull(conn, make([]byte, 6))
				raw.Close()
			}
			if w.p.Stats().Certificates[proof.Accepted] == 0 && name == "TLS with a certificate" {
				b.Fatal("no certificate")
			}
		})
	}
}
