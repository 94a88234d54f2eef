//go:build linux

// Balancer: Debian's HAProxy in front of every front end, with both versions of the PROXY protocol.

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// haproxyConfig has a door for each front end and each version.
const haproxyConfig = `
global
    maxconn 500
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen http1
    bind 10.77.0.1:4001
    server gate 127.0.0.1:3128 send-proxy check inter 200ms
listen http2
    bind 10.77.0.1:4002
    server gate 127.0.0.1:3128 send-proxy-v2 check inter 200ms
listen socks1
    bind 10.77.0.1:4003
    server gate 127.0.0.1:1080 send-proxy
listen socks2
    bind 10.77.0.1:4004
    server gate 127.0.0.1:1080 send-proxy-v2 proxy-v2-options unique-id,crc32c
listen dns1
    bind 10.77.0.1:4005
    server gate 127.0.0.1:5300 send-proxy
listen dns2
    bind 10.77.0.1:4006
    server gate 127.0.0.1:5300 send-proxy-v2
listen redirected
    bind 10.77.0.1:443
    server gate 127.0.0.1:3129 send-proxy-v2
listen forgotten
    bind 10.77.0.1:4009
    server gate 127.0.0.1:3128
listen half
    bind %s mode 666
    server gate 127.0.0.1:3128 send-proxy-v2
`

const balancedListen = `[listen]
http = ["127.0.0.1:3128", "10.77.0.1:3128"]
socks5 = ["127.0.0.1:1080"]
dns = ["127.0.0.1:5300"]
transparent = ["127.0.0.1:3129"]
admin = "127.0.0.1:9180"
proxy_protocol_from = ["127.0.0.1"]
[dns]
upstreams = ["udp://` + resolver4 + `:53"]
`

func TestBehindHAProxy(t *testing.T) {
	need(t, "haproxy", "curl")
	l := newLab(t)
	g := startGateway(t, l, configurationOf(balancedListen, fleet))
	socket := filepath.Join(t.TempDir(), "half.sock")
	startHAProxy(t, l, socket)
	for _, c := range fleet[:2] {
		for _, door := range []string{"http://10.77.0.1:4001", "http://10.77.0.1:4002", "socks5h://10.77.0.1:4003", "socks5h://10.77.0.1:4004"} {
			mark := g.journal().mark()
			if r := l.curl(t, c, "-x", door, "https://balanced.evil.example/"); r.code == 0 {
				t.Errorf("%v", r)
			}
			r := g.journal().mustDeny(t, mark, denial{host: "balanced.evil.example", port: 443, reason: "not_listed"})
			if r.Client != c.v4() || r.Name != c.name {
				t.Errorf("%s through %s: recorded as %s %q", c.v4(), door, r.Client, r.Name)
			}
		}
	}
	manager := fleet[0]
	for _, door := range []string{"http://10.77.0.1:4001", "http://10.77.0.1:4002", "socks5h://10.77.0.1:4003", "socks5h://10.77.0.1:4004"} {
		for _, url := range []string{"https://license.sangfor.com/", "http://upd.sangfor.com/"} {
			if r := l.curl(t, manager, "-x", door, url); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
				t.Errorf("%v", r)
			}
		}
	}
	// A TLS client that believes the balancer to be its server: the destination is the name that it shows.
	if r := l.curl(t, manager, "--connect-to", "license.sangfor.com:443:10.77.0.1:443", "https://license.sangfor.com/"); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
		t.Errorf("%v", r)
	}
	for _, port := range []string{"4005", "4006"} {
		l.asksBalanced(t, g, manager, port)
	}
	l.faultsBehindHAProxy(t, g, socket)
	eventually(t, 30*time.Second, "health checks are counted", func() error {
		_, body, err := g.admin("/metrics")
		if err != nil || strings.Contains(body, "sallyport_balancer_checks_total 0\n") || !strings.Contains(body, "sallyport_balancer_checks_total ") {
			return fmt.Errorf("%v", err)
		}
		return nil
	})
}

// startHAProxy starts HAProxy on the gateway's host and waits until its doors are open.
func startHAProxy(t *testing.T, l *lab, socket string) {
	t.Helper()
	file := filepath.Join(l.dir, "haproxy.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, haproxyConfig, socket), 0o644); err != nil {
		t.Fatal(err)
	}
	ha := newGateway(t, l.gateway)
	ha.startCommand(t, "haproxy", "-db", "-f", file)
	ha.waitListening(t, "10.77.0.1:4009")
}

// asksBalanced asks for a permitted and a denied name by DNS over TCP through the balancer.
func (l *lab) asksBalanced(t *testing.T, g *gateway, c client, port string) {
	t.Helper()
	mark := g.journal().mark()
	for name, want := range map[string]int{"license.sangfor.com.": dns.RcodeSuccess, "dns.evil.example.": dns.RcodeNameError} {
		conn, err := l.clients.dial("tcp", c.v4(), "10.77.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		q := new(dns.Msg)
		q.SetQuestion(name, dns.TypeA)
		m, _, err := (&dns.Client{Net: "tcp"}).ExchangeWithConn(q, &dns.Conn{Conn: conn})
		conn.Close()
		if err != nil || m.Rcode != want {
			t.Errorf("%s by %s: %v, %v", name, port, m, err)
		}
	}
	if r := g.journal().mustDeny(t, mark, denial{via: "dns", host: "dns.evil.example", reason: "not_listed"}); r.Client != c.v4() {
		t.Errorf("recorded as %s", r.Client)
	}
}

// faultsBehindHAProxy tries a balancer that forgot its header, one whose client has no address, half
// a header, and a client that writes a header itself. Nothing gets out.
func (l *lab) faultsBehindHAProxy(t *testing.T, g *gateway, socket string) {
	t.Helper()
	packets := l.rec.mark(t)
	mark := g.journal().mark()
	if r := l.curl(t, fleet[0], "-x", "http://10.77.0.1:4009", "https://license.sangfor.com/"); r.code == 0 || !strings.Contains(r.all(), "403") {
		t.Errorf("without a header: %v", r)
	}
	if r := g.journal().mustDeny(t, mark, denial{reason: "proxy_protocol"}); r.Client != "127.0.0.1" || !strings.Contains(r.Detail, "no PROXY header") {
		t.Errorf("%s", r.line)
	}
	say := func(network, address, text string) string {
		var b []byte
		err := l.gateway.do(func() error {
			c, err := new(net.Dialer).DialContext(context.Background(), network, address)
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(longestWait))
			_, _ = io.WriteString(c, text)
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			b, _ = io.ReadAll(c)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	const connect = "CONNECT license.sangfor.com:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n"
	for _, c := range []struct{ name, network, address, sent, reason string }{
		{"a client without an address", "unix", socket, connect, "unknown_client"}, // HAProxy sends LOCAL for it
		{"half a header", "tcp", "127.0.0.1:3128", "PROXY TCP4 10.77.0.", "proxy_protocol"},
		{"a header from elsewhere", "tcp", "10.77.0.1:3128", "PROXY TCP4 " + fleet[0].v4() + " 10.77.0.1 1 3128\r\n" + connect, "malformed_request"},
	} {
		mark := g.journal().mark()
		answer := say(c.network, c.address, c.sent)
		g.journal().mustDeny(t, mark, denial{reason: c.reason})
		if strings.Contains(answer, " 200 ") {
			t.Errorf("%s: %q", c.name, answer)
		}
	}
	for _, p := range l.rec.since(t, packets) {
		if p.dst.Port() != 53 { // permitted names are looked up in advance
			t.Errorf("left the gateway: %v", p)
		}
	}
}
