// Authority: the upstream of the tests, which records its questions.

package dnsfilter

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// authority is an upstream. It answers from the text of a zone, or by a
// function of the test, and records every question.
type authority struct {
	addr    netip.AddrPort
	mu      sync.Mutex          // guards the rest
	zone    map[string][]dns.RR // by name and type
	serve   func(w dns.ResponseWriter, r *dns.Msg) bool
	queries []string // "udp name. TYPE"
	raw     []*dns.Msg
}

const zoneText = `
a.example.       300 IN A     192.0.1.10
a.example.       300 IN AAAA  2606:4700::10
b.example.       300 IN A     192.0.1.11
www.a.example.   300 IN CNAME edge.cdn.test.
edge.cdn.test.   60  IN A     192.0.1.20
mixed.example.   300 IN A     192.0.1.30
mixed.example.   300 IN A     10.9.9.9
inside.example.  300 IN A     127.0.0.1
inside.example.  300 IN A     169.254.169.254
inside.example.  300 IN AAAA  fd00:ec2::254
db.corp.test.    300 IN A     10.20.0.5
.                300 IN NS    ns.root.test.
svc.example.     300 IN HTTPS 1 . alpn="h2,h3" port=443 ipv4hint="192.0.1.40,10.0.0.9" ech="AEX+DQBBUQAgACBMHtXnaTM1DiYHKcPhC0SvnfgeKpPMUKmDeVSPXcBLKAAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29tAAA=" ipv6hint="2606:4700::40,fd00::9"
must.example.    300 IN HTTPS 1 . mandatory="alpn,ech" alpn="h2" ech="AEX+DQBBUQAgACBMHtXnaTM1DiYHKcPhC0SvnfgeKpPMUKmDeVSPXcBLKAAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29tAAA="
`

func newAuthority(t *testing.T) *authority {
	t.Helper()
	u := newZone(t)
	u.listen(t)
	return u
}

// newZone returns an authority without sockets.
func newZone(t *testing.T) *authority {
	t.Helper()
	u := &authority{zone: map[string][]dns.RR{}}
	parser := dns.NewZoneParser(strings.NewReader(zoneText), ".", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		u.add(rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *authority) add(rr dns.RR) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := rr.Header().Name + dns.Type(rr.Header().Rrtype).String()
	u.zone[key] = append(u.zone[key], rr)
}

func (u *authority) listen(t *testing.T) {
	t.Helper()
	var pc net.PacketConn
	var ln net.Listener
	var err error
	for range 20 { // until a port is free for both
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			continue
		}
		if pc, err = net.ListenPacket("udp", ln.Addr().String()); err == nil {
			break
		}
		ln.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	u.addr = netip.MustParseAddrPort(pc.LocalAddr().String())
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: u}, {Listener: ln, Handler: u}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		done := make(chan struct{})
		go func() { defer close(done); s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { s.Shutdown(); <-done })
	}
}

func (u *authority) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	q := r.Question[0]
	u.mu.Lock()
	u.queries = append(u.queries, w.LocalAddr().Network()+" "+strings.ToLower(q.Name)+" "+dns.Type(q.Qtype).String())
	u.raw = append(u.raw, r)
	serve := u.serve
	u.mu.Unlock()
	if serve != nil && serve(w, r) {
		return
	}
	w.WriteMsg(u.reply(r))
}

// reply answers from the zone and follows aliases.
func (u *authority) reply(r *dns.Msg) *dns.Msg {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(r)
	m.RecursionAvailable = true
	name, qtype := strings.ToLower(r.Question[0].Name), dns.Type(r.Question[0].Qtype).String()
	for range 20 {
		m.Answer = append(m.Answer, u.zone[name+qtype]...)
		alias := u.zone[name+"CNAME"]
		if len(u.zone[name+qtype]) > 0 || len(alias) == 0 {
			break
		}
		m.Answer = append(m.Answer, alias...)
		name = alias[0].(*dns.CNAME).Target
	}
	if len(m.Answer) == 0 {
		soa, _ := dns.NewRR("example. 900 IN SOA ns.example. root.example. 1 2 3 4 60")
		m.Ns = []dns.RR{soa}
		m.Rcode = dns.RcodeNameError
		for key := range u.zone {
			if strings.HasPrefix(key, name) {
				m.Rcode = dns.RcodeSuccess
			}
		}
	}
	return m
}

// asked returns the questions since the last call.
func (u *authority) asked() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	q := u.queries
	u.queries = nil
	return q
}

func (u *authority) answerWith(serve func(w dns.ResponseWriter, r *dns.Msg) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.serve = serve
}

func (u *authority) upstream() []rules.Upstream {
	return []rules.Upstream{{Over: rules.OverUDP, Addr: u.addr}}
}
