// Special: permitted connections that the table of trips cannot show.

package e2e

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A query for the HTTPS record of a permitted name is answered. The answer lacks
// the key with which a client could hide the name in its connection.
func TestHTTPSRecordComesWithoutECH(t *testing.T) {
	need(t, "dig")
	l := newLab(t)
	startGateway(t, l, configuration(fleet))
	direct := l.gateway.run(t, l.dir, "", "dig", "@"+resolver4, "+noall", "+answer", "license.sangfor.com", "HTTPS")
	if lacks(direct.stdout, "alpn=", "ech=") != nil {
		t.Fatalf("the resolver's own answer should have both: %v", direct)
	}
	r := l.tool(t, "dig", "@"+gateway4, "+noall", "+answer", "license.sangfor.com", "HTTPS")
	if lacks(r.stdout, "alpn=") != nil || strings.Contains(r.stdout, "ech=") {
		t.Errorf("want alpn and no ech: %v", r)
	}
}

// On ports other than 80 and 443 a server may speak first, through both listeners.
func TestServersThatSpeakFirst(t *testing.T) {
	need(t)
	l := newLab(t)
	startGateway(t, l, configuration(fleet))
	greeting, request := socks5Addr4("10.20.32.3", 22)
	for _, try := range []attempt{
		byHand("sep-manager", "3128", "CONNECT 10.20.32.3:22 HTTP/1.1\r\nHost: 10.20.32.3:22\r\n\r\n"),
		byHand("sep-manager", "1080", greeting, request),
	} {
		if r := try(t, l); !strings.Contains(r.stdout, banner) {
			t.Errorf("no banner: %v", r)
		}
	}
}

func socks5Addr4(addr string, port uint16) (greeting, request string) {
	return "\x05\x01\x00", socks5Addr(netip.AddrPortFrom(netip.MustParseAddr(addr), port))
}

// 13.94.16.103 is documented with "ALL": any bytes to it arrive, even on port 443.
// Its neighbour is forbidden like any other address.
func TestAddressDocumentedForEverything(t *testing.T) {
	need(t, "curl", "openssl")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	const line = "<13>1 - host app - - - a line of syslog\n"
	for _, port := range []string{"443", "514", "6514"} {
		dst := netip.MustParseAddrPort("13.94.16.103:" + port)
		mark := l.rec.mark(t)
		c, err := l.clients.dial("tcp", named("saas-agent").v4(), gateway4+":3128")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("CONNECT " + dst.String() + " HTTP/1.1\r\nHost: " + dst.String() + "\r\n\r\n"))
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Read(make([]byte, 1024))
		_, _ = c.Write([]byte(line))
		eventually(t, 30*time.Second, "a line of syslog arrives at "+dst.String(), func() error {
			if n := sent(l.rec.since(t, mark), dst); n != len(line) {
				return errorf("%d bytes of %d", n, len(line))
			}
			return nil
		})
		c.Close()
	}
	r := byOpenSSLFrom("saas-agent", "-connect", "13.94.16.103:6514", "-servername", "any.example", "-verify_return_error")(t, l)
	if r.code != 0 {
		t.Errorf("TLS with a name of the client's choice: %v", r)
	}
	mark := g.journal().mark()
	if r := l.curl(t, named("saas-agent"), "-x", httpDoor, "https://13.94.16.104/"); r.code == 0 {
		t.Errorf("the next address: %v", r)
	}
	g.journal().mustDeny(t, mark, denial{host: "13.94.16.104", port: 443, reason: "ip_literal"})
}

// Every request of a kept connection is decided by itself, in order.
func TestEveryRequestOfAConnectionIsDecided(t *testing.T) {
	need(t, "curl")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	r := l.curl(t, fleet[0], "-x", httpDoor, "-w", "%{http_code} %{num_connects}\n",
		"http://upd.sangfor.com/", "http://download.sangfor.com/", "http://kept.evil.example/", "http://upd.sangfor.com/")
	var codes []string
	for _, row := range lines(r.stdout) {
		if f := strings.Fields(row); len(f) == 2 && len(f[0]) == 3 {
			codes = append(codes, row)
		}
	}
	// The second request uses the connection of the first. A denial closes the
	// connection.
	if got := strings.Join(codes, ", "); got != "200 1, 200 0, 403 0, 200 1" {
		t.Errorf("codes and connections %s: %v", got, r)
	}
	g.journal().mustDeny(t, 0, denial{via: "http", host: "kept.evil.example", port: 80, reason: "not_listed"})
	for _, name := range queries(l.rec.since(t, 0)) {
		if strings.Contains(name, "evil") {
			t.Errorf("the resolver was asked for %s", name)
		}
	}
}

// TestConnectionOverTheLimitIsDeniedAsSuch asserts that a connection over the
// limit, and its record in the journal, have the reason "limit", although the
// destination is unknown.
func TestConnectionOverTheLimitIsDeniedAsSuch(t *testing.T) {
	need(t)
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet, "[limits]\nper_client = 2\n"))
	first := l.openTunnel(t, fleet[0], "license.sangfor.com")
	second := l.openTunnel(t, fleet[0], "x.sangfor.com")
	for port, via := range map[string]string{"3128": "http", "1080": "socks5"} {
		mark := g.journal().mark()
		r := byHand("es-manager", port, "")(t, l)
		if via == "http" && lacks(r.stdout, "HTTP/1.1 503", "X-Sallyport-Reason: limit") != nil {
			t.Errorf("%v", r)
		}
		g.journal().mustDeny(t, mark, denial{via: via, client: "es-manager", reason: "limit"})
	}
	if c := l.openTunnel(t, named("cc"), "x.sangfor.com"); c.works() != nil || first.works() != nil || second.works() != nil {
		t.Error("the limit of one client harms others, or what was open before")
	}
}
