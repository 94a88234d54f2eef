// Sniff tests: first bytes on ports 80 and 443, complete, in pieces and never.

package proxy

import (
	"bytes"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// On port 443 only a complete ClientHello with the requested name is sent on.
func TestConnect443(t *testing.T) {
	t.Parallel()
	hello := func(name string) string { return string(helloFor(t, name)) }
	for _, c := range []struct {
		name, authority, first string
		reason                 rules.Reason
		answer                 string // after the 200, the first line of a denial page; "reset" for a reset
	}{
		{"the same name", "a.example:443", hello("a.example"), rules.ReasonNone, ""},
		{"the same name in upper case", "A.Example.:443", hello("A.EXAMPLE"), rules.ReasonNone, ""},
		{"a forbidden name", "a.example:443", hello("evil.example"), rules.SNIMismatch, alert},
		{"another permitted name", "a.example:443", hello("b.example"), rules.SNIMismatch, alert},
		{"no name", "a.example:443", hello(""), rules.SNIMissing, alert},
		{"no name, to an address", "8.8.8.9:443", hello(""), rules.ReasonNone, ""},
		{"a name, to an address", "8.8.8.9:443", hello("evil.example"), rules.SNIMismatch, alert},
		{"anything where any = true", "8.8.8.7:443", "SSH-2.0-x\r\n", rules.ReasonNone, ""},
		{"SSH", "a.example:443", "SSH-2.0-OpenSSH_10.0\r\n", rules.NotTLS, "reset"},
		{"SMTP", "a.example:443", "EHLO client\r\n", rules.NotTLS, "reset"},
		{"PostgreSQL's SSLRequest", "a.example:443", "\x00\x00\x00\x08\x04\xd2\x16\x2f", rules.NotTLS, "reset"},
		{"RDP", "a.example:443", "\x03\x00\x00\x13\x0e", rules.NotTLS, "reset"},
		{"HTTP", "a.example:443", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", rules.NotTLS, "HTTP/1.1 403 Forbidden\r\n"},
		{"an SSLv2 hello", "a.example:443", "\x80\x2e\x01\x00\x02", rules.NotTLS, "reset"},
		{"an alert first", "a.example:443", "\x15\x03\x01\x00\x02\x01\x00", rules.NotTLS, "reset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:443", echo)
			w.mu.Lock()
			w.origins[netip.MustParseAddrPort("8.8.8.9:443")], w.origins[netip.MustParseAddrPort("8.8.8.7:443")] = o, o
			w.mu.Unlock()
			conn, r := w.tunnelTo(c.authority, "")
			io.WriteString(conn, c.first)
			if c.reason == rules.ReasonNone {
				if _, err := io.ReadFull(r, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				conn.Close()
				w.wantOne(rules.Allow, rules.ReasonNone)
				if got := w.wantClosed(); got.BytesIn != uint64(len(c.first)) {
					t.Errorf("closed %+v", got)
				}
				if o.received() != c.first {
					t.Errorf("origin got %q", o.received())
				}
				return
			}
			got, err := io.ReadAll(r)
			if c.answer == "reset" {
				c.answer = ""
				if err == nil {
					t.Error("clean end, want a reset")
				}
			} else if err != nil {
				t.Errorf("alert not delivered: %v", err)
			}
			conn.Close() // otherwise the proxy waits before it closes
			if !strings.HasPrefix(string(got), c.answer) || len(got) != len(c.answer) && !strings.HasPrefix(c.answer, "HTTP") {
				t.Errorf("after 200: %q, want %q", got, c.answer)
			}
			w.wantOne(rules.Deny, c.reason)
			w.idle()
			if o.received() != "" || len(w.journal.closes()) > 0 {
				t.Errorf("origin got %q, closes %v", o.received(), w.journal.closes())
			}
		})
	}
}

// A ClientHello in pieces has the verdict of the whole.
func TestHelloInPieces(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.example", "evil.example"} {
		hello := helloFor(t, name)
		for what, pieces := range map[string][][]byte{
			"a byte a segment":           split(hello, 1),
			"one byte left out":          {hello[:len(hello)-1], hello[len(hello)-1:]},
			"a byte a record":            {inRecords(hello, 1)},
			"records of ten":             {inRecords(hello, 10)},
			"segments across records":    split(inRecords(hello, 100), 77),
			"all but one byte in record": {inRecords(hello, len(hello)-6)},
		} {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:443", nil)
			conn, r := w.tunnelTo("a.example:443", "")
			sent := bytes.Join(pieces, nil)
			for _, b := range pieces {
				conn.Write(b)
			}
			conn.CloseWrite()
			got, _ := io.ReadAll(r)
			if name == "a.example" {
				w.wantOne(rules.Allow, rules.ReasonNone)
				w.idle()
				if o.received() != string(sent) {
					t.Errorf("%s: origin got %d of %d bytes", what, len(o.received()), len(sent))
				}
				continue
			}
			w.wantOne(rules.Deny, rules.SNIMismatch)
			if string(got) != alert || o.received() != "" {
				t.Errorf("%s: client got %q, origin %q", what, got, o.received())
			}
		}
	}
}

func split(b []byte, n int) (pieces [][]byte) {
	for len(b) > n {
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return append(pieces, b)
}

// inRecords cuts the handshake message of a ClientHello into records of n bytes.
func inRecords(hello []byte, n int) (out []byte) {
	for _, b := range split(hello[5:], n) {
		out = append(out, 22, 3, 1, byte(len(b)>>8), byte(len(b)))
		out = append(out, b...)
	}
	return out
}

// Bytes right after a CONNECT reach an allowed tunnel once, and are discarded after a refused
// CONNECT.
func TestEarlyBytes(t *testing.T) {
	t.Parallel()
	hello := string(helloFor(t, "a.example"))
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:443", echo)
	conn, r := w.tunnelTo("a.example:443", hello)
	if _, err := io.ReadFull(r, make([]byte, len(hello))); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	w.idle()
	if o.received() != hello {
		t.Errorf("origin got %q", o.received())
	}
	w.wantOne(rules.Allow, rules.ReasonNone)
}

// Bytes that a refused client has sent meanwhile must not destroy the answer.
func TestRefusalIsDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:443", nil)
	more := strings.Repeat("x", 100<<10)
	_, r := w.tunnelTo("a.example:443", string(helloFor(t, "evil.example"))+more)
	if got, err := io.ReadAll(r); string(got) != alert || err != nil {
		t.Errorf("alert: got %q, %v", got, err)
	}
	_, resp, r := w.connectTo("evil.example:443", more)
	if _, err := io.ReadAll(r); resp.StatusCode != 403 || err != nil {
		t.Errorf("page: %s, %v", resp.Status, err)
	}
}

// One deadline spans the first message, and it is absolute.
func TestSniffDeadline(t *testing.T) {
	t.Parallel()
	hello := helloFor(t, "a.example")
	for _, c := range []struct {
		name, authority string
		drip            []byte
		leave           bool
		reason          rules.Reason
	}{
		{"nothing on 443", "a.example:443", nil, false, rules.SniffTimeout},
		{"nothing on 80", "a.example:80", nil, false, rules.SniffTimeout},
		{"a dripping hello", "a.example:443", hello[:len(hello)-1], false, rules.SniffTimeout},
		{"a partial hello on 5000", "a.example:5000", hello[:1], false, rules.SniffTimeout},
		{"a partial request line on 5000", "a.example:5000", []byte("GET /"), false, rules.SniffTimeout},
		{"gone without a byte", "a.example:443", nil, true, rules.SniffTimeout},
		{"gone within the hello", "a.example:443", hello[:9], true, rules.MalformedRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, impatient)
			a, _ := netip.ParseAddrPort("8.8.8.8:" + c.authority[strings.LastIndexByte(c.authority, ':')+1:])
			o := w.origin(a.String(), nil)
			first := min(1, len(c.drip)) // without a first byte in time, the server would speak first on port 5000
			conn, r := w.tunnelTo(c.authority, string(c.drip[:first]))
			start := time.Now()
			if c.leave {
				conn.Write(c.drip[first:])
				conn.CloseWrite()
			} else {
				go func() {
					for _, b := range c.drip[first:] {
						if _, err := conn.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(20 * time.Millisecond) // an attacker's pace
					}
				}()
			}
			io.Copy(io.Discard, r)
			conn.Close() // otherwise the proxy waits before it closes
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			w.wantOne(rules.Deny, c.reason)
			w.idle()
			if o.received() != "" {
				t.Errorf("origin got %q", o.received())
			}
		})
	}
}
