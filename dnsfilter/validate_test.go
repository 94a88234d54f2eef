// Answers: which records of an upstream's message are kept, and for how long.

package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

func mustName(t testing.TB, s string) rules.Name {
	t.Helper()
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func records(t testing.TB, text string) []dns.RR {
	t.Helper()
	var rrs []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(text), ".", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		rrs = append(rrs, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	return rrs
}

// chain returns n aliases from a.example. to an address.
func chain(n int) string {
	s, at := "", "a.example."
	for i := range n {
		next := fmt.Sprintf("c%d.example.", i)
		s += at + " 300 IN CNAME " + next + "\n"
		at = next
	}
	return s + at + " 300 IN A 192.0.1.1"
}

// TestValidate asserts that only the chain from the name in the question is
// kept.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		what       string
		rcode      int
		answer, ns string
		want       string // "owner type TTL", joined by commas; or an error
	}{
		{"a plain answer", 0, "a.example. 300 IN A 192.0.1.1", "", "a.example. A 300"},
		{"capital letters", 0, "A.Example. 300 IN A 192.0.1.1", "", "a.example. A 300"},
		{"another owner", 0, "evil.example. 300 IN A 192.0.1.1", "", ""},
		{"a record for another name beside it", 0, "a.example. 300 IN A 192.0.1.1\nb.example. 300 IN A 192.0.1.2", "", "a.example. A 300"},
		{"another class", 0, "a.example. 300 CH A 192.0.1.1", "", ""},
		{"another type", 0, "a.example. 300 IN AAAA 2606:4700::1\na.example. 300 IN TXT x", "", ""},
		{"a signature", 0, "a.example. 300 IN A 192.0.1.1\na.example. 300 IN RRSIG A 13 2 300 20300101000000 20200101000000 1 example. aaaa", "", "a.example. A 300"},
		{"an alias", 0, "a.example. 300 IN CNAME b.test.\nb.test. 60 IN A 192.0.1.1", "", "a.example. A 60"},
		{"an alias in any order and case", 0, "B.test. 60 IN A 192.0.1.1\na.example. 300 IN CNAME b.TEST.", "", "a.example. A 60"},
		{"an alias to nowhere", 0, "a.example. 300 IN CNAME b.test.\nc.test. 60 IN A 192.0.1.1", "", "a.example. CNAME 300"},
		{"an alias of another name", 0, "b.example. 300 IN CNAME a.example.\nc.test. 60 IN A 192.0.1.1", "", ""},
		{"an address of the name wins over an alias", 0, "a.example. 300 IN CNAME b.test.\na.example. 9 IN A 192.0.1.1", "", "a.example. A 9"},
		{"eleven aliases", 0, chain(11), "", "a.example. A 300"},
		{"twelve aliases", 0, chain(12), "", "error: more than 11 aliases"},
		{"an alias to itself", 0, "a.example. 300 IN CNAME A.example.", "", "error: aliases form a loop"},
		{"two aliases", 0, "a.example. 300 IN CNAME b.test.\na.example. 300 IN CNAME c.test.", "", "error: a name has two aliases"},
		{"an alias to an address", 0, "a.example. 300 IN CNAME 127.0.0.1.", "", "error: name ends in a number but is not an address"},
		{"an alias with a zero octet", 0, "a.example. 300 IN CNAME evil\\000.example.", "", "error: name has a byte other than a letter, digit, hyphen, underscore or dot"},
		{"a DNAME", 0, "example. 300 IN DNAME test.\na.example. 300 IN CNAME a.test.\na.test. 60 IN A 192.0.1.1", "", "a.example. A 60"},
		{"TTL 0 is five seconds, a week an hour", 0, "a.example. 0 IN A 192.0.1.1\na.example. 604800 IN A 192.0.1.2", "", "a.example. A 5,a.example. A 3600"},
		{"a TTL with the top bit is none", 0, "a.example. 4294967295 IN A 192.0.1.1", "", "a.example. A 5"},
		{"no such name, and since when", 3, "", "example. 900 IN SOA ns. root. 1 2 3 4 60", "example. SOA 60"},
		{"no such name for days", 3, "", "example. 90000 IN SOA ns. root. 1 2 3 4 90000", "example. SOA 300"},
		{"a SOA of another zone", 3, "", "evil.test. 900 IN SOA ns. root. 1 2 3 4 60", ""},
		{"records although the name does not exist", 3, "a.example. 300 IN A 192.0.1.1", "", "a.example. A 300"},
		{"a referral", 0, "", "example. 300 IN NS ns.test.", "error: server sent a referral instead of an answer"},
		{"SERVFAIL with an answer", 2, "a.example. 300 IN A 192.0.1.1", "", "error: server has no answer: SERVFAIL"},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := &dns.Msg{Answer: records(t, c.answer), Ns: records(t, c.ns)}
			m.Rcode = c.rcode
			a, err := validate(m, mustName(t, "a.example"), dns.TypeA)
			got := ""
			if err != nil {
				got = "error: " + err.Error()
			} else {
				var list []string
				for _, rr := range a.records {
					list = append(list, fmt.Sprintf("%s %s %d", rr.Header().Name, dns.Type(rr.Header().Rrtype), rr.Header().Ttl))
				}
				if a.soa != nil {
					list = append(list, fmt.Sprintf("%s SOA %d", a.soa.Hdr.Name, a.soa.Hdr.Ttl))
				}
				got = strings.Join(list, ",")
			}
			if got != c.want {
				t.Errorf("kept %q, want %q", got, c.want)
			}
		})
	}
}

// TestServiceRecords asserts that HTTPS records lose the keys of Encrypted
// ClientHello, and that their hints are checked like addresses.
func TestServiceRecords(t *testing.T) {
	b := newHarness(t, nil, "svc.example", "must.example")
	for range 2 {
		r := b.send(withEDNS(question("svc.example.", dns.TypeHTTPS), 1232))
		want := `1 . alpn="h2,h3" port="443"`
		if got := data(r); len(got) != 1 || got[0] != want {
			t.Errorf("service: %q, want %q", got, want)
		}
		r = b.ask("must.example.", dns.TypeHTTPS)
		if got := data(r); len(got) != 1 || got[0] != `1 . mandatory="alpn" alpn="h2"` {
			t.Errorf("mandatory: %q", got)
		}
		if r.AuthenticatedData {
			t.Error("AD is set")
		}
	}
	b.reach = func(rules.Decision, netip.AddrPort) rules.Reason { return rules.ReasonNone }
	r := b.ask("svc.example.", dns.TypeHTTPS)
	want := `1 . alpn="h2,h3" port="443" ipv4hint="192.0.1.40,10.0.0.9" ipv6hint="2606:4700::40,fd00::9"`
	if got := data(r); len(got) != 1 || got[0] != want {
		t.Errorf("where all hints may be reached: %q, want %q", got, want)
	}
}

// TestMappedAddress asserts that an IPv4 address cannot hide in an AAAA record.
func TestMappedAddress(t *testing.T) {
	b := newHarness(t, nil, "hidden.example")
	rr := &dns.AAAA{Hdr: dns.RR_Header{Name: "hidden.example.", Rrtype: dns.TypeAAAA, Class: 1, Ttl: 300}, AAAA: netip.MustParseAddr("::ffff:192.0.1.1").AsSlice()}
	b.up.add(rr)
	if r := b.ask("hidden.example.", dns.TypeAAAA); len(r.Answer) != 0 {
		t.Errorf("answered %v", r)
	}
}

// TestLargeAnswer asserts that no datagram is larger than the client accepts,
// nor than 1232 bytes, and that TCP has the whole answer.
func TestLargeAnswer(t *testing.T) {
	b := newHarness(t, nil, "big.example")
	for i := range 100 {
		b.up.add(&dns.A{Hdr: dns.RR_Header{Name: "big.example.", Rrtype: dns.TypeA, Class: 1, Ttl: 300}, A: []byte{192, 0, 1, byte(i)}})
	}
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := b.up.reply(r)
		if w.LocalAddr().Network() == "udp" {
			m.Truncate(1232)
		}
		w.WriteMsg(m)
		return true
	})
	for range 2 {
		for _, size := range []uint16{0, 100, 512, 1232, 4096, 65535} {
			m := question("big.example.", dns.TypeA)
			if size > 0 {
				withEDNS(m, size)
			}
			if r := b.send(m); !r.Truncated || len(r.Answer) == 0 || len(r.Answer) >= 100 { // send checks the size
				t.Errorf("size %d: TC %t, %d records", size, r.Truncated, len(r.Answer))
			}
		}
		if r := b.sendFrom(question("big.example.", dns.TypeA), knownClient, rules.TCP); r.Truncated || len(r.Answer) != 100 {
			t.Errorf("TCP: TC %t, %d records", r.Truncated, len(r.Answer))
		}
	}
}

// TestAnswered asserts that the Answered hook gets exactly the addresses that a
// client got.
func TestAnswered(t *testing.T) {
	var got []string
	b := newHarness(t, func(c *setup) {
		c.Answered = func(client netip.Addr, name rules.Name, addrs []netip.Addr, ttl time.Duration) {
			got = append(got, fmt.Sprint(client, " ", name, " ", addrs, " ", ttl))
		}
	}, "mixed.example", "inside.example", "a.example")
	b.ask("mixed.example.", dns.TypeA)
	b.ask("inside.example.", dns.TypeA)
	b.ask("evil.example.", dns.TypeA)
	b.ask("a.example.", dns.TypeA)
	b.advance(100 * time.Second)
	b.ask("a.example.", dns.TypeA)
	want := []string{
		"10.1.1.1 mixed.example [192.0.1.30] 5m0s",
		"10.1.1.1 a.example [192.0.1.10] 5m0s",
		"10.1.1.1 a.example [192.0.1.10] 3m20s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
