// Balancer tests: DNS by TCP behind a balancer.

package dnsfilter

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/proxyheader"
)

const (
	headerLine   = "PROXY TCP4 10.7.7.7 192.0.2.1 50000 53\r\n"
	headerBinary = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x12\x0a\x07\x07\x07\xc0\x00\x02\x01\xc3\x50\x00\x35\x04\x00\x03abc"
	headerLocal  = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

func fromLoopback(c *setup) {
	c.Balancers = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.TCPIdle = 300 * time.Millisecond
}

// The header's address is the client's, and the queries behind it are answered, whole and octet by
// octet.
func TestBalancerNamesTheClient(t *testing.T) {
	query := string(framed(packed(t, question("a.example.", dns.TypeA))))
	for _, header := range []string{headerLine, headerBinary} {
		for _, size := range []int{1 << 20, 1} {
			s := serve(t, 1, fromLoopback, "a.example")
			conn := s.dial()
			for text := header + query + query; text != ""; text = text[min(size, len(text)):] {
				io.WriteString(conn, text[:min(size, len(text))])
			}
			for range 2 {
				if m := readFramed(t, conn); len(m.Answer) != 1 {
					t.Errorf("%v", m)
				}
			}
			s.p.mu.Lock()
			for _, a := range s.p.attempts {
				if a.Client != netip.MustParseAddrPort("10.7.7.7:50000") {
					t.Errorf("client %v", a.Client)
				}
			}
			s.p.mu.Unlock()
		}
	}
}

// Without a whole header with a client no query is answered, and one denial is recorded.
func TestBalancerWithoutClient(t *testing.T) {
	t.Parallel()
	query := string(framed(packed(t, question("a.example.", dns.TypeA))))
	for _, c := range []struct{ name, sent, detail string }{
		{"no header", query, proxyheader.ErrNone.Error()},
		{"half a header", headerBinary[:20], "the PROXY header was not complete in time"},
		{"unknown", "PROXY UNKNOWN\r\n" + query, proxyheader.NoClient},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, 1, fromLoopback, "a.example")
			conn := s.dial()
			io.WriteString(conn, c.sent)
			if b, _ := io.ReadAll(conn); len(b) > 0 {
				t.Errorf("answer %x", b)
			}
			a, d := s.p.final(t)
			if d.Reason != rules.ProxyProtocol || a.Client.Addr().String() != "127.0.0.1" || a.Via != rules.ViaDNS || a.Proto != rules.TCP || !strings.HasPrefix(a.Detail, c.detail) {
				t.Errorf("%+v, %v", a, d.Reason)
			}
			if asked := s.up.asked(); len(asked) > 0 {
				t.Errorf("upstream was asked %q", asked)
			}
		})
	}
}

// A balancer's own connections are counted and not recorded, unless they ask.
func TestBalancerChecksHealth(t *testing.T) {
	s := serve(t, 1, fromLoopback, "a.example")
	for i, header := range []string{headerLocal, "PROXY UNKNOWN\r\n"} {
		conn := s.dial()
		io.WriteString(conn, header)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
		if n := s.HealthChecks(); n != uint64(i+1) {
			t.Errorf("%d counted, want %d", n, i+1)
		}
	}
	s.dial().Close()
	s.p.mu.Lock()
	if len(s.p.attempts) > 0 {
		t.Errorf("recorded: %+v", s.p.attempts)
	}
	s.p.mu.Unlock()
	conn := s.dial()
	io.WriteString(conn, headerLocal)
	conn.Write(framed(packed(t, question("a.example.", dns.TypeA))))
	readFramed(t, conn)
	if a, _ := s.p.final(t); a.Client.Addr().String() != "127.0.0.1" {
		t.Errorf("client %v", a.Client)
	}
}

// From any other source a header is a malformed message.
func TestHeaderFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, header := range []string{headerLine, headerBinary} {
		s := serve(t, 1, func(c *setup) { c.TCPIdle = 300 * time.Millisecond }, "a.example")
		conn := s.dial()
		io.WriteString(conn, header)
		if b, _ := io.ReadAll(conn); len(b) > 0 {
			t.Errorf("answer %x", b)
		}
		if a, d := s.p.final(t); d.Reason != rules.MalformedRequest || a.Client.Addr().String() != "127.0.0.1" {
			t.Errorf("%+v, %v", a, d.Reason)
		}
	}
}
