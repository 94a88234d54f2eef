// SOCKS5 as clients write it: every form of RFC 1928 that leads to a connection, and the reply
// code of every failure.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"sallyport/rules"
)

// socksConfig permits a name and an address of each family.
const socksConfig = `
[[client]]
name    = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id     = "socks"
client = "lab"
to     = ["a.example", "8.8.8.9", "2001:4860:4860::8888"]
tcp    = [5000]
reason = "test"
`

// The destination is the same, however a client writes it.
func TestSOCKSForms(t *testing.T) {
	t.Parallel()
	const four, six = "8.8.8.9:5000", "[2001:4860:4860::8888]:5000"
	for _, c := range []struct {
		name, greeting, request string
		dest                    string // what is connected to
		byName                  bool
	}{
		{"a name", greeting, nameRequest(1, "a.example", 5000), "8.8.8.8:5000", true},
		{"a name in upper case, with its dot", greeting, nameRequest(1, "A.EXAMPLE.", 5000), "8.8.8.8:5000", true},
		{"an address", greeting, addrRequest("8.8.8.9", 5000), four, false},
		{"an IPv6 address", greeting, addrRequest("2001:4860:4860::8888", 5000), six, false},
		{"an IPv4 address in IPv6 form", greeting, addrRequest("::ffff:8.8.8.9", 5000), four, false},
		{"an address as text", greeting, nameRequest(1, "8.8.8.9", 5000), four, false},
		{"an IPv6 address as text", greeting, nameRequest(1, "2001:4860:4860::8888", 5000), six, false},
		{"an IPv6 address as text, written at length", greeting, nameRequest(1, "2001:4860:4860:0:0:0:0:8888", 5000), six, false},
		{"an IPv4 address in IPv6 form as text", greeting, nameRequest(1, "::ffff:8.8.8.9", 5000), four, false},
		{"no authentication beside a password (RFC 1929)", "\x05\x02\x00\x02", nameRequest(1, "a.example", 5000), "8.8.8.8:5000", true},
		{"the same in the other order", "\x05\x02\x02\x00", nameRequest(1, "a.example", 5000), "8.8.8.8:5000", true},
		{"all methods of RFC 1928", "\x05\x03\x01\x02\x00", nameRequest(1, "a.example", 5000), "8.8.8.8:5000", true},
		{"a method twice", "\x05\x02\x00\x00", nameRequest(1, "a.example", 5000), "8.8.8.8:5000", true},
	} {
		for _, together := range []bool{false, true} {
			w := newWorld(t, nil)
			w.policy(socksConfig)
			o := w.origin(c.dest, echo)
			conn := w.dial(w.socks)
			const said = "\x01said"
			want := "\x05\x00" + reply(0) + said
			got := make([]byte, len(want))
			if together { // greeting, request and first bytes in one segment
				io.WriteString(conn, c.greeting+c.request+said)
			} else {
				io.WriteString(conn, c.greeting)
				io.ReadFull(conn, got[:2])
				io.WriteString(conn, c.request)
				io.ReadFull(conn, got[2:12])
				io.WriteString(conn, said)
			}
			n := 12
			if together {
				n = 0
			}
			if _, err := io.ReadFull(conn, got[n:]); string(got) != want || err != nil {
				t.Errorf("%s, together %v: got %x, %v", c.name, together, got, err)
			}
			conn.Close()
			r := w.wantOne(rules.Allow, rules.ReasonNone)
			if r.a.Dest.String() != c.dest || r.a.Authority.IsZero() == c.byName || len(w.lookedUp()) > 0 != c.byName {
				t.Errorf("%s, together %v: decided as %v to %v, looked up %v", c.name, together, r.a.Authority, r.a.Dest, w.lookedUp())
			}
			w.wantClosed()
			if o.received() != said {
				t.Errorf("%s, together %v: origin got %q", c.name, together, o.received())
			}
		}
	}
}

// If a client offers no acceptable method, the reply says so at once (RFC 1928, section 3), and
// the client's next bytes are no request.
func TestSOCKSPasswordOnly(t *testing.T) {
	t.Parallel()
	const login = "\x01\x04user\x04pass" // RFC 1929, section 2
	for _, then := range []string{"", login, login + nameRequest(1, "a.example", 5000)} {
		w := newWorld(t, nil)
		conn := w.dial(w.socks)
		io.WriteString(conn, "\x05\x01\x02"+then)
		got := make([]byte, 2)
		if _, err := io.ReadFull(conn, got); string(got) != "\x05\xff" || err != nil {
			t.Errorf("then %q: got %x, %v", then, got, err)
		}
		conn.Close()
		r := w.wantOne(rules.Deny, rules.MalformedRequest)
		if !strings.Contains(r.a.Detail, "method") || strings.Contains(r.a.Detail+string(r.a.Raw), "pass") {
			t.Errorf("on record: %q, %q", r.a.Detail, r.a.Raw)
		}
		w.idle()
		if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 {
			t.Errorf("looked up %v, dialed %v", w.lookedUp(), w.dialed())
		}
	}
}

// If a permitted destination was not reached, the reply code of RFC 1928, section 6, says why,
// and the record has the cause.
func TestSOCKSReplyCodes(t *testing.T) {
	t.Parallel()
	fails := func(err error) func(*Config) {
		return func(c *Config) {
			c.Connect = func(context.Context, netip.AddrPort) (*net.TCPConn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
			}
		}
	}
	resolves := func(addrs []netip.Addr, err error) func(*Config) {
		return func(c *Config) {
			c.Lookup = func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) { return addrs, err }
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		code   byte
		cause  rules.Cause
	}{
		{"refused", fails(syscall.ECONNREFUSED), 5, rules.DialRefused},
		{"no route to the host", fails(syscall.EHOSTUNREACH), 4, rules.DialUnreachable},
		{"no route to the network", fails(syscall.ENETUNREACH), 3, rules.DialUnreachable},
		{"no answer", fails(syscall.ETIMEDOUT), 4, rules.DialTimedOut},
		{"another error", fails(syscall.EADDRNOTAVAIL), 1, rules.DialFailed},
		{"no such name", resolves(nil, &net.DNSError{IsNotFound: true}), 4, rules.DialUnresolved},
		{"no resolver", resolves(nil, errors.New("SERVFAIL")), 4, rules.DialUnresolved},
		{"no address", resolves(nil, nil), 4, rules.DialNoAddress},
		{"a resolver that is silent", resolves(nil, context.DeadlineExceeded), 4, rules.DialTimedOut},
	} {
		w := newWorld(t, c.change)
		conn := w.dial(w.socks)
		io.WriteString(conn, greeting+nameRequest(1, "a.example", 5000))
		if got, err := io.ReadAll(conn); string(got) != "\x05\x00"+reply(c.code) || err != nil {
			t.Errorf("%s: got %x, %v; want code %d", c.name, got, err, c.code)
		}
		if end := w.wantClosed(); end.Cause != c.cause {
			t.Errorf("%s: cause %q, want %q", c.name, end.Cause, c.cause)
		}
		if ds := w.journal.decisions(); len(ds) > 0 {
			t.Errorf("%s: decisions %+v", c.name, ds)
		}
	}
}
