// Answers: what of an upstream's message survives, and for how long.

package dnsfilter

import (
	"fmt"
	"hash/maphash"
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

// chain is n aliases from a.example. to an address.
func chain(n int) string {
	s, at := "", "a.example."
	for i := range n {
		next := fmt.Sprintf("c%d.example.", i)
		s += at + " 300 IN CNAME " + next + "\n"
		at = next
	}
	return s + at + " 300 IN A 192.0.1.1"
}

// TestValidate holds that only the chain from the question's name is believed.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		what       string
		rcode      int
		answer, ns string
		want       string // "owner type TTL", joined by commas; or an error
	}{
		{"a plain answer", 0, "a.example. 300 IN A 192.0.1.1", "", "a.example. A 300"},
		{"capital letters", 0, "A.Example. 300 IN A 192.0.1.1", "", "a.example. A 300"},
		{"another owner (F10)", 0, "evil.example. 300 IN A 192.0.1.1", "", ""},
		{"a record for another name beside it (F10)", 0, "a.example. 300 IN A 192.0.1.1\nb.example. 300 IN A 192.0.1.2", "", "a.example. A 300"},
		{"another class (F10)", 0, "a.example. 300 CH A 192.0.1.1", "", ""},
		{"another type", 0, "a.example. 300 IN AAAA 2606:4700::1\na.example. 300 IN TXT x", "", ""},
		{"a signature", 0, "a.example. 300 IN A 192.0.1.1\na.example. 300 IN RRSIG A 13 2 300 20300101000000 20200101000000 1 example. aaaa", "", "a.example. A 300"},
		{"an alias", 0, "a.example. 300 IN CNAME b.test.\nb.test. 60 IN A 192.0.1.1", "", "a.example. A 60"},
		{"an alias in any order and case", 0, "B.test. 60 IN A 192.0.1.1\na.example. 300 IN CNAME b.TEST.", "", "a.example. A 60"},
		{"an alias to nowhere", 0, "a.example. 300 IN CNAME b.test.\nc.test. 60 IN A 192.0.1.1", "", "a.example. CNAME 300"},
		{"an alias of another name", 0, "b.example. 300 IN CNAME a.example.\nc.test. 60 IN A 192.0.1.1", "", ""},
		{"an address of the name wins over an alias", 0, "a.example. 300 IN CNAME b.test.\na.example. 9 IN A 192.0.1.1", "", "a.example. A 9"},
		{"eleven aliases (F9)", 0, chain(11), "", "a.example. A 300"},
		{"twelve aliases (F9)", 0, chain(12), "", "error: more than 11 aliases"},
		{"an alias to itself (F9)", 0, "a.example. 300 IN CNAME A.example.", "", "error: aliases form a loop"},
		{"two aliases", 0, "a.example. 300 IN CNAME b.test.\na.example. 300 IN CNAME c.test.", "", "error: a name has two aliases"},
		{"an alias to an address", 0, "a.example. 300 IN CNAME 127.0.0.1.", "", "error: name ends in a number: it is an address or nothing"},
		{"an alias with a zero octet (A11)", 0, "a.example. 300 IN CNAME evil\\000.example.", "", "error: name has a byte other than a letter, digit, hyphen, underscore or dot"},
		{"a DNAME", 0, "example. 300 IN DNAME test.\na.example. 300 IN CNAME a.test.\na.test. 60 IN A 192.0.1.1", "", "a.example. A 60"},
		{"TTL 0 is five seconds, a week an hour", 0, "a.example. 0 IN A 192.0.1.1\na.example. 604800 IN A 192.0.1.2", "", "a.example. A 5,a.example. A 3600"},
		{"a TTL with the top bit is none", 0, "a.example. 4294967295 IN A 192.0.1.1", "", "a.example. A 5"},
		{"no such name, and since when", 3, "", "example. 900 IN SOA ns. root. 1 2 3 4 60", "example. SOA 60"},
		{"no such name for days", 3, "", "example. 90000 IN SOA ns. root. 1 2 3 4 90000", "example. SOA 300"},
		{"a SOA of another zone (F10)", 3, "", "evil.test. 900 IN SOA ns. root. 1 2 3 4 60", ""},
		{"records although the name does not exist", 3, "a.example. 300 IN A 192.0.1.1", "", "a.example. A 300"},
		{"a referral (F19)", 0, "", "example. 300 IN NS ns.test.", "error: server sent a referral instead of an answer"},
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

// TestServiceRecords holds that HTTPS records come without the keys of
// Encrypted ClientHello, and that hints are answers like any other (F5).
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

// TestMappedAddress holds that an IPv4 address cannot hide in an AAAA record (A19).
func TestMappedAddress(t *testing.T) {
	b := newHarness(t, nil, "hidden.example")
	rr := &dns.AAAA{Hdr: dns.RR_Header{Name: "hidden.example.", Rrtype: dns.TypeAAAA, Class: 1, Ttl: 300}, AAAA: netip.MustParseAddr("::ffff:192.0.1.1").AsSlice()}
	b.up.add(rr)
	if r := b.ask("hidden.example.", dns.TypeAAAA); len(r.Answer) != 0 {
		t.Errorf("answered %v", r)
	}
}

// TestAgeing holds that TTLs run down, that an answer ends with its shortest,
// and that nothing is served when it is stale.
func TestAgeing(t *testing.T) {
	b := newHarness(t, nil, "www.a.example", "gone.example")
	ttls := func(r *dns.Msg) (s []uint32) {
		for _, rr := range slices.Concat(r.Answer, r.Ns) {
			s = append(s, rr.Header().Ttl)
		}
		return s
	}
	for _, c := range []struct {
		after time.Duration
		name  string
		ttls  []uint32
		asked int
	}{
		{0, "www.a.example.", []uint32{60}, 1},
		{10 * time.Second, "www.a.example.", []uint32{50}, 0},
		{49 * time.Second, "www.a.example.", []uint32{1}, 0},
		{time.Second, "www.a.example.", []uint32{60}, 1},
		{0, "gone.example.", []uint32{60}, 1},
		{59 * time.Second, "gone.example.", []uint32{1}, 0},
		{time.Second, "gone.example.", []uint32{60}, 1},
	} {
		b.advance(c.after)
		r := b.ask(c.name, dns.TypeA)
		if asked := b.up.asked(); !slices.Equal(ttls(r), c.ttls) || len(asked) != c.asked {
			t.Errorf("%v later %s: TTLs %v, want %v; asked %q", c.after, c.name, ttls(r), c.ttls, asked)
		}
	}
	b.advance(time.Hour)
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := new(dns.Msg)
		m.SetRcode(r, dns.RcodeServerFailure)
		w.WriteMsg(m)
		return true
	})
	if r := b.ask("www.a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 0 {
		t.Errorf("a stale answer: %v", r)
	}
}

// TestClockJump holds that a clock set back breaks nothing. (It does not
// revive an answer either: the filter's clock is monotonic.)
func TestClockJump(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	b.ask("a.example.", dns.TypeA)
	b.advance(-time.Hour)
	if r := b.ask("a.example.", dns.TypeA); len(r.Answer) != 1 || r.Answer[0].Header().Ttl > 300 {
		t.Errorf("answered %v", r)
	}
}

// TestLargeAnswer holds that no datagram is larger than the client takes, nor
// than 1232 octets (F16), and that TCP brings the whole.
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
			if r := b.send(m); !r.Truncated || len(r.Answer) == 0 || len(r.Answer) >= 100 { // send looks at the size
				t.Errorf("size %d: TC %t, %d records", size, r.Truncated, len(r.Answer))
			}
		}
		if r := b.sendFrom(question("big.example.", dns.TypeA), knownClient, rules.TCP); r.Truncated || len(r.Answer) != 100 {
			t.Errorf("TCP: TC %t, %d records", r.Truncated, len(r.Answer))
		}
	}
}

// TestCacheIsBounded holds that names without end do not fill the memory.
func TestCacheIsBounded(t *testing.T) {
	c := newCache(64)
	for i := range 10_000 {
		key := fmt.Sprintf("key %d", i)
		c.put(key, &entry{expires: time.Duration(i + 1)}, 0)
		if c.get([]byte(key), 0) == nil {
			t.Fatal("the newest is not kept")
		}
	}
	if n := c.len(); n > 64 || n < 48 {
		t.Errorf("%d answers are kept, want 64", n)
	}
}

// TestCacheRoom holds that large answers take no more room than usual ones: who
// owns a name below a permitted wildcard can make any number of them.
func TestCacheRoom(t *testing.T) {
	const answers = 64
	c := newCache(answers)
	large := &entry{wire: make([]byte, maxEntry), expires: time.Hour}
	smoothed := &entry{wire: make([]byte, 100), expires: time.Minute}
	c.put("usual", smoothed, 0)
	for i := range 1000 {
		c.put(fmt.Sprintf("key %d", i), large, 0)
		if c.get(fmt.Appendf(nil, "key %d", i), 0) == nil {
			t.Fatal("the newest is not kept")
		}
	}
	kept := 0
	for i := range c.shards {
		size := 0
		for _, e := range c.shards[i].m {
			size += e.size()
			kept++
		}
		if size != c.shards[i].size {
			t.Errorf("a shard has %d octets and counts %d", size, c.shards[i].size)
		}
	}
	if kept > cacheShards+1 {
		t.Errorf("%d large answers are kept", kept)
	}
	for range 3 {
		c.put("usual", smoothed, 0) // in place of itself
	}
	if s := &c.shards[maphash.String(c.seed, "usual")&(cacheShards-1)]; s.size != smoothed.size() || c.get([]byte("usual"), 0) == nil {
		t.Errorf("%d octets for one usual answer of %d", s.size, smoothed.size())
	}
}

// TestEntryHoldsNoMore holds that packing leaves nothing behind: the room for
// 256 records with a long name each, before they were compressed.
func TestEntryHoldsNoMore(t *testing.T) {
	name, err := rules.ParseName(strings.Repeat(strings.Repeat("x", 60)+".", 4) + "example")
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{}
	for i := range maxRecords {
		rr, _ := dns.NewRR(fmt.Sprintf("%s. 60 IN A 192.0.1.%d", name, i))
		a.records = append(a.records, rr)
	}
	e, err := newEntry(name, dns.TypeA, a)
	if err != nil || cap(e.wire) > 2*len(e.wire) {
		t.Errorf("%d octets held for %d: %v", cap(e.wire), len(e.wire), err)
	}
}

// TestAnswered holds that the pins hook learns what a client was given, and
// nothing of what it was not.
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
		t.Errorf("told %q, want %q", got, want)
	}
}
