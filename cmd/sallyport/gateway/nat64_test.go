// Tests of discovered NAT64 prefixes while the upstreams change them.

package gateway

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// dns64 is an upstream that announces one prefix or none, or fails.
type dns64 struct {
	mu    sync.Mutex
	tells string // an address of ipv4only.arpa; "": none; "fail"
	asked int
}

func (u *dns64) tell(addr string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tells = addr
}

func (u *dns64) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	u.asked++
	switch {
	case u.tells == "fail":
		m.Rcode = dns.RcodeServerFailure
	case q.Question[0].Qtype == dns.TypeAAAA && u.tells != "":
		m.Answer = []dns.RR{&dns.AAAA{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeAAAA, Class: 1, Ttl: 300}, AAAA: net.ParseIP(u.tells)}}
	}
	_ = w.WriteMsg(m)
}

// start serves on loopback and returns the upstream as the configuration names it.
func (u *dns64) start(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: u, NotifyStartedFunc: func() { close(up) }}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ActivateAndServe() }()
	<-up
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return "udp://" + pc.LocalAddr().String()
}

const nat64Rule = `
[[rule]]
id     = "r"
client = "manager"
to     = ["a.example"]
tcp    = [443]
reason = "test"
`

// reaches returns the addresses of a list to which a permitted name may resolve
// now.
func (g *Gateway) reaches() string {
	name, _ := rules.ParseName("a.example")
	d := g.live.Decide(rules.Attempt{
		Generation: g.live.Load(), Via: rules.ViaDNS, QType: dns.TypeAAAA, Client: netip.MustParseAddrPort("10.77.0.10:1"), Authority: name, Provisional: true,
	})
	var out []string
	for _, addr := range []string{"64:ff9b::5db8:3d0a", "64:ff9b::a00:1", "2600:64::5db8:3d0a", "2600:64::a00:1", "fd00:64::5db8:3d0a"} {
		if d.Reach(netip.AddrPortFrom(netip.MustParseAddr(addr), 443)) == rules.ReasonNone {
			out = append(out, addr)
		}
	}
	return strings.Join(out, " ")
}

// TestNAT64Follows checks how the prefixes of the upstreams take effect. Public
// addresses in a prefix are reached, private addresses never. Another prefix, or
// none, replaces the earlier prefix. A prefix stays while no upstream answers,
// also after a reload. A private prefix is not used. Without "discover" no
// upstream is asked.
func TestNAT64Follows(t *testing.T) {
	g, log, write := readyGateway(t)
	u := &dns64{}
	site := strings.Replace(readySite, "udp://127.0.0.1:9", u.start(t), 1) + nat64Rule
	const global = "2600:64::5db8:3d0a" // outside of a NAT64 prefix this is an ordinary public address
	write(site)
	g.Reload("without the entry")
	if wait := g.discoverNAT64(t.Context()); wait != nat64Never || u.asked != 0 {
		t.Errorf("without the entry: %v, asked %d times", wait, u.asked)
	}
	write(site + "[resolve]\nnat64 = [\"discover\"]\n")
	g.Reload("with it")
	for _, c := range []struct{ what, tells, reaches, log string }{
		{"the well-known one", "64:ff9b::192.0.0.170", "64:ff9b::5db8:3d0a 2600:64::5db8:3d0a 2600:64::a00:1", "discovered=64:ff9b::/96 before=none"},
		{"no answer", "fail", "64:ff9b::5db8:3d0a 2600:64::5db8:3d0a 2600:64::a00:1", "the earlier prefixes stay"},
		{"the site's own", "2600:64::192.0.0.171", global, "discovered=2600:64::/96 before=64:ff9b::/96"},
		{"none", "", "2600:64::5db8:3d0a 2600:64::a00:1", "discovered=none before=2600:64::/96"},
		{"a private one", "fd00:64::192.0.0.170", "2600:64::5db8:3d0a 2600:64::a00:1", "fd00:64::/96 is among private"},
	} {
		u.tell(c.tells)
		g.Reload("empties the cache") // and keeps the prefix
		before, known := g.live.Load(), g.nat64.found
		wait := g.discoverNAT64(t.Context())
		if got := g.reaches(); got != c.reaches || wait < nat64Retry || wait > 300*time.Second {
			t.Errorf("%s: reached are %s, asked again after %v", c.what, got, wait)
		}
		if changed := g.live.Load() != before; changed != (prefixList(known) != prefixList(g.nat64.found)) {
			t.Errorf("%s: another generation: %t", c.what, changed)
		}
		if !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: not logged: %s", c.what, c.log)
		}
		after := g.live.Load()
		if g.discoverNAT64(t.Context()); g.live.Load() != after {
			t.Errorf("%s: the same answer makes another generation", c.what)
		}
	}
	u.tell("64:ff9b::192.0.0.170")
	g.Reload("the last time")
	g.discoverNAT64(t.Context())
	write(site)
	g.Reload("the entry is gone")
	if got := g.reaches(); strings.Contains(got, "64:ff9b") {
		t.Errorf("without the entry reached are %s", got)
	}
}

// TestNAT64IsWatched checks that a reload makes sallyport ask the upstreams again.
func TestNAT64IsWatched(t *testing.T) {
	g, _, write := readyGateway(t)
	u := &dns64{tells: "64:ff9b::192.0.0.170"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.watchNAT64(ctx) }()
	defer func() { cancel(); <-done }()
	write(strings.Replace(readySite, "udp://127.0.0.1:9", u.start(t), 1) + nat64Rule + "[resolve]\nnat64 = [\"discover\"]\n")
	g.Reload("test")
	for end := time.Now().Add(20 * time.Second); !strings.HasPrefix(g.reaches(), "64:ff9b::5db8:3d0a 2600"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("reached are %s", g.reaches())
		}
	}
}
