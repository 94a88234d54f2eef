// Preflight world: a host and the internet, with a resolver that gives several
// kinds of false answers, servers with several kinds of faults, and a firewall.

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// preflightWorld is the lab without clients, because preflight itself makes the
// connections.
type preflightWorld struct {
	host, internet *netns
	dir            string
	ca, inspector  *authority
	rec            *recorder
}

func newPreflightWorld(t *testing.T) *preflightWorld {
	t.Helper()
	need(t, "nft", "env")
	w := &preflightWorld{host: newNetns(t, "host"), internet: newNetns(t, "internet"), dir: t.TempDir()}
	w.ca, w.inspector = newAuthority(t, w.dir), newAuthority(t, t.TempDir())
	w.inspector.root.Subject.CommonName = "Inspection Appliance"
	w.inspector.root.RawSubject = nil
	w.host.ip(t, "link add outside type veth peer name net netns "+w.internet.path())
	// IPv6 has no default route, so it reaches only some of the destinations.
	w.host.ip(t, "addr add 45.83.0.2/24 dev outside", "addr add 2a0d:5600::2/64 dev outside nodad", "link set outside up",
		"route add default via "+resolver4, "route add 2a00:1450::/32 via "+resolver6)
	internet := []string{"addr add 45.83.0.1/24 dev net", "addr add 2a0d:5600::1/64 dev net nodad", "link set net up"}
	for _, route := range internetRoutes {
		internet = append(internet, "route add local "+route+" dev lo")
	}
	w.internet.ip(t, internet...)
	w.internet.sysctl(t, "ipv6/ip_nonlocal_bind", "1") // each server listens on an address of the routes above
	w.rec = startRecorder(t, w.internet, "net", w.host, resolver4+":9")
	w.firewall(t)
	serveLies(t, w.internet, resolver4+":53")
	for _, tr := range trials {
		for _, addr := range tr.addresses() {
			if tr.serve != "" && !netip.MustParsePrefix("2a01::/16").Contains(addr) {
				w.serve(t, netip.AddrPortFrom(addr, uint16(tr.port)), tr.serve)
			}
		}
	}
	return w
}

// addresses returns the addresses of a trial.
func (tr trial) addresses() []netip.Addr {
	if a, err := netip.ParseAddr(tr.host); err == nil {
		return []netip.Addr{a}
	}
	return addrs(strings.Fields(tr.leads)...)
}

// firewall loads the packet filter between the host and the internet.
func (w *preflightWorld) firewall(t *testing.T) {
	t.Helper()
	rules := "table inet upstream {\n chain in {\n  type filter hook input priority 0\n"
	for _, tr := range trials {
		if tr.filter == "" {
			continue
		}
		addr, family := tr.addresses()[0], "ip6"
		if addr.Is4() {
			family = "ip"
		}
		rules += fmt.Sprintf("  %s daddr %s tcp dport %d %s\n", family, addr, tr.port, tr.filter)
	}
	if r := w.internet.run(t, w.dir, rules+" }\n}\n", "nft", "-f", "-"); r.code != 0 {
		t.Fatalf("firewall: %v", r)
	}
}

// config permits every trial, and some things that cannot be tried.
func (w *preflightWorld) config() string {
	var b strings.Builder
	b.WriteString(`[listen]
http = ["` + outside4 + `:3128"]
admin = "127.0.0.1:9180"
[journal]
path = "denials.jsonl"
flows = "flows.jsonl"
[dns]
upstreams = ["udp://` + resolver4 + `"]
[[client]]
name = "mgr"
sources = ["10.77.0.10"]
profiles = ["symantec-endpoint-protection"]
role = "console"
[client.addresses]
manager = ["10.20.30.41"]
syslog = ["10.20.30.42"]
`)
	for i, tr := range trials {
		if tr.rule == "" {
			fmt.Fprintf(&b, "[[rule]]\nid = \"r%d\"\nclient = \"mgr\"\nto = [%q]\ntcp = [%d]\nreason = \"trial\"\n", i, tr.host, tr.port)
		}
	}
	b.WriteString(`[[rule]]
id = "wide"
client = "mgr"
to = ["*.wide.example", "93.184.70.0/24"]
tcp = [443]
reason = "cannot be tried"
[[rule]]
id = "many"
client = "mgr"
to = ["many.example"]
tcp = ["1000-2000"]
udp = [123]
reason = "cannot be tried"
[[rule]]
id = "old"
client = "mgr"
to = ["expiredrule.example"]
tcp = [443]
reason = "not in force"
expires = 2020-01-01
`)
	return b.String()
}

// lies answers with the faults of the trials, and every other name with an address.
type lies map[string]trial

func serveLies(t *testing.T, n *netns, address string) {
	t.Helper()
	l := lies{}
	for _, tr := range trials {
		l[tr.host] = tr
	}
	pc, err := n.listenPacket(address)
	if err != nil {
		t.Fatal(err)
	}
	startDNS(t, &dns.Server{PacketConn: pc, Handler: l})
}

func (l lies) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	tr, known := l[strings.TrimSuffix(strings.ToLower(q.Question[0].Name), ".")]
	rcode := map[string]int{"nxdomain": dns.RcodeNameError, "servfail": dns.RcodeServerFailure, "refused": dns.RcodeRefused}
	if tr.dns == "silent" {
		return
	}
	if code := rcode[tr.dns]; code != 0 {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, code))
		return
	}
	b := book{}
	if known {
		b[tr.host] = tr.addresses()
	}
	b.ServeDNS(w, q)
}

// serve answers connections at one address with one kind of fault.
func (w *preflightWorld) serve(t *testing.T, at netip.AddrPort, kind string) {
	t.Helper()
	l, err := w.internet.listen(at.String())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	gone := make(chan struct{})
	serveEach(l, &all, func(c net.Conn) { w.answer(c.(*net.TCPConn), kind, gone) })
	t.Cleanup(func() { close(gone); l.Close(); all.Wait() })
}

// answer serves one connection.
func (w *preflightWorld) answer(c *net.TCPConn, kind string, gone <-chan struct{}) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	switch kind {
	case "banner":
		_, _ = c.Write([]byte(banner))
		_, _ = io.Copy(io.Discard, c)
	case "silent":
		<-gone
	case "reset", "close", "http", "getonly", "portal":
		head := make([]byte, 2048)
		n, _ := c.Read(head)
		method, _, _ := strings.Cut(string(head[:n]), " ")
		switch {
		case kind == "reset":
			_ = c.SetLinger(0)
		case kind == "portal":
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		case kind == "http" && method == "HEAD" || kind == "getonly" && method == "GET":
			_, _ = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nServer: trial\r\nContent-Length: 0\r\n\r\n")
		case kind == "http":
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}
	case "slow":
		time.Sleep(700 * time.Millisecond)
		fallthrough
	default:
		s := tls.Server(c, w.tlsConfig(kind, c))
		if s.Handshake() == nil {
			_, _ = io.Copy(io.Discard, s)
		}
	}
}

// tlsConfig is the server's side for one kind of certificate.
func (w *preflightWorld) tlsConfig(kind string, c net.Conn) *tls.Config {
	year := 365 * 24 * time.Hour
	conf := &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		name := wanted(h)
		switch kind {
		case "expired":
			return w.ca.issue(name, -year, -time.Hour)
		case "early":
			return w.ca.issue(name, time.Hour, year)
		case "wrong":
			return w.ca.issue("elsewhere.example", -time.Hour, year)
		case "inspected":
			return w.inspector.issue(name, -time.Hour, year)
		case "worst":
			return w.inspector.issue("elsewhere.example", -year, -time.Hour)
		case "self":
			return (*authority)(nil).issue(name, -time.Hour, year)
		}
		return w.ca.issue(name, -time.Hour, year)
	}}
	switch kind {
	case "alert":
		conf.CipherSuites, conf.MaxVersion = []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}, tls.VersionTLS12
	case "clientcert":
		conf.ClientAuth, conf.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
	}
	return conf
}

// run runs preflight on the host. The environment has variables that must not
// matter, and the one variable that matters.
func (w *preflightWorld) run(t *testing.T, config string, args ...string) result {
	t.Helper()
	args = append(slices.Concat(w.env(), []string{builtBinary(t), "preflight", "--config", "-"}), args...)
	return w.host.run(t, w.dir, config, "env", args...)
}

func (w *preflightWorld) env() []string {
	return []string{"SSL_CERT_FILE=" + w.ca.file, "HTTP_PROXY=http://93.184.254.254:3128", "HTTPS_PROXY=http://93.184.254.254:3128",
		"ALL_PROXY=socks5://93.184.254.254:1080"}
}
