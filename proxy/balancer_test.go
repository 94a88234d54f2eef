// Balancer tests: a listed source must name its client in a PROXY header; from any other source such
// a header is malformed.

package proxy

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/proxyheader"
)

// The balancer's address, which is no client's, and the client behind it.
const (
	balancerAddr = "127.0.0.9"
	behindAddr   = "10.7.7.7"
)

const behindConfig = `
[[client]]
name    = "behind"
sources = ["` + behindAddr + `", "fd00:7::/64"]
profiles = []

[[client]]
name    = "lab"
sources = ["127.0.0.1"]
profiles = []

[[rule]]
id     = "web"
client = "behind"
to     = ["a.example"]
tcp    = [80, 443, 5000]
reason = "test"

[[rule]]
id     = "addr"
client = "behind"
to     = ["8.8.8.9"]
tcp    = [5000]
reason = "test"

[[rule]]
id     = "direct"
client = "lab"
to     = ["a.example", "8.8.8.9"]
tcp    = [80, 443, 5000]
reason = "test"
`

// headers are the same statement in both versions.
var headers = map[string]string{
	"version 1": "PROXY TCP4 10.7.7.7 8.8.8.9 50000 5000\r\n",
	"version 2": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x07\x07\x07\x08\x08\x08\x09\xc3\x50\x13\x88",
	"values":    "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x12\x0a\x07\x07\x07\x08\x08\x08\x09\xc3\x50\x13\x88\x04\x00\x03abc",
}

const localHeader = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"

func balanced(c *Config) {
	c.Balancers = []netip.Prefix{netip.MustParsePrefix(balancerAddr + "/32")}
}

// newBalanced starts a proxy behind a balancer, with all front ends.
func newBalanced(t *testing.T, change func(*Config)) *redirectWorld {
	t.Helper()
	b := newRedirectWorld(t, func(c *Config) {
		balanced(c)
		if change != nil {
			change(c)
		}
	})
	b.policy(behindConfig)
	return b
}

// toBalanced connects to a front end from an address; the kernel says that nothing was redirected.
func (b *redirectWorld) toBalanced(from string, to netip.AddrPort) *net.TCPConn {
	b.t.Helper()
	conn := b.dialFrom(from, to)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.originals[unmapped(conn.LocalAddr())] = netip.AddrPort{}
	b.change.Broadcast()
	return conn
}

// The header's address is the client's, in every front end, whole and byte by byte, and what
// follows in the same segment is not lost.
func TestBalancerNamesTheClient(t *testing.T) {
	t.Parallel()
	for version, header := range headers {
		for _, size := range []int{1 << 20, 1} {
			for _, c := range []struct {
				via  rules.Via
				sent string
			}{
				{rules.ViaConnect, "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n\r\n\x01hello"},
				{rules.ViaSOCKS5, greeting + nameRequest(1, "a.example", 5000) + "\x01hello"},
				{rules.ViaTransparent, "\x01hello"},
			} {
				w := newBalanced(t, nil)
				o := w.origin("8.8.8.8:5000", echo)
				if c.via == rules.ViaTransparent {
					o = w.origin("8.8.8.9:5000", echo)
				}
				door := map[rules.Via]netip.AddrPort{rules.ViaConnect: w.http, rules.ViaSOCKS5: w.socks, rules.ViaTransparent: w.addr}[c.via]
				conn := w.toBalanced(balancerAddr, door)
				for _, piece := range split([]byte(header+c.sent), size) {
					conn.Write(piece)
					if size == 1 {
						time.Sleep(50 * time.Microsecond)
					}
				}
				w.eventually("the bytes at the origin", func() bool { return o.received() == "\x01hello" })
				r := w.wantOne(rules.Allow, rules.ReasonNone)
				if r.a.Client != netip.MustParseAddrPort(behindAddr+":50000") || r.d.Client.Name != "behind" || r.a.Via != c.via {
					t.Errorf("%s, %v: client %v, %v", version, c.via, r.a.Client, r.d.Client)
				}
				if c.via == rules.ViaTransparent && r.a.Original.String() != "8.8.8.9:5000" {
					t.Errorf("%s: original destination %v", version, r.a.Original)
				}
			}
		}
	}
}

// A listed source without a whole, valid header with a client gets nothing, and is recorded.
func TestBalancerWithoutClient(t *testing.T) {
	t.Parallel()
	const connect = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
	unix := "\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8" + strings.Repeat("\x00", 216)
	for _, c := range []struct{ name, sent, detail string }{
		{"no header", connect, proxyheader.ErrNone.Error()},
		{"half a line", "PROXY TCP4 10.7.7.7 8.8", "the PROXY header was not complete in time: 23 octets came"},
		{"half a signature", "\r\n\r\n\x00", "the PROXY header was not complete in time: 5 octets came"},
		{"unknown", "PROXY UNKNOWN\r\n" + connect, proxyheader.NoClient},
		{"a unix socket", unix + connect, proxyheader.NoClient},
		{"a broken line", "PROXY TCP4 10.7.7.7 8.8.8.9 1 443\n" + connect, ""},
		{"a line of 108 octets", "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n" + connect, ""},
		{"two headers", headers["version 1"] + headers["version 1"] + connect, "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, door := range []string{"http", "socks", "transparent"} {
				w := newBalanced(t, impatient)
				conn := w.toBalanced(balancerAddr, map[string]netip.AddrPort{"http": w.http, "socks": w.socks, "transparent": w.addr}[door])
				io.WriteString(conn, c.sent)
				answer, _ := io.ReadAll(conn)
				if c.detail == "*" { // the second header is the client's own text
					if door == "http" {
						w.wantOne(rules.Deny, rules.MalformedRequest)
					}
					continue
				}
				r := w.wantOne(rules.Deny, rules.ProxyProtocol)
				if r.a.Client.Addr().String() != balancerAddr || len(r.a.Raw) > 0 || c.detail != "" && r.a.Detail != c.detail {
					t.Errorf("%s: %+v", door, r.a)
				}
				if door == "http" && (!strings.HasPrefix(string(answer), "HTTP/1.1 403 ") || !strings.Contains(string(answer), "X-Sallyport-Reason: proxy_protocol\r\n")) {
					t.Errorf("answer %q", answer)
				}
				if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 {
					t.Errorf("%s: looked up %v, dialed %v", door, w.lookedUp(), w.dialed())
				}
			}
		})
	}
}

// From any other source a header is malformed, and does not change the client.
func TestHeaderFromElsewhere(t *testing.T) {
	t.Parallel()
	for version, header := range headers {
		for _, door := range []string{"http", "socks", "transparent", "transparent, server first"} {
			w := newBalanced(t, nil)
			o := w.origin("8.8.8.9:5000", echo)
			var conn *net.TCPConn
			switch door {
			case "http":
				conn = w.dial(w.http)
			case "socks":
				conn = w.dial(w.socks)
			case "transparent":
				conn = w.to("8.8.8.7:5000")
			default:
				conn = w.to("8.8.8.9:5000")
			}
			io.WriteString(conn, header+"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
			io.Copy(io.Discard, conn)
			r := w.wantOne(rules.Deny, rules.MalformedRequest)
			if r.a.Client.Addr().String() != "127.0.0.1" || r.a.Detail != proxyheader.Unexpected {
				t.Errorf("%s, %s: client %v, %q", version, door, r.a.Client, r.a.Detail)
			}
			if got := o.received(); got != "" {
				t.Errorf("%s, %s: %q arrived", version, door, got)
			}
		}
	}
}

// A balancer's own connections are counted. If nothing follows, that is all; a request of its own is
// judged as the balancer's, which is no client here.
func TestBalancerChecksHealth(t *testing.T) {
	t.Parallel()
	w := newBalanced(t, nil)
	for i, door := range []netip.AddrPort{w.http, w.socks, w.addr} {
		for j, header := range []string{localHeader, "PROXY UNKNOWN\r\n"} {
			conn := w.toBalanced(balancerAddr, door)
			io.WriteString(conn, header)
			conn.CloseWrite()
			io.Copy(io.Discard, conn)
			w.eventually("the count", func() bool { return w.p.Stats().Checks == uint64(2*i+j+1) })
		}
	}
	conn := w.toBalanced(balancerAddr, w.http)
	conn.Close()
	w.eventually("the empty connection", func() bool { return w.p.Stats().Empty == 1 })
	if ds := w.journal.decisions(); len(ds) > 0 {
		t.Errorf("recorded: %+v", ds)
	}
	conn = w.toBalanced(balancerAddr, w.http)
	io.WriteString(conn, localHeader+"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	io.Copy(io.Discard, conn)
	if r := w.wantOne(rules.Deny, rules.UnknownClient); r.a.Client.Addr().String() != balancerAddr {
		t.Errorf("client %v", r.a.Client)
	}
}

// The clients behind one balancer have a quota each, and an unknown one is denied as unknown.
func TestQuotasBehindABalancer(t *testing.T) {
	t.Parallel()
	w := newBalanced(t, func(c *Config) { c.Limits.PerClient = 1 })
	w.origin("8.8.8.8:5000", nil)
	ask := func(client string) (*net.TCPConn, string) {
		conn := w.toBalanced(balancerAddr, w.http)
		io.WriteString(conn, "PROXY TCP4 "+client+" 8.8.8.9 50000 3128\r\nCONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n\r\n")
		b := make([]byte, len("HTTP/1.1 200"))
		io.ReadFull(conn, b)
		return conn, string(b[9:])
	}
	first, status := ask(behindAddr)
	if status != "200" {
		t.Errorf("first: %s", status)
	}
	if _, status := ask(behindAddr); status != "503" {
		t.Errorf("over the quota: %s", status)
	}
	if _, status := ask("10.9.9.9"); status != "403" {
		t.Errorf("unknown: %s", status)
	}
	first.Close()
	w.eventually("room", func() bool {
		w.p.clients.mu.Lock()
		defer w.p.clients.mu.Unlock()
		return w.p.clients.quota.Held() == 0
	})
	if _, status := ask(behindAddr); status != "200" {
		t.Errorf("after the first has ended: %s", status)
	}
}

// The kernel's word about a redirected connection is better than the header's, and a header cannot
// lead to our own listeners.
func TestBalancerIsNoWayAround(t *testing.T) {
	t.Parallel()
	w := newBalanced(t, nil)
	o := w.origin("8.8.8.9:5000", echo)
	conn := w.dialFrom(balancerAddr, w.addr)
	w.mu.Lock()
	w.originals[unmapped(conn.LocalAddr())] = netip.MustParseAddrPort("8.8.8.7:5000")
	w.change.Broadcast()
	w.mu.Unlock()
	io.WriteString(conn, headers["version 1"]+"\x01hello") // the header says 8.8.8.9
	io.Copy(io.Discard, conn)
	if r := w.wantOne(rules.Deny, rules.IPLiteral); r.a.Original.String() != "8.8.8.7:5000" || o.received() != "" {
		t.Errorf("original %v, received %q", r.a.Original, o.received())
	}
	for _, own := range []netip.AddrPort{w.addr, w.http} {
		w := newBalanced(t, nil)
		w.own.Listeners = append(w.own.Listeners, own)
		w.policy(behindConfig)
		conn := w.toBalanced(balancerAddr, w.addr)
		io.WriteString(conn, "PROXY TCP4 10.7.7.7 127.0.0.1 50000 "+netip.AddrPortFrom(own.Addr(), own.Port()).String()[len("127.0.0.1:"):]+"\r\n\x01hello")
		io.Copy(io.Discard, conn)
		w.wantOne(rules.Deny, rules.Self)
	}
}
