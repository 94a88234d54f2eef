// Connections to synthetic addresses: each is a connection to the name, whatever its port and its
// protocol are, and never to another name at the same true address.

package proxy

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// noDisk has the secret of synthetic addresses for every path.
type noDisk struct{}

func (noDisk) Read(string, int) ([]byte, error)      { return []byte(strings.Repeat("s", 32)), nil }
func (noDisk) List(string, string) ([]string, error) { return nil, nil }

const syntheticConfig = `
[listen]
dns         = ["127.0.0.1:1"]
transparent = ["127.0.0.1:2"]
[dns]
upstreams = ["udp://192.0.2.53"]
synthetic = ["fd53:1234:5678::/64", "198.18.0.0/15"]
synthetic_secret_file = "secret"
` + redirectConfig + `
[[rule]]
id     = "wild"
client = "lab"
to     = ["*.wild.example", "198.16.0.0/14", "fd53:1234:5678::/62"]
any    = true
reason = "test"
`

// newSyntheticWorld is a redirect world whose names have synthetic addresses. asked are the names
// below wildcards that clients asked for.
func newSyntheticWorld(t *testing.T, asked ...string) *redirectWorld {
	b := newRedirectWorld(t, func(c *Config) {
		c.Limits.Sniff = 500 * time.Millisecond
		c.SyntheticName = func(g *rules.Generation, _, addr netip.Addr) (rules.Name, bool) {
			for _, n := range asked {
				if g.IsSyntheticOf(addr, proxytest.Name(t, n)) {
					return proxytest.Name(t, n), true
				}
			}
			n, _ := g.Policy.SyntheticName(addr)
			return n, g.Policy.IsSynthetic(addr)
		}
	})
	b.policy(syntheticConfig)
	return b
}

// at returns a synthetic address of a name, with a port.
func (b *redirectWorld) at(name, port string) string {
	v4, v6 := b.live.Policy().SyntheticAddrs(proxytest.Name(b.t, name))
	if port == "5000" {
		return netip.AddrPortFrom(v6, 5000).String()
	}
	return v4.String() + ":" + port
}

func TestSynthetic(t *testing.T) {
	t.Parallel()
	hello := func(name string) string { return string(helloFor(t, name)) }
	get := func(host string) string { return "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n" }
	for _, c := range []struct {
		what, name, port, first string
		reason                  rules.Reason
		end                     string
		dialed                  string
	}{
		{"bytes of no known protocol", "a.example", "5000", "\x00\x01\x02", 0, endsRelayed, "8.8.8.8:5000"},
		{"text", "a.example", "5000", "EHLO client\r\n", 0, endsRelayed, "8.8.8.8:5000"},
		{"TLS with the name", "a.example", "443", hello("a.example"), 0, endsRelayed, "8.8.8.8:443"},
		{"TLS with the name on another port", "a.example", "5000", hello("a.example"), 0, endsRelayed, "8.8.8.8:5000"},
		{"a request to the name", "a.example", "80", get("a.example"), 0, endsPage, "8.8.8.8:80"},
		{"TLS with another permitted name", "a.example", "443", hello("b.example"), rules.SNIMismatch, endsAlert, ""},
		{"TLS with another name, the server may speak first", "a.example", "5000", hello("evil.example"), rules.SNIMismatch, endsAlert, "8.8.8.8:5000"},
		{"TLS without a name on 443", "a.example", "443", hello(""), rules.SNIMissing, endsAlert, ""},
		{"a request to another permitted name", "a.example", "80", get("b.example"), rules.HostMismatch, endsPage, ""},
		{"no TLS on 443", "a.example", "443", "SSH-2.0-x\r\n", rules.NotTLS, endsReset, ""},
		{"a port that no rule lists", "a.example", "22", "SSH-2.0-x\r\n", rules.PortNotListed, endsReset, ""},
		{"a port that no rule lists, and no byte", "a.example", "22", "", rules.PortNotListed, endsReset, ""},
		{"port 0, and no byte", "a.example", "0", "", rules.PortNotListed, endsReset, ""},
		{"a name with private addresses", "inside.example", "5000", "\x00", rules.PrivateAddress, endsReset, ""},
		{"a wildcard's name that was asked for", "mixed.example", "5000", "\x00", 0, endsRelayed, "8.8.8.8:5000"},
		{"a name that no rule lists", "evil.example", "5000", "\x00", rules.IPLiteral, endsReset, ""},
		{"a name that no rule lists, and a permitted SNI", "evil.example", "443", hello("a.example"), rules.DestinationMismatch, endsAlert, ""},
		{"a name that no rule lists, and a permitted Host", "evil.example", "80", get("a.example"), rules.DestinationMismatch, endsPage, ""},
		{"a wildcard's name that nobody asked for", "x.wild.example", "5000", "\x00", rules.IPLiteral, endsReset, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := newSyntheticWorld(t)
			var o *origin
			if c.dialed != "" {
				o = b.origin(c.dialed, echo)
			}
			dst := b.at(c.name, c.port)
			conn := b.to(dst)
			io.WriteString(conn, c.first)
			if c.end == endsRelayed {
				if _, err := io.ReadFull(conn, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				conn.CloseWrite()
			}
			if c.reason != 0 || c.end == endsRelayed {
				b.wantEndOf(conn, c.end, c.reason)
			} else {
				io.Copy(io.Discard, conn)
			}
			verdict := rules.Deny
			if c.reason == rules.ReasonNone {
				verdict = rules.Allow
			}
			r := b.wantOne(verdict, c.reason)
			if r.a.Original.String() != dst || r.a.Mismatch && c.reason != rules.DestinationMismatch || r.a.Via != rules.ViaTransparent {
				t.Errorf("on record: original %v, mismatch %v", r.a.Original, r.a.Mismatch)
			}
			if found := c.reason != rules.IPLiteral && c.reason != rules.DestinationMismatch; found && r.a.Authority.String() != c.name {
				t.Errorf("on record: authority %v", r.a.Authority)
			}
			b.idle()
			for _, d := range b.dialed() {
				if d.String() != c.dialed {
					t.Errorf("dialed %v", d)
				}
			}
			switch {
			case c.dialed == "" && len(b.dialed()) > 0:
				t.Errorf("dialed %v", b.dialed())
			case c.reason != 0 && o != nil && o.received() != "":
				t.Errorf("after the denial arrived %q", o.received())
			case c.end == endsRelayed && o.received() != c.first:
				t.Errorf("arrived %q", o.received())
			}
		})
	}
}

// A name below a wildcard is found by its address once a client has asked for it; before that, by
// the name that the flow shows, if that name has the address.
func TestSyntheticBelowWildcard(t *testing.T) {
	t.Parallel()
	b := newSyntheticWorld(t, "x.wild.example")
	conn := b.to(b.at("x.wild.example", "5000"))
	io.WriteString(conn, "\x00")
	io.Copy(io.Discard, conn) // the world does not resolve it
	if got := b.lookedUp(); len(got) != 1 || got[0] != "x.wild.example" {
		t.Errorf("looked up %v", got)
	}
	b = newSyntheticWorld(t)
	conn = b.to(b.at("x.wild.example", "443"))
	conn.Write(helloFor(t, "x.wild.example"))
	io.Copy(io.Discard, conn)
	if got := b.lookedUp(); len(got) != 1 || got[0] != "x.wild.example" {
		t.Errorf("looked up %v", got)
	}
}

// A server that speaks first reaches a client that waits, by the name alone.
func TestSyntheticServerFirst(t *testing.T) {
	t.Parallel()
	b := newSyntheticWorld(t)
	b.origin("8.8.8.8:5000", func(conn *net.TCPConn, _ io.Reader) {
		io.WriteString(conn, "220 ready\r\n")
		conn.Close()
	})
	conn := b.to(b.at("a.example", "5000"))
	if got, err := io.ReadAll(conn); string(got) != "220 ready\r\n" {
		t.Errorf("got %q, %v", got, err)
	}
	conn.Close()
	b.wantOne(rules.Allow, 0)
}

// With strict_destination, a synthetic address is an address of its name.
func TestSyntheticStrict(t *testing.T) {
	t.Parallel()
	b := newSyntheticWorld(t)
	b.policy("strict_destination = true\n" + syntheticConfig)
	b.origin("8.8.8.8:443", echo)
	conn, first := b.to(b.at("a.example", "443")), helloFor(t, "a.example")
	conn.Write(first)
	if _, err := io.ReadFull(conn, make([]byte, len(first))); err != nil {
		t.Error(err)
	}
	conn.Close()
	if r := b.wantOne(rules.Allow, 0); r.a.Mismatch {
		t.Error("mismatch on record")
	}
}

// A SOCKS5 client that resolves names by itself reaches the name too: that is all it can show.
func TestSyntheticAddressBySOCKS5(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, first string
		code        byte
		reason      rules.Reason
	}{
		{"a.example", "\x00\x01", 0, 0},
		{"a.example", string(helloFor(t, "b.example")), 0, rules.SNIMismatch},
		{"evil.example", "", 2, rules.IPLiteral},
	} {
		b := newSyntheticWorld(t)
		o := b.origin("8.8.8.8:5000", echo)
		conn := b.dial(b.socks)
		to := netip.MustParseAddrPort(b.at(c.name, "5000"))
		a := to.Addr().As16()
		io.WriteString(conn, "\x05\x01\x00\x05\x01\x00\x04"+string(a[:])+"\x13\x88"+c.first)
		reply := make([]byte, 12)
		if _, err := io.ReadFull(conn, reply); err != nil || reply[3] != c.code {
			t.Errorf("%s: reply % x, %v", c.name, reply, err)
		}
		if c.reason == 0 {
			if _, err := io.ReadFull(conn, make([]byte, len(c.first))); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			conn.CloseWrite()
		}
		io.Copy(io.Discard, conn)
		verdict := map[bool]rules.Verdict{true: rules.Allow, false: rules.Deny}[c.reason == 0]
		if r := b.wantOne(verdict, c.reason); c.code == 0 && (r.a.Original != to || r.a.Authority.String() != c.name) {
			t.Errorf("%s: on record %v at %v", c.name, r.a.Authority, r.a.Original)
		}
		b.idle()
		if got := o.received(); c.reason != 0 && got != "" {
			t.Errorf("%s: arrived %q", c.name, got)
		}
	}
}

// A proxy client that resolved the name itself is told to give the proxy the name.
func TestSyntheticAddressByProxy(t *testing.T) {
	t.Parallel()
	b := newSyntheticWorld(t)
	e := &exchange{w: b.world, conn: b.dial(b.http)}
	dst := b.at("a.example", "443")
	io.WriteString(e.conn, "CONNECT "+dst+" HTTP/1.1\r\nHost: "+dst+"\r\n\r\n")
	got, _ := io.ReadAll(e.conn)
	if !strings.Contains(string(got), "X-Sallyport-Reason: ip_literal") || !strings.Contains(string(got), "ask the proxy for the name") {
		t.Errorf("got %s", got)
	}
	b.wantOne(rules.Deny, rules.IPLiteral)
	b.wantNoTrace()
}

// A datagram to a synthetic address that TPROXY brings is one to the name; no pin counts.
func TestSyntheticDatagram(t *testing.T) {
	t.Parallel()
	w := newDivertedDatagrams(t)
	to := netip.MustParseAddrPort("198.18.1.2:123")
	w.pin(to.Addr().String(), "evil.example")
	w.p.cfg.SyntheticName = func(*rules.Generation, netip.Addr, netip.Addr) (rules.Name, bool) {
		return proxytest.Name(t, "a.example"), true
	}
	a := w.d.ask(netip.MustParseAddrPort("127.0.0.1:4711"), rules.Authority{Addr: to.Addr(), Port: to.Port()})
	if a.Target().String() != "a.example" || a.Original != to || a.Dest.Addr().IsValid() || a.Dest.Port() != 123 || len(a.Pinned) > 0 {
		t.Errorf("the question is %+v", a)
	}
}
