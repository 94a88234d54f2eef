// Questions: what an upstream over TLS can learn from them.

package dnsfilter

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// TestPaddedQuery asserts that questions over TLS have a length that is a multiple of 128
// octets, with no cookie and no option of the client, in lower case, and that a server
// without EDNS is asked without it.
func TestPaddedQuery(t *testing.T) {
	ca, zone := newCertifier(t), newZone(t)
	rr, _ := dns.NewRR(letters + ". 300 IN A 192.0.1.77")
	zone.add(rr)
	var mu sync.Mutex
	var queries [][]byte
	s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
		for {
			q, wire, err := readQuery(c)
			if err != nil {
				return
			}
			mu.Lock()
			queries = append(queries, wire)
			mu.Unlock()
			r := zone.reply(q)
			if q.IsEdns0() != nil && strings.HasPrefix(q.Question[0].Name, "a") && q.Question[0].Qtype == dns.TypeAAAA {
				r = new(dns.Msg)
				r.SetRcode(q, dns.RcodeFormatError)
			}
			c.Write(framedMsg(r))
		}
	})
	b := provenHarness(t, ca, fmt.Sprintf("tls://%v?name=dns.test", s.addr), "*.example")
	for _, name := range []string{"a.example.", "b.example.", letters + "."} {
		m := withEDNS(question(name, dns.TypeA), 4096)
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
		if r := b.send(m); r.Rcode != dns.RcodeSuccess {
			t.Fatal(r)
		}
	}
	for _, wire := range queries {
		m := unpacked(t, wire)
		o := m.IsEdns0()
		if len(wire)%128 != 0 || o == nil || len(o.Option) != 1 || o.Option[0].Option() != dns.EDNS0PADDING || m.Question[0].Name != strings.ToLower(m.Question[0].Name) {
			t.Errorf("%d octets: %v", len(wire), m)
		}
	}
	if r := b.ask("a.example.", dns.TypeAAAA); !slices.Equal(data(r), []string{"2606:4700::10"}) {
		t.Errorf("without EDNS: %v", r)
	}
	if last := unpacked(t, queries[len(queries)-1]); last.IsEdns0() != nil || len(queries) != 5 || s.conns.Load() != 1 {
		t.Errorf("%d questions, %d connections, the last one %v", len(queries), s.conns.Load(), last)
	}
}
