// Tests of names that a parent resolves (by = "name"): it is asked for the canonical name that the
// policy permitted, or for nothing. And of https parents that break TLS itself.

package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A client writes the name in every spelling. The parent never sees another one than a.example.
func TestParentGetsCanonicalNames(t *testing.T) {
	t.Parallel()
	const asked = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
	for name, reaches := range map[string]bool{
		"a.example": true, "A.EXAMPLE": true, "a.example.": true, "a.eXample.": true,
		"a.example..": false, ".a.example": false, "a..example": false, "a.example\x00.evil.example": false, "evil.example\x00.a.example": false,
		"a.example%00": false, "a%2eexample": false, "a.example%2eevil.example": false, "u:p@a.example": false, "a.example@evil.example": false,
		"a.example#": false, "a.example?": false, "a.example/": false, "a.example\\": false, "a.example,evil.example": false, "a.example;": false,
		"[a.example]": false, "\"a.example\"": false, "a.example\t": false, "ａ.example": false, "a\u3002example": false, "a.ex\u00adample": false,
		"xn--.example": false, "xn--a-.example": false, "a.example.evil.example": false, "nota.example": false, "*.example": false, "_.a.example": false,
		"localhost": false, "127.1": false, "0x7f.0.0.1": false, "2130706433": false, "0177.0.0.1": false, "127.0.0.1.": false, "[::ffff:127.0.0.1]": false, "[::1%25lo]": false,
		strings.Repeat("a", 64) + ".example": false, strings.Repeat("a.", 127) + "example": false, "": false, ".": false,
	} {
		w, parent := parentWorld(t, "by = \"name\"\n", saying(accepted))
		for _, way := range []string{"CONNECT", "SOCKS5", "absolute-form"} {
			before := len(parent.received())
			switch way {
			case "CONNECT":
				c := w.dial(w.http)
				fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", name)
				line := make([]byte, 12)
				io.ReadFull(c, line)
				if got := string(line) == "HTTP/1.1 200"; got != reaches {
					t.Errorf("%q by CONNECT: %q", name, line)
				}
				c.Close()
			case "SOCKS5":
				if len(name) > 255 || name == "" {
					continue
				}
				c := w.dial(w.socks)
				c.Write(append(append([]byte("\x05\x01\x00\x05\x01\x00\x03"), byte(len(name))), name+"\x01\xbb"...))
				reply := make([]byte, 4)
				io.ReadFull(c, reply)
				if got := reply[0] == 5 && reply[3] == 0; got != reaches {
					t.Errorf("%q by SOCKS5: %q", name, reply)
				}
				c.Close()
			default:
				if reaches {
					continue // the parent of this test answers no request
				}
				c := w.dial(w.http)
				fmt.Fprintf(c, "GET http://%s/ HTTP/1.1\r\nHost: %[1]s\r\n\r\n", name)
				line := make([]byte, 10)
				io.ReadFull(c, line)
				if line[9] != '4' {
					t.Errorf("%q in absolute-form: %q", name, line)
				}
				c.Close()
			}
			if got := parent.received()[before:]; reaches && !strings.HasPrefix(got, asked) || !reaches && got != "" {
				t.Errorf("%q by %s: the parent got %q", name, way, got)
			}
		}
		w.onlyTo(parentAt)
		if looked := w.lookedUp(); len(looked) > 0 {
			t.Errorf("%q: looked up %v", name, looked)
		}
	}
}

// A parent that breaks TLS: one fault, and our login only after a handshake that proves the parent.
func TestSecureParentBreaksTLS(t *testing.T) {
	t.Parallel()
	good, ca, _ := identity(t, time.Now().Add(time.Hour), "10.9.9.9")
	for _, c := range []struct {
		what   string
		cfg    *tls.Config
		serve  func(*net.TCPConn, *tls.Conn)
		faults string
		login  bool
	}{
		{"another protocol inside", &tls.Config{NextProtos: []string{"smtp"}}, nil, "parent_tls", false},
		{"a record of garbage instead of an answer", &tls.Config{}, func(raw *net.TCPConn, s *tls.Conn) {
			s.Read(make([]byte, 4096))
			raw.Write([]byte("\x17\x03\x03\x00\x20" + strings.Repeat("x", 32)))
			io.Copy(io.Discard, raw)
		}, "parent_reply parent_tls", true},
		{"half a record and an end", &tls.Config{}, func(raw *net.TCPConn, s *tls.Conn) {
			s.Read(make([]byte, 4096))
			raw.Write([]byte("\x17\x03\x03\x40\x00x"))
		}, "parent_reply", true},
		{"plain text after the handshake", &tls.Config{}, func(raw *net.TCPConn, s *tls.Conn) {
			s.Read(make([]byte, 4096))
			io.WriteString(raw, accepted)
			io.Copy(io.Discard, raw)
		}, "parent_reply parent_tls", true},
		{"a fatal alert in clear", &tls.Config{}, func(raw *net.TCPConn, s *tls.Conn) {
			s.Read(make([]byte, 4096))
			raw.Write([]byte("\x15\x03\x03\x00\x02\x02\x28"))
			io.Copy(io.Discard, raw)
		}, "parent_reply parent_tls", true},
		{"the answer one octet in each record", &tls.Config{}, func(_ *net.TCPConn, s *tls.Conn) {
			s.Read(make([]byte, 4096))
			for i := range len(accepted) {
				io.WriteString(s, accepted[i:i+1])
			}
			io.Copy(io.Discard, s)
		}, "", true},
	} {
		w, _ := secureWorld(t, "auth_file = \"login\"\n", pemFiles{"ca": ca, "login": []byte("sally:hunter2\n")}, nil, func(net.Conn, io.Reader) {})
		w.mu.Lock()
		for _, o := range w.origins {
			o.close()
		}
		w.mu.Unlock()
		c.cfg.Certificates = []tls.Certificate{good}
		asked := make(chan bool, 8)
		w.origin(parentAt, func(raw *net.TCPConn, _ io.Reader) {
			s := tls.Server(raw, c.cfg)
			ok := s.Handshake() == nil
			asked <- ok
			if ok && c.serve != nil {
				c.serve(raw, s)
			}
		})
		if c.faults == "" {
			conn, _ := w.tunnelTo("a.example:443", "")
			conn.Close()
			continue
		}
		status, fault, _ := w.refused("a.example:443")
		if status != 502 || !strings.Contains(" "+c.faults+" ", " "+fault+" ") {
			t.Errorf("%s: %d %s", c.what, status, fault)
		}
		if ok := <-asked; ok != c.login {
			t.Errorf("%s: the handshake succeeded: %t", c.what, ok)
		}
		w.onlyTo(parentAt)
	}
}
