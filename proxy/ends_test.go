// Ends before a decision: however a client leaves, its attempt is recorded once. A bare health
// check of a listener is only counted.

package proxy

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"sallyport/rules"
)

// leave ends a connection from the client's side, by a FIN or by a reset.
func leave(conn net.Conn, reset bool) {
	if reset {
		conn.(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
}

// A port scan appears as redirected connections that are closed without a byte. Each one is
// recorded as a denial of its address and port.
func TestSilentRedirectedConnections(t *testing.T) {
	t.Parallel()
	const audit = "mode = \"audit\"\n"
	const otherOnly = "[[client]]\nname = 'other'\nsources = ['10.0.0.1']\nprofiles = []\n"
	for _, c := range []struct {
		policy, dst string
		verdict     rules.Verdict
		reason      rules.Reason
	}{
		{redirectConfig, unlisted + ":22", rules.Deny, rules.IPLiteral},
		{redirectConfig, unlisted + ":443", rules.Deny, rules.IPLiteral},
		{redirectConfig, unlisted + ":80", rules.Deny, rules.IPLiteral},
		{redirectConfig, "169.254.169.254:80", rules.Deny, rules.IPLiteral},
		{redirectConfig, "8.8.8.5:22", rules.Deny, rules.PortNotListed},
		{otherOnly, unlisted + ":22", rules.Deny, rules.UnknownClient},
		{audit + redirectConfig, unlisted + ":22", rules.Deny, rules.IPLiteral}, // mode "audit" does not let it through
		{audit + redirectConfig, "8.8.8.5:22", rules.Allow, rules.PortNotListed},
		{audit + redirectConfig, "8.8.8.5:8443", rules.Allow, rules.PortNotListed},
	} {
		for _, byReset := range []bool{false, true} {
			b := newRedirectWorld(t, nil)
			b.policy(c.policy)
			o := b.origin(c.dst, nil)
			leave(b.to(c.dst), byReset)
			b.eventually("a decision", func() bool { return len(b.journal.decisions()) > 0 })
			b.idle()
			ds := b.journal.decisions()
			if len(ds) != 1 || ds[0].d.Verdict != c.verdict || ds[0].d.Why() != c.reason || ds[0].a.Dest.String() != c.dst || ds[0].a.Original.String() != c.dst {
				t.Errorf("%s, reset %v: decisions %+v", c.dst, byReset, ds)
			}
			if b.p.Stats().Empty != 0 {
				t.Errorf("%s, reset %v: counted as empty", c.dst, byReset)
			}
			if c.verdict == rules.Deny && o.connections() > 0 {
				t.Errorf("%s, reset %v: connected", c.dst, byReset)
			}
		}
	}
}

// A client that sends nothing to a permitted destination is not denied. If it only listens, it
// gets its server's bytes.
func TestSilentPermittedConnections(t *testing.T) {
	t.Parallel()
	for _, dst := range []string{"8.8.8.8:443", "8.8.8.8:80", "8.8.8.5:443"} {
		b := newRedirectWorld(t, nil)
		b.pin("8.8.8.8", "a.example")
		b.to(dst).Close()
		b.eventually("an empty connection", func() bool { return b.p.Stats().Empty == 1 })
		b.idle()
		if got := b.journal.decisions(); len(got) > 0 {
			t.Errorf("%s: decisions %+v", dst, got)
		}
		b.wantNoTrace()
	}
	for _, dst := range []string{"8.8.8.8:5000", "8.8.8.5:1433"} {
		b := newRedirectWorld(t, nil)
		b.pin("8.8.8.8", "a.example")
		b.origin(dst, func(conn *net.TCPConn, _ io.Reader) { io.WriteString(conn, "220 hello\r\n") })
		conn := b.to(dst)
		conn.CloseWrite()
		if got, err := io.ReadAll(conn); string(got) != "220 hello\r\n" || err != nil {
			t.Errorf("%s: got %q, %v", dst, got, err)
		}
		conn.Close()
		if r := b.wantOne(rules.Allow, rules.ReasonNone); r.a.Shown != rules.ShownSilent {
			t.Errorf("%s: shown %v", dst, r.a.Shown)
		}
		b.wantClosed()
	}
}

// If a client leaves in the middle, there is one decision, and one end if the decision is an
// allow.
func TestEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	hello := string(helloFor(t, "a.example"))
	tunnel := func(port string) func(*redirectWorld) net.Conn {
		return func(b *redirectWorld) net.Conn { return b.rawTunnelTo("a.example:" + port) }
	}
	socks := func(b *redirectWorld) net.Conn { return b.dial(b.socks) }
	chosen := func(b *redirectWorld) net.Conn { return b.socksTo("a.example", 443) }
	http := func(b *redirectWorld) net.Conn { return b.dial(b.http) }
	redirected := func(dst string) func(*redirectWorld) net.Conn {
		return func(b *redirectWorld) net.Conn { return b.to(dst) }
	}
	for _, c := range []struct {
		name   string
		open   func(*redirectWorld) net.Conn
		sent   string
		reason rules.Reason // ReasonNone: allowed
	}{
		{"SOCKS5, half a greeting", socks, "\x05", rules.MalformedRequest},
		{"SOCKS5, a greeting", socks, greeting, rules.MalformedRequest},
		{"SOCKS5, half a request", socks, greeting + "\x05\x01\x00\x03\x09a.ex", rules.MalformedRequest},
		{"SOCKS5, a request to 443", chosen, "", rules.SniffTimeout},
		{"SOCKS5, and half a hello", chosen, hello[:50], rules.MalformedRequest},
		{"half a head", http, "GET http://a.example/ HTTP/1.1\r\n", rules.MalformedRequest},
		{"half a CONNECT", http, "CONNECT a.example:443 HT", rules.MalformedRequest},
		{"a tunnel to 443", tunnel("443"), "", rules.SniffTimeout},
		{"a tunnel to 80", tunnel("80"), "", rules.SniffTimeout},
		{"a tunnel to another port", tunnel("5000"), "", rules.ReasonNone},
		{"a tunnel and half a hello", tunnel("443"), hello[:100], rules.MalformedRequest},
		{"a tunnel to another port and half a hello", tunnel("5000"), hello[:100], rules.MalformedRequest},
		{"a tunnel to another port and half a head", tunnel("5000"), "GET / HTTP/1.1\r\nHost: a", rules.MalformedRequest},
		{"a tunnel to 80 and half a request line", tunnel("80"), "GET / HT", rules.MalformedRequest},
		{"redirected, half a hello", redirected("8.8.8.8:443"), hello[:100], rules.MalformedRequest},
		{"redirected, half a hello to an unlisted port", redirected(unlisted + ":9000"), hello[:100], rules.MalformedRequest},
		{"redirected, half a head", redirected("8.8.8.8:80"), "GET / HTTP/1.1\r\nHost: a", rules.MalformedRequest},
		{"redirected, text", redirected(unlisted + ":9000"), "hello", rules.IPLiteral},
	} {
		for _, byReset := range []bool{false, true} {
			b := newRedirectWorld(t, nil)
			for _, port := range []string{"80", "443", "5000"} {
				b.origin("8.8.8.8:"+port, func(_ *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) })
			}
			conn := c.open(b)
			io.WriteString(conn, c.sent)
			b.eventually("every byte taken", func() bool { return queued(t, conn.(*net.TCPConn)) == 0 })
			leave(conn, byReset)
			b.eventually("a decision", func() bool { return len(b.journal.decisions()) > 0 })
			b.idle()
			reason := c.reason
			if byReset && reason == rules.IPLiteral {
				reason = rules.MalformedRequest // the connection broke: more bytes may have followed
			}
			ds := b.journal.decisions()
			if len(ds) != 1 || ds[0].d.Allowed() != (reason == rules.ReasonNone) || ds[0].d.Why() != reason {
				t.Errorf("%s, reset %v: decisions %+v", c.name, byReset, ds)
			}
			if ends := len(b.journal.closes()); (ends == 1) != ds[0].d.Allowed() {
				t.Errorf("%s, reset %v: %d ends", c.name, byReset, ends)
			}
		}
	}
}

// A bare probe of a listener, as by a load balancer, is not recorded. A connection over the limit
// is recorded.
func TestBareConnections(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, func(c *Config) { c.Limits.PerClient = 1 })
	for n, addr := range []netip.AddrPort{b.http, b.socks} {
		for _, byReset := range []bool{false, true} {
			b.idle()
			leave(b.dial(addr), byReset)
			want := uint64(2*n + 1)
			if byReset {
				want++
			}
			b.eventually("an empty connection", func() bool { return b.p.Stats().Empty == want })
		}
	}
	b.idle()
	if got := b.journal.decisions(); len(got) > 0 {
		t.Errorf("decisions %+v", got)
	}
	first := b.dial(b.http)
	b.eventually("a connection", func() bool { return b.p.Stats().Connections == 1 })
	second := b.dial(b.socks)
	second.SetReadDeadline(time.Now().Add(10 * time.Second))
	io.Copy(io.Discard, second)
	b.wantOne(rules.Deny, rules.Limit)
	first.Close()
}
