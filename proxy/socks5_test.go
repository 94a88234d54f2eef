// SOCKS5 tests: anything that is not exactly SOCKS5 CONNECT or UDP ASSOCIATE is refused and recorded.

package proxy

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"sallyport/rules"
)

const greeting = "\x05\x01\x00"

// nameRequest is a SOCKS5 request to a name, whatever bytes it has.
func nameRequest(cmd byte, name string, port uint16) string {
	b := append([]byte{5, cmd, 0, 3, byte(len(name))}, name...)
	return string(binary.BigEndian.AppendUint16(b, port))
}

// addrRequest is a SOCKS5 CONNECT to an address.
func addrRequest(addr string, port uint16) string {
	a := netip.MustParseAddr(addr)
	kind := byte(1)
	if a.Is6() {
		kind = 4
	}
	b := append([]byte{5, 1, 0, kind}, a.AsSlice()...)
	return string(binary.BigEndian.AppendUint16(b, port))
}

// reply returns the proxy's reply with a code.
func reply(code byte) string { return string([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0}) }

func TestSOCKSRefusals(t *testing.T) {
	t.Parallel()
	const chosen = "\x05\x00"
	for _, c := range []struct {
		name, sent, answer string
		reason             rules.Reason
	}{
		{"a name that no rule has", greeting + nameRequest(1, "evil.example", 443), chosen + reply(2), rules.NotListed},
		{"another port", greeting + nameRequest(1, "a.example", 22), chosen + reply(2), rules.PortNotListed},
		{"an address", greeting + addrRequest("8.8.8.8", 443), chosen + reply(2), rules.IPLiteral},
		{"an IPv6 address", greeting + addrRequest("2001:db8::1", 443), chosen + reply(2), rules.IPLiteral},
		{"a mapped address", greeting + addrRequest("::ffff:8.8.8.8", 443), chosen + reply(2), rules.IPLiteral},
		{"an address as a name", greeting + nameRequest(1, "8.8.8.8", 443), chosen + reply(2), rules.IPLiteral},
		{"a name that leads inside", greeting + nameRequest(1, "inside.example", 443), chosen + reply(2), rules.PrivateAddress},
		{"a destination that refuses", greeting + nameRequest(1, "gone.example", 443), chosen + reply(5), rules.ReasonNone},

		{"BIND", greeting + nameRequest(2, "a.example", 443), chosen + reply(7), rules.MalformedRequest},
		{"UDP ASSOCIATE with a name", greeting + nameRequest(3, "a.example", 443), chosen + reply(7), rules.MalformedRequest},
		{"command 0", greeting + nameRequest(0, "a.example", 443), chosen + reply(7), rules.MalformedRequest},
		{"command 255", greeting + nameRequest(255, "a.example", 443), chosen + reply(7), rules.MalformedRequest},
		{"port 0", greeting + nameRequest(1, "a.example", 0), chosen + reply(1), rules.MalformedRequest},

		{"SOCKS4", "\x04\x01\x01\xbb\x08\x08\x08\x08\x00", "", rules.MalformedRequest},
		{"SOCKS4a", "\x04\x01\x01\xbb\x00\x00\x00\x01\x00a.example\x00", "", rules.MalformedRequest},
		{"HTTP", "CONNECT a.example:443 HTTP/1.1\r\n\r\n", "", rules.MalformedRequest},
		{"TLS", "\x16\x03\x01\x00\x05hello", "", rules.MalformedRequest},

		{"no method", "\x05\x00", "\x05\xff", rules.MalformedRequest},
		{"passwords only", "\x05\x01\x02", "\x05\xff", rules.MalformedRequest},
		{"254 methods of no use", "\x05\xfe" + strings.Repeat("\x01", 254), "\x05\xff", rules.MalformedRequest},
		{"255 methods, one of use", "\x05\xff" + strings.Repeat("\x01", 254) + "\x00" + nameRequest(1, "evil.example", 443), chosen + reply(2), rules.NotListed},

		{"reserved octet", greeting + "\x05\x01\x01\x03", chosen + reply(1), rules.MalformedRequest},
		{"address type 2", greeting + "\x05\x01\x00\x02", chosen + reply(8), rules.MalformedRequest},
		{"address type 5", greeting + "\x05\x01\x00\x05abcdefgh", chosen + reply(8), rules.MalformedRequest},
		{"another version in the request", greeting + "\x04\x01\x00\x03", chosen + reply(1), rules.MalformedRequest},

		{"no name", greeting + nameRequest(1, "", 443), chosen + reply(1), rules.MalformedName},
		{"NUL in a permitted tail", greeting + nameRequest(1, "evil.example\x00.a.example", 443), chosen + reply(1), rules.MalformedName},
		{"line end", greeting + nameRequest(1, "a.example\r\n", 443), chosen + reply(1), rules.MalformedName},
		{"brackets", greeting + nameRequest(1, "[a.example]", 443), chosen + reply(1), rules.MalformedName},
		{"port in the name", greeting + nameRequest(1, "a.example:443", 443), chosen + reply(1), rules.MalformedName},
		{"empty label", greeting + nameRequest(1, "a..example", 443), chosen + reply(1), rules.MalformedName},
		{"255 octets", greeting + nameRequest(1, strings.Repeat("a.", 127)+"a", 443), chosen + reply(1), rules.MalformedName},
		{"octal address", greeting + nameRequest(1, "0177.0.0.1", 443), chosen + reply(1), rules.MalformedName},
		{"short address", greeting + nameRequest(1, "127.1", 443), chosen + reply(1), rules.MalformedName},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			conn := w.dial(w.socks)
			io.WriteString(conn, c.sent)
			got, err := io.ReadAll(conn)
			if err != nil && (c.answer != "" || !errors.Is(err, syscall.ECONNRESET)) {
				t.Error(err)
			}
			if string(got) != c.answer {
				t.Errorf("answer %x, want %x", got, c.answer)
			}
			if c.reason == rules.ReasonNone {
				if c := w.wantClosed(); c.Cause != rules.DialRefused {
					t.Errorf("cause %q", c.Cause)
				}
				return
			}
			if r := w.wantOne(rules.Deny, c.reason); r.a.Via != rules.ViaSOCKS5 {
				t.Errorf("via %v", r.a.Via)
			}
			if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 && c.reason != rules.PrivateAddress {
				t.Errorf("looked up %v, dialed %v", w.lookedUp(), w.dialed())
			}
		})
	}
}

// The destination of a refused command is recorded as a destination, not as raw text.
func TestSOCKSCommandsOnRecord(t *testing.T) {
	t.Parallel()
	for _, cmd := range []byte{2, 3} {
		w := newWorld(t, nil)
		conn := w.dial(w.socks)
		io.WriteString(conn, greeting+nameRequest(cmd, "A.example", 443))
		io.Copy(io.Discard, conn)
		if a := w.wantOne(rules.Deny, rules.MalformedRequest).a; a.Authority.String() != "a.example" || a.Dest.Port() != 443 || len(a.Raw) > 0 {
			t.Errorf("command %d: authority %v, destination %v, raw %q", cmd, a.Authority, a.Dest, a.Raw)
		}
	}
	_, fault := parseSOCKSRequest([]byte("\x05\x02" + addrRequest("8.8.8.8", 53)[2:]))
	if fault == nil || fault.dest.String() != "8.8.8.8:53" || len(fault.raw) > 0 {
		t.Errorf("%+v", fault)
	}
}

// The whole conversation in one write, and in single bytes.
func TestSOCKSLosesNoByte(t *testing.T) {
	t.Parallel()
	sent := string(helloFor(t, "a.example")) + earlyData
	for _, size := range []int{1 << 20, 1} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:443", echo)
		conn := w.dial(w.socks)
		for _, b := range split([]byte(greeting+nameRequest(1, "A.example.", 443)+sent), size) {
			conn.Write(b)
		}
		conn.CloseWrite()
		got, err := io.ReadAll(conn)
		if want := "\x05\x00" + reply(0) + sent; string(got) != want || err != nil {
			t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
		}
		w.wantOne(rules.Allow, rules.ReasonNone)
		w.wantClosed()
		if o.received() != sent {
			t.Errorf("origin got %q", o.received())
		}
	}
}

func TestSOCKSHelloForAnotherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:443", nil)
	conn := w.dial(w.socks)
	io.WriteString(conn, greeting+nameRequest(1, "a.example", 443)+string(helloFor(t, "b.example")))
	got, err := io.ReadAll(conn)
	if want := "\x05\x00" + reply(0) + alert; string(got) != want || err != nil {
		t.Errorf("got %x, %v", got, err)
	}
	conn.Close() // otherwise the proxy waits before it closes
	w.wantOne(rules.Deny, rules.SNIMismatch)
	w.idle()
	if o.received() != "" {
		t.Errorf("origin got %q", o.received())
	}
}

// A handshake has one deadline; a connection without a byte is only counted.
func TestSOCKSHandshakeDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, impatient)
	conn := w.dial(w.socks)
	io.WriteString(conn, "\x05")
	io.Copy(io.Discard, conn)
	w.wantOne(rules.Deny, rules.SniffTimeout)

	w = newWorld(t, impatient)
	w.dial(w.socks).Close()
	io.Copy(io.Discard, w.dial(w.socks))
	w.idle()
	if got := w.journal.decisions(); len(got) > 0 || w.p.Stats().Empty != 2 {
		t.Errorf("decisions %v, %d empty", got, w.p.Stats().Empty)
	}
}

// FuzzSOCKS5 checks the strict grammar byte by byte.
func FuzzSOCKS5(f *testing.F) {
	for _, s := range []string{greeting, "\x05\x00", "\x04\x01", nameRequest(1, "a.example", 443), nameRequest(3, "a.example", 53),
		addrRequest("8.8.8.8", 443), addrRequest("2001:db8::1", 1), nameRequest(1, "x\x00.a.example", 443), "\x05\x01\x00\x05"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, fault := parseGreeting(b); n > 0 {
			if fault != nil || b[0] != 5 || n != 2+int(b[1]) || n > len(b) {
				t.Fatalf("greeting %x: %d, %v", b, n, fault)
			}
		}
		r, fault := parseSOCKSRequest(b)
		if fault != nil {
			if fault.reason == rules.ReasonNone || fault.detail == "" {
				t.Fatalf("fault without a reason: %+v", fault)
			}
			return
		}
		if r.n == 0 {
			if len(b) >= maxSOCKS {
				t.Fatalf("%d bytes and no verdict", len(b))
			}
			return
		}
		if r.cmd == 3 && r.dest.Addr.IsValid() && r.n <= len(b) {
			return // UDP ASSOCIATE, from any port
		}
		if r.cmd != 1 || b[2] != 0 || r.n > len(b) || r.dest.Port == 0 || r.dest.Addr.Is4In6() ||
			r.dest.Name.IsZero() == !r.dest.Addr.IsValid() {
			t.Fatalf("request %x: %+v", b[:r.n], r)
		}
		if !r.dest.Name.IsZero() { // the name as sent, except for case and one dot
			sent := strings.ToLower(strings.TrimSuffix(string(b[5:5+int(b[4])]), "."))
			if sent != r.dest.Name.String() {
				t.Fatalf("sent %q, read %q", sent, r.dest.Name)
			}
		}
		for i := range r.n { // no beginning of it has a verdict
			if early, fault := parseSOCKSRequest(b[:i]); early.n != 0 || fault != nil {
				t.Fatalf("verdict after %d of %d bytes", i, r.n)
			}
		}
	})
}
