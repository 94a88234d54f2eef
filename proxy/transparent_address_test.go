// Redirected connections that show no name, or need none: they are decided by a rule about the
// address, or by a pin.

package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// queued returns how many bytes of conn's the other end has not read yet.
func queued(t testing.TB, conn *net.TCPConn) (n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// If the address alone decides, a server that sends first need not wait, and the client's first
// bytes are judged before they are sent on.
func TestRedirectedServerFirst(t *testing.T) {
	t.Parallel()
	const greeting = "220 here I am\r\n"
	sendGreeting := func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, greeting)
		io.Copy(conn, r)
	}
	evil := string(helloFor(t, "evil.example"))
	for _, c := range []struct {
		name, dst, pin, first string
		reason                rules.Reason
	}{
		{"database at a bound address", "8.8.8.5:1433", "", "\x12\x01\x00\x2f", 0},
		{"text at a bound address", "8.8.8.5:1433", "", "EHLO client\r\n", 0},
		{"TLS with the bound name", "8.8.8.5:1433", "", string(helloFor(t, "own.example")), 0},
		{"TLS with another name at a bound address", "8.8.8.5:1433", "", evil, rules.SNIMismatch},
		{"a request for another host at a bound address", "8.8.8.5:1433", "", "GET / HTTP/1.1\r\nHost: evil.example:1433\r\n\r\n", rules.HostMismatch},
		{"opaque, pinned", "8.8.8.8:5000", "a.example", "\x00\x01", 0},
		{"TLS with the pinned name", "8.8.8.8:5000", "a.example", string(helloFor(t, "a.example")), 0},
		{"TLS with another name, pinned", "8.8.8.8:5000", "a.example", evil, rules.SNIMismatch},
		{"a request for another host, pinned", "8.8.8.8:5000", "a.example", "GET / HTTP/1.1\r\nHost: evil.example:5000\r\n\r\n", rules.HostMismatch},
		{"every protocol", "8.8.8.7:1433", "", evil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Longer than the client waits: the client's bytes must not be awaited.
			b := newRedirectWorld(t, func(c *Config) { c.Limits.Sniff = time.Minute })
			if c.pin != "" {
				b.pin("8.8.8.8", "unlisted.example", c.pin)
			}
			o := b.origin(c.dst, sendGreeting)
			conn := b.to(c.dst)
			if _, err := io.ReadFull(conn, make([]byte, len(greeting))); err != nil {
				t.Fatalf("the client gets nothing: %v", err)
			}
			io.WriteString(conn, c.first)
			if c.reason == rules.ReasonNone {
				if _, err := io.ReadFull(conn, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				conn.Close()
				b.wantOne(rules.Allow, 0)
				if end := b.wantClosed(); end.Dialed.String() != c.dst {
					t.Errorf("closed %+v", end)
				}
				return
			}
			io.Copy(io.Discard, conn)
			conn.Close() // otherwise the proxy waits before it closes
			b.wantOne(rules.Deny, c.reason)
			b.idle()
			if o.received() != "" {
				t.Errorf("arrived %q", o.received())
			}
		})
	}
}

// A pin counts only for the client that got the answer, for the documented port, and for public
// addresses.
func TestPins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, addr, pin, dst, first string
		reason                      rules.Reason
	}{
		{"a name that no rule names", "8.8.8.8", "evil.example", "8.8.8.8:5000", "\x00", rules.IPLiteral},
		{"an undocumented port", "8.8.8.8", "a.example", "8.8.8.8:22", "SSH-2.0-x\r\n", rules.PortNotListed},
		{"another address", "8.8.8.8", "a.example", "8.8.4.4:5000", "\x00", rules.IPLiteral},
		{"a private address", "10.9.9.9", "a.example", "10.9.9.9:5000", "\x00", rules.PrivateAddress},
		{"TLS without a name", "8.8.8.8", "a.example", "8.8.8.8:443", string(helloFor(t, "")), rules.SNIMissing},
		{"no TLS on 443", "8.8.8.8", "a.example", "8.8.8.8:443", "SSH-2.0-x\r\n", rules.NotTLS},
		{"no HTTP on 80", "8.8.8.8", "a.example", "8.8.8.8:80", "SSH-2.0-x\r\n", rules.NotHTTP},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRedirectWorld(t, nil)
			b.pin(c.addr, c.pin)
			conn := b.to(c.dst)
			io.WriteString(conn, c.first)
			io.Copy(io.Discard, conn)
			b.wantOne(rules.Deny, c.reason)
			b.wantNoTrace()
		})
	}
}

// If an address decides by itself, requests to it go there, and each request is judged.
func TestRedirectedRequestsByAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, dst, host, version, arrives string }{
		{"Host is the bound name", "8.8.8.5:1433", "own.example:1433", "1.1", "own.example:1433"},
		{"Host is the bound address", "8.8.8.5:1433", "8.8.8.5:1433", "1.1", "8.8.8.5:1433"},
		{"Host is the bound address, port 80", "8.8.8.5:80", "8.8.8.5", "1.1", "8.8.8.5"},
		{"no Host, port 80", "8.8.8.5:80", "", "1.0", "8.8.8.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRedirectWorld(t, nil)
			hosts := make(chan string, 1)
			b.origin(c.dst, func(conn *net.TCPConn, r io.Reader) {
				req, err := http.ReadRequest(bufio.NewReader(r))
				if err == nil {
					hosts <- req.Host
					io.WriteString(conn, okAnswer)
				}
			})
			text := "GET / HTTP/" + c.version + "\r\n"
			if c.host != "" {
				text += "Host: " + c.host + "\r\n"
			}
			b.exchangeTo(c.dst, text+"\r\n").want(200, "")
			if got := <-hosts; got != c.arrives {
				t.Errorf("Host %q arrived", got)
			}
			b.wantOne(rules.Allow, 0)
			if len(b.lookedUp()) > 0 {
				t.Errorf("looked up %v", b.lookedUp())
			}
		})
	}
}

// In mode "audit" a server that sends first is waited for only if the client sends nothing.
func TestRedirectedAudit(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, func(c *Config) { c.Limits.Sniff = 50 * time.Millisecond })
	b.policy("mode = \"audit\"\n" + redirectConfig)
	b.origin("8.8.8.5:22", func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, "SSH-2.0-x\r\n")
		io.Copy(io.Discard, r)
	})
	conn := b.to("8.8.8.5:22")
	if _, err := io.ReadFull(conn, make([]byte, 11)); err != nil {
		t.Error(err)
	}
	io.WriteString(conn, "SSH-2.0-y\r\n")
	if r := b.wantAudited(); r.d.Why() != rules.PortNotListed {
		t.Errorf("%v", r.d.Why())
	}
}

// wantAudited waits for the one decision, which audit mode must have let through.
func (b *redirectWorld) wantAudited() record {
	b.t.Helper()
	b.eventually("a decision", func() bool { return len(b.journal.decisions()) > 0 })
	r := b.journal.decisions()[0]
	if !r.d.Allowed() || !r.d.Would {
		b.t.Errorf("decision %v %v", r.d.Text(), r.d.Why())
	}
	return r
}

// Many names share an address, and a pin may be missing. A client that shows another permitted
// name than the pinned name is judged by the name that it shows, and connected to our
// resolution of that name, even if the address alone would have decided.
func TestPinnedAddressOfAnotherPermittedName(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	b.pin("8.8.4.4", "a.example")
	pinned := b.origin("8.8.4.4:5000", func(conn *net.TCPConn, r io.Reader) { io.Copy(conn, r) })
	b.origin("8.8.8.6:5000", func(conn *net.TCPConn, r io.Reader) { io.Copy(conn, r) })
	hello := string(helloFor(t, "b.example"))
	conn := b.to("8.8.4.4:5000")
	io.WriteString(conn, hello)
	if _, err := io.ReadFull(conn, make([]byte, len(hello))); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	b.wantOne(rules.Allow, 0)
	if end := b.wantClosed(); end.Dialed.String() != "8.8.8.6:5000" {
		t.Errorf("went to %v, not to our resolution of the name", end.Dialed)
	}
	if got := pinned.received(); got != "" {
		t.Errorf("%q arrived at the address that the client chose", got)
	}
}
