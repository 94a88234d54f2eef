//go:build linux

// Synthetic: two names share one address, and a protocol shows no name. The permitted name is
// reached by its synthetic address, and nothing reaches the other one: before and after a restart,
// and with the addresses of a second sallyport.

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The names at the shared address. Port 22 has a server that speaks first.
const (
	syntheticName  = "db.corp.example"
	forbiddenName  = "other.corp.example"
	syntheticBelow = "eu.wild.corp.example"
)

// syntheticPrefixes are the prefixes of the synthetic addresses.
func syntheticPrefixes() (v4, v6 netip.Prefix) {
	return netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("fd53:1234:5678::/64")
}

// syntheticSite returns a configuration with synthetic addresses for one client.
func (s *scene) syntheticSite(t *testing.T, top string) string {
	t.Helper()
	secret := filepath.Join(s.dir, "synthetic.secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("0123456789abcdef", 4)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(secret, sallyportUser, sallyportUser); err != nil {
		t.Fatal(err)
	}
	v4, v6 := syntheticPrefixes()
	top = strings.Replace(top, "[dns]\n", fmt.Sprintf("[dns]\nsynthetic = [%q, %q]\nsynthetic_secret_file = %q\n", v4, v6, secret), 1)
	c := fleet[0]
	return top + fmt.Sprintf(`
[[client]]
name      = "site"
sources   = [%q, %q, "127.0.0.0/8", "::1"]
profiles  = []
synthetic = true
[[rule]]
id     = "db"
client = "site"
to     = [%q, "*.wild.corp.example"]
tcp    = [22, 8888]
%s
reason = "database"
[[rule]]
id     = "wide"
client = "site"
to     = ["198.16.0.0/14", "fd53:1234:5678::/62"]
udp    = [7, 443]
tcp    = [22]
reason = "a rule that covers the synthetic prefixes, by mistake"
`, c.v4(), c.v6(), syntheticName, map[bool]string{true: "udp = [7]"}[s.mode == "tproxy"])
}

// lookUp asks a DNS server, by default the outside one, and returns the reply.
func (n *netns) lookUp(t *testing.T, server, name string, qtype uint16) *dns.Msg {
	t.Helper()
	c, err := n.dial("tcp", "", server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(longestWait))
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), qtype)
	conn := dns.Conn{Conn: c}
	if err := conn.WriteMsg(q); err != nil {
		t.Fatal(err)
	}
	r, err := conn.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// syntheticOf returns the two addresses by which a server answers.
func (n *netns) syntheticOf(t *testing.T, server, name string) (out []netip.Addr) {
	t.Helper()
	v4, v6 := syntheticPrefixes()
	for qtype, p := range map[uint16]netip.Prefix{dns.TypeA: v4, dns.TypeAAAA: v6} {
		r := n.lookUp(t, server, name, qtype)
		if len(r.Answer) != 1 {
			t.Fatalf("the answer about %s: %v", name, r)
		}
		var a netip.Addr
		switch rr := r.Answer[0].(type) {
		case *dns.A:
			a, _ = netip.AddrFromSlice(rr.A.To4())
		case *dns.AAAA:
			a, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if !p.Contains(a) {
			t.Fatalf("%s has %v, which is not in %v", name, a, p)
		}
		if qtype == dns.TypeA {
			out = append([]netip.Addr{a}, out...)
		} else {
			out = append(out, a)
		}
	}
	return out
}

func TestSyntheticAddressesReachExactlyTheirName(t *testing.T) {
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		shared := addrs("93.184.241.7", "2a00:1450:4002::7")
		s.book[syntheticName], s.book[forbiddenName] = shared, shared
		s.book[syntheticBelow] = addrs("93.184.241.8", "2a00:1450:4002::8")
		config := s.syntheticSite(t, redirecting(mode))
		s.catchWith(t, nil, nil, config)
		s.become(t, fleet[0])
		server := outsideDNS4 + ":53"
		first := s.clients.syntheticOf(t, server, syntheticName)
		below := s.clients.syntheticOf(t, server, syntheticBelow)
		if r := s.clients.lookUp(t, server, forbiddenName, dns.TypeA); r.Rcode != dns.RcodeNameError {
			t.Errorf("the forbidden name: %v", r)
		}
		s.onlyByName(t, first, shared)
		if mode == "tproxy" { // otherwise datagrams do not come to sallyport
			for _, a := range first {
				if answer, err := s.exchange(netip.AddrPortFrom(a, 7), "a datagram", longestWait); answer != "a datagram" {
					t.Errorf("a datagram to %v: %q, %v", a, answer, err)
				}
			}
		}
		s.banner(t, below, addrs("93.184.241.8", "2a00:1450:4002::8"))

		s.g.signal(t, syscall.SIGKILL)
		s.g.waitExit(t, longestWait)
		s.run(t)
		s.onlyByName(t, first, shared) // nobody has asked for the name since the start
		s.unknown(t, below)            // the address alone does not say which name below the wildcard it is
		if again := s.clients.syntheticOf(t, server, syntheticName); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("after a restart %v, before %v", again, first)
		}
		if again := s.clients.syntheticOf(t, server, syntheticBelow); fmt.Sprint(again) != fmt.Sprint(below) {
			t.Errorf("after a restart %v, before %v", again, below)
		}
		s.banner(t, below, addrs("93.184.241.8", "2a00:1450:4002::8"))

		second := newGateway(t, s.host)
		second.configure(t, s.syntheticSite(t, "[listen]\nhttp = [\"127.0.0.1:3199\"]\ndns = [\"127.0.0.1:5399\"]\n[dns]\nupstreams = [\"udp://45.83.0.1:53\"]\n[journal]\npath = \"denials.jsonl\"\n[process]\nhardening = \"off\"\n"))
		if err := os.Chown(filepath.Join(s.dir, "synthetic.secret"), 0, 0); err != nil {
			t.Fatal(err)
		}
		second.start(t, "run", "--config", "sallyport.toml")
		second.waitListening(t, "127.0.0.1:5399")
		for name, want := range map[string][]netip.Addr{syntheticName: first, syntheticBelow: below} {
			if got := s.host.syntheticOf(t, "127.0.0.1:5399", name); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("another sallyport answers %s by %v, this one by %v", name, got, want)
			}
		}
	})
}

// banner connects to synthetic addresses and reads what the servers at the true addresses say.
func (s *scene) banner(t *testing.T, synthetic, shared []netip.Addr) {
	t.Helper()
	for _, a := range synthetic {
		mark := s.rec.mark(t)
		if got := s.listen(t, netip.AddrPortFrom(a, 22)); got != banner {
			t.Errorf("the server behind %v said %q", a, got)
		}
		n := 0
		for _, p := range s.rec.since(t, mark) {
			if p.syn && p.dst.Port() == 22 && slices.Contains(shared, p.dst.Addr()) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%v: %d connections to the true addresses %v", a, n, shared)
		}
	}
}

// onlyByName reaches the permitted name by its synthetic addresses, and nothing else at the address
// that it shares.
func (s *scene) onlyByName(t *testing.T, synthetic, shared []netip.Addr) {
	t.Helper()
	s.banner(t, synthetic, shared)
	mark := s.rec.mark(t)
	for i, a := range shared { // as a client of the other name would, which knows its address from elsewhere
		if r := stream(netip.AddrPortFrom(a, 22), "\x02bytes for the other name")(t, s); r.stdout != "" {
			t.Errorf("the server of the forbidden name said %q", r.stdout)
		}
		stream(netip.AddrPortFrom(a, 8888), "\x02bytes for the other name\r\n\r\n")(t, s)
		stream(netip.AddrPortFrom(synthetic[i], 8888), "GET / HTTP/1.1\r\nHost: "+forbiddenName+":8888\r\n\r\n")(t, s)
	}
	for _, p := range s.rec.everything(t, mark) {
		for _, a := range shared {
			if p.dst.Addr() == a && len(p.payload) > 0 {
				t.Errorf("a packet with %d bytes to the forbidden name's address %v", len(p.payload), p.dst)
			}
		}
	}
}

// unknown sends bytes to synthetic addresses whose name is not known, and to addresses of no name.
func (s *scene) unknown(t *testing.T, synthetic []netip.Addr) {
	t.Helper()
	mark, records := s.rec.mark(t), s.g.journal().mark()
	v4, v6 := syntheticPrefixes()
	for _, a := range append(synthetic, v4.Addr().Next(), v6.Addr().Next()) {
		if r := stream(netip.AddrPortFrom(a, 22), "\x02bytes for no name")(t, s); r.stdout != "" {
			t.Errorf("%v, which is no known name's, said %q", a, r.stdout)
		}
		s.g.journal().mustDeny(t, records, denial{via: "transparent", client: "site", port: 22, reason: "ip_literal"})
		for _, port := range []uint16{7, 443} { // a rule permits these datagrams, by mistake
			if c, err := s.clients.dial("udp", "", netip.AddrPortFrom(a, port).String()); err == nil {
				_, _ = c.Write([]byte("a datagram"))
				c.Close()
			}
		}
	}
	for _, p := range s.rec.everything(t, mark) {
		if v4.Contains(p.dst.Addr()) || v6.Contains(p.dst.Addr()) {
			t.Errorf("a packet to the synthetic address %v left", p.dst)
		}
	}
}
