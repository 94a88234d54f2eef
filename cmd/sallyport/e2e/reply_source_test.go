//go:build linux

// Reply source: a host with several addresses answers DNS from the address that was asked.

package e2e

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

const manyAddresses = `
[listen]
http  = ["[::]:3128"]
dns   = ["LISTEN"]
admin = "127.0.0.1:9180"
[[client]]
name     = "host"
sources  = ["10.20.30.0/24", "fd00:20::/64", "fe80::/64"]
profiles = []
[[rule]]
id     = "updates"
client = "host"
to     = ["*.site.example"]
tcp    = [443]
reason = "test"
[[rule]]
id     = "gateway"
client = "host"
to     = ["10.20.30.2", "10.30.0.7"]
tcp    = [5300]
reason = "test"
[journal]
path = "denials.jsonl"
[dns]
upstreams = ["udp://127.0.0.53"]
`

// dig drops a reply that does not come from the address that it has asked. Each address of the host
// is asked for a denied name, for a name that an upstream knows, and for the same name again. The
// addresses: three of the interface (IPv4, IPv6, link-local), each as the second of its kind, and one
// of a prefix that a route of type local gives to the host.
func TestDNSRepliesFromTheAskedAddress(t *testing.T) {
	need(t, "dig", "curl", "nft")
	for listen, asked := range map[string]string{
		"[::]:5300":    "10.20.30.1 10.20.30.2 10.30.0.7 fd00:20::1 fd00:20::2 fd00:30::7 fe80::1%lan fe80::2%lan",
		"0.0.0.0:5300": "10.20.30.1 10.20.30.2 10.30.0.7",
	} {
		t.Run(listen, func(t *testing.T) {
			gw, host := newNetns(t, "gateway"), newNetns(t, "host")
			gw.ip(t, "link add lan type veth peer name lan netns "+host.path(), "link set lan addrgenmode none",
				"addr add 10.20.30.1/24 dev lan", "addr add 10.20.30.2/24 dev lan", "addr add fd00:20::1/64 dev lan", "addr add fd00:20::2/64 dev lan",
				"addr add fe80::1/64 dev lan", "addr add fe80::2/64 dev lan", "link set lan up",
				"route add local 10.30.0.0/24 dev lo", "route add local fd00:30::/64 dev lo")
			host.ip(t, "link set lan addrgenmode none", "addr add 10.20.30.40/24 dev lan", "addr add fd00:20::40/64 dev lan", "addr add fe80::40/64 dev lan", "link set lan up",
				"route add 10.30.0.0/24 via 10.20.30.1", "route add fd00:30::/64 via fd00:20::1")
			serveDNS(t, gw, book{}, "127.0.0.53:53")
			g := newGateway(t, gw)
			g.configure(t, strings.Replace(manyAddresses, "LISTEN", listen, 1))
			g.start(t, "run", "--config", "sallyport.toml")
			g.waitReady(t)
			for i, at := range strings.Fields(asked) {
				name := string(rune('a'+i)) + ".site.example"
				mustDig(t, host, at, "5300", name, "status: NOERROR", "93.184.250.1") // by the upstream
				mustDig(t, host, at, "5300", name, "status: NOERROR", "93.184.250.1") // by the cache
				evil := string(rune('a'+i)) + ".evil.example"
				mustDig(t, host, at, "5300", evil, "status: NXDOMAIN", "not_listed")
				d := g.journal().mustDeny(t, 0, denial{via: "dns", client: "host", host: evil, reason: "not_listed"})
				if !strings.Contains(d.line, `"client":"`+from(at)) {
					t.Errorf("asked at %s: %s", at, d.line)
				}
			}
			// One address of the host asks another one: both are on the same interface.
			if r := gw.run(t, g.dir, "", "dig", "@10.20.30.1", "-b", "10.20.30.2", "-p", "5300", "+notcp", "+tries=1", "+time=10", "evil.example"); lacks(r.stdout, "status: NXDOMAIN") != nil {
				t.Errorf("from one address to another: %v", r)
			}
			// Redirected by the packet filter: the reply comes from where the client has sent the query.
			nft := "table inet redirect_dns {\n chain incoming {\n type nat hook prerouting priority dstnat;\n udp dport 53 redirect to :5300\n }\n}\n"
			if r := gw.run(t, "/", nft, "nft", "-f", "-"); r.code != 0 {
				t.Fatal(r)
			}
			mustDig(t, host, "10.20.30.2", "53", "evil.example", "status: NXDOMAIN")
			mustDig(t, host, "10.30.0.7", "53", "evil.example", "status: NXDOMAIN")
			// The listener itself stays closed to clients.
			for _, at := range []string{"10.20.30.2", "10.30.0.7"} {
				if r := host.run(t, "/", "", "curl", "-sSi", "-x", "http://10.20.30.1:3128", "http://"+at+":5300/"); lacks(r.stdout, "403", "X-Sallyport-Reason: self") != nil {
					t.Errorf("a client reaches the DNS listener through the proxy, by %s: %v", at, r)
				}
				if r := gw.run(t, g.dir, "", builtBinary(t), "explain", "--config", "sallyport.toml", "--from", "10.20.30.40", "tcp", at, "5300"); lacks(r.stdout, "self") != nil {
					t.Errorf("explain, by %s: %v", at, r)
				}
			}
		})
	}
}

// from is the address that the client asks from, with the quote that ends it.
func from(at string) string {
	switch {
	case strings.HasPrefix(at, "fe80:"):
		return `fe80::40"`
	case strings.Contains(at, ":"):
		return `fd00:20::40"`
	}
	return `10.20.30.40"`
}

// mustDig asks an address once, by UDP, and wants texts in the answer.
func mustDig(t *testing.T, n *netns, at, port, name string, want ...string) {
	t.Helper()
	r := n.run(t, "/", "", "dig", "@"+at, "-p", port, "+notcp", "+tries=1", "+time=15", name, dns.TypeToString[dns.TypeA])
	if err := lacks(r.stdout, want...); err != nil || strings.Contains(r.all(), "unexpected source") {
		t.Errorf("%v: %v", err, r)
	}
}
