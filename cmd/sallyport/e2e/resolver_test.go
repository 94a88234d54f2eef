//go:build linux

// Resolver: the internet's DNS server. It knows every name, so that a leaked
// query would be answered and a leaked connection would arrive.

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// elsewhere are the addresses of every name that the book does not list.
var elsewhere = []netip.Addr{netip.MustParseAddr("93.184.250.1"), netip.MustParseAddr("2a00:1450:bad::1")}

// book maps names to their addresses.
type book map[string][]netip.Addr

// assign gives each name its own IPv4 and IPv6 address, so that a packet
// identifies its name. The addresses look public and are local to the
// internet's namespace.
func (b book) assign(names []string) {
	for i, name := range names {
		b[name] = []netip.Addr{
			netip.AddrFrom4([4]byte{93, 184, byte(1 + i/200), byte(1 + i%200)}),
			netip.MustParseAddr(fmt.Sprintf("2a00:1450:4001::%x", i+1)),
		}
	}
}

// of returns the addresses of name.
func (b book) of(name string) []netip.Addr {
	if a, ok := b[name]; ok {
		return a
	}
	return elsewhere
}

// serveDNS answers on port 53 of every address given, UDP and TCP.
func serveDNS(t *testing.T, n *netns, h dns.Handler, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		pc, err := n.listenPacket(address)
		if err != nil {
			t.Fatalf("resolver: %v", err)
		}
		l, err := n.listen(address)
		if err != nil {
			t.Fatalf("resolver: %v", err)
		}
		startDNS(t, &dns.Server{PacketConn: pc, Handler: h})
		startDNS(t, &dns.Server{Listener: l, Handler: h})
	}
}

func startDNS(t *testing.T, s *dns.Server) {
	up := make(chan struct{})
	s.NotifyStartedFunc = func() { close(up) }
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ActivateAndServe() }()
	<-up
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
}

// ServeDNS answers one query, authoritatively.
func (b book) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	m.Authoritative = true
	question := q.Question[0]
	name := strings.TrimSuffix(strings.ToLower(question.Name), ".")
	head := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: 60}
	for _, a := range b.of(name) {
		switch {
		case question.Qtype == dns.TypeA && a.Is4():
			m.Answer = append(m.Answer, &dns.A{Hdr: head, A: net.IP(a.AsSlice())})
		case question.Qtype == dns.TypeAAAA && a.Is6():
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: head, AAAA: net.IP(a.AsSlice())})
		}
	}
	switch question.Qtype {
	case dns.TypeTXT:
		m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{"leaked"}})
	case dns.TypeHTTPS:
		m.Answer = append(m.Answer, &dns.HTTPS{SVCB: dns.SVCB{Hdr: head, Priority: 1, Target: ".", Value: []dns.SVCBKeyValue{
			&dns.SVCBAlpn{Alpn: []string{"h3", "http/1.1"}},
			&dns.SVCBECHConfig{ECH: []byte("an encrypted client hello configuration")},
		}}})
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{&dns.SOA{
			Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60},
			Ns:  "ns.invalid.", Mbox: "hostmaster.invalid.", Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: 60,
		}}
	}
	_ = w.WriteMsg(m)
}
