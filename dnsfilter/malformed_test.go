// Messages: queries that break the protocol, and what they are answered.

package dnsfilter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// packed returns a query's octets.
func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// patched returns the octets of a query for a.example with some put in place.
func patched(t testing.TB, off int, b ...byte) []byte {
	t.Helper()
	wire := packed(t, question("a.example.", dns.TypeA))
	copy(wire[off:], b)
	return wire
}

// TestMalformed holds that what cannot be served is refused as its RFC says,
// is an attempt, and never reaches an upstream — or a peer that would answer
// the answer.
func TestMalformed(t *testing.T) {
	const silence = -1
	option := func(version uint8, owner string) *dns.OPT {
		o := &dns.OPT{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeOPT, Class: 1232}}
		o.SetVersion(version)
		return o
	}
	with := func(extra ...dns.RR) []byte {
		m := question("a.example.", dns.TypeA)
		m.Extra = extra
		return packed(t, m)
	}
	answered := question("a.example.", dns.TypeA)
	answered.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "a.example.", Rrtype: dns.TypeA, Class: 1}, A: []byte{192, 0, 1, 1}}}
	ixfr := new(dns.Msg)
	ixfr.SetIxfr("a.example.", 1, "ns.", "root.")
	plain := patched(t, 0)
	end := len(plain) - 4

	for _, c := range []struct {
		what  string
		wire  []byte
		rcode int
	}{
		{"a response (F12)", patched(t, 2, 0x81), silence},
		{"no octets", nil, silence},
		{"half a header", plain[:11], silence},
		{"a header alone", plain[:12], dns.RcodeFormatError},
		{"no question (F12)", patched(t, 4, 0, 0), dns.RcodeFormatError},
		{"two questions (F12, RFC 9619)", patched(t, 4, 0, 2), dns.RcodeFormatError},
		{"65535 questions (F12)", patched(t, 4, 255, 255), dns.RcodeFormatError},
		{"an answer in a query (F12)", packed(t, answered), dns.RcodeFormatError},
		{"answers that are not there (F14)", patched(t, 6, 0, 9), dns.RcodeFormatError},
		{"additional records that are not there (F14)", patched(t, 10, 0, 1), dns.RcodeFormatError},
		{"opcode IQUERY (F13)", patched(t, 2, 1<<3), dns.RcodeNotImplemented},
		{"opcode STATUS (F13)", patched(t, 2, 2<<3), dns.RcodeNotImplemented},
		{"opcode NOTIFY (F13)", patched(t, 2, 4<<3), dns.RcodeNotImplemented},
		{"opcode UPDATE (F13)", patched(t, 2, 5<<3), dns.RcodeNotImplemented},
		{"opcode DSO (F13)", patched(t, 2, 6<<3), dns.RcodeNotImplemented},
		{"opcode 15", patched(t, 2, 15<<3), dns.RcodeNotImplemented},
		{"class CH (F12)", patched(t, end+2, 0, 3), dns.RcodeRefused},
		{"class ANY (F12)", patched(t, end+2, 0, 255), dns.RcodeRefused},
		{"an incremental zone transfer (F13)", packed(t, ixfr), dns.RcodeRefused},
		{"a truncated query", patched(t, 2, 0x03), dns.RcodeFormatError},
		{"a pointer to itself (F14)", patched(t, 12, 0xc0, 12), dns.RcodeFormatError},
		{"a pointer into the header (F14)", patched(t, 12, 0xc0, 0), dns.RcodeFormatError},
		{"a forward pointer (F14)", patched(t, 12, 0xc0, 40), dns.RcodeFormatError},
		{"label type 0x40 (F14)", patched(t, 12, 0x41), dns.RcodeFormatError},
		{"label type 0x80 (F14)", patched(t, 12, 0x81), dns.RcodeFormatError},
		{"a label that runs over the end (F14)", patched(t, 12, 63), dns.RcodeFormatError},
		{"octets behind the end", append(patched(t, 0), 0), dns.RcodeFormatError},
		{"EDNS version 1 (F15)", with(option(1, ".")), dns.RcodeBadVers},
		{"two OPT records (F15)", with(option(0, "."), option(0, ".")), dns.RcodeFormatError},
		{"an OPT record with a name", with(option(0, "x.")), dns.RcodeFormatError},
		{"another additional record", with(answered.Answer[0]), dns.RcodeFormatError},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := newHarness(t, nil, "a.example")
			out := b.raw(c.wire, knownClient, rules.UDP)
			a, d := b.p.final(t)
			if d.Why() != rules.MalformedRequest || a.Detail == "" || string(a.Raw) != string(c.wire) {
				t.Errorf("attempt %+v, %s", a, d.Why())
			}
			if asked := b.up.asked(); len(asked) > 0 {
				t.Errorf("upstream was asked %q", asked)
			}
			if c.rcode == silence {
				if out != nil {
					t.Errorf("replied %x", out)
				}
				return
			}
			r := new(dns.Msg)
			if err := r.Unpack(out); err != nil || r.Rcode != c.rcode || !r.Response || len(out) > len(c.wire)+optSize+6+maxExtraText {
				t.Errorf("replied %v, %v; want %s", r, err, dns.RcodeToString[c.rcode])
			}
		})
	}
}

// TestTruncatedEverywhere cuts a query at every octet: nothing but the whole
// is served, and nothing panics (F14).
func TestTruncatedEverywhere(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	m := withEDNS(question("a.example.", dns.TypeA), 1232)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}}
	whole := packed(t, m)
	for n := range whole {
		b.raw(whole[:n], knownClient, rules.UDP)
		if a, d := b.p.final(t); d.Why() != rules.MalformedRequest {
			t.Errorf("%d of %d octets: %+v", n, len(whole), a)
		}
	}
	if asked := b.up.asked(); len(asked) > 0 {
		t.Errorf("upstream was asked %q", asked)
	}
}

// TestMeaninglessFlags holds that bits which mean nothing in a query are
// ignored, and what of the header comes back.
func TestMeaninglessFlags(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	for _, flags := range []uint16{0, flagRD, flagRD | flagCD, flagRD | 1<<5, 1<<10 | 1<<7 | 1<<6 | 0xf} {
		wire := binary.BigEndian.AppendUint16(nil, 7)
		wire = append(binary.BigEndian.AppendUint16(wire, flags), patched(t, 0)[4:]...)
		out := b.raw(wire, knownClient, rules.UDP)
		if got, want := binary.BigEndian.Uint16(out[2:]), flagQR|flagRA|flags&(flagRD|flagCD); got != want {
			t.Errorf("flags %016b came back as %016b, want %016b", flags, got, want)
		}
	}
}

// TestClientOptions holds that nothing of a client's EDNS but DO reaches the
// upstream, and that only a cookie comes back (F15).
func TestClientOptions(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	m := withEDNS(question("a.example.", dns.TypeA), 4096)
	o := m.IsEdns0()
	o.SetDo()
	o.Option = []dns.EDNS0{
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{192, 0, 2, 0}},
		&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"},
		&dns.EDNS0_NSID{Code: dns.EDNS0NSID},
		&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("exfiltrated")},
		&dns.EDNS0_PADDING{Padding: make([]byte, 100)},
	}
	r := b.send(m)
	if back := r.IsEdns0(); len(r.Answer) != 1 || back == nil || len(back.Option) != 1 || cookieOf(r) == "" || !back.Do() || back.UDPSize() != maxUDP {
		t.Errorf("replied %v", r)
	}
	b.up.mu.Lock()
	sent := b.up.raw[0].IsEdns0()
	b.up.mu.Unlock()
	if sent == nil || len(sent.Option) != 0 || !sent.Do() || sent.UDPSize() != maxUDP {
		t.Errorf("upstream was sent %v", sent)
	}
}

// TestClientRate holds that a client that asks by TCP for more than its rate from
// upstreams is refused with reason limit, that others are not, and that time
// heals (F20). What needs no upstream neither counts nor is refused.
func TestClientRate(t *testing.T) {
	b := newHarness(t, func(c *setup) {
		c.Limits.QPS = 5
		c.Hosts = map[rules.Name][]netip.Addr{mustName(t, "fixed.example"): {netip.MustParseAddr("192.0.1.1")}}
	}, "*.example")
	free := func(when string) {
		t.Helper()
		for range 8 {
			if b.ask("fixed.example.", dns.TypeA); !allowed(t, b) {
				t.Errorf("%s: an answer at hand is refused", when)
			}
			if b.ask("evil.test.", dns.TypeA); !denied(t, b, rules.NotListed) {
				t.Errorf("%s: a denied name has another reason", when)
			}
			if b.ask("a.example.", dns.TypeTXT); !denied(t, b, rules.TypeNotAllowed) {
				t.Errorf("%s: a type that is never asked for has another reason", when)
			}
			if b.raw(patched(t, 4, 0, 2), knownClient, rules.UDP) == nil || !denied(t, b, rules.MalformedRequest) {
				t.Errorf("%s: an unreadable query has no reply", when)
			}
		}
	}
	free("before")
	for i := range 8 {
		r := b.askTCP(fmt.Sprintf("n%d.example.", i), dns.TypeA)
		a, d := b.p.final(t)
		if over := i >= 5; over != (d.Why() == rules.Limit) || over != (r.Rcode == dns.RcodeRefused) || a.Provisional {
			t.Errorf("query %d: %s, %s", i+1, d.Why(), dns.RcodeToString[r.Rcode])
		}
	}
	if asked := b.up.asked(); len(asked) != 5 {
		t.Errorf("upstream was asked %q", asked)
	}
	free("over the rate")
	if b.askTCP("n1.example.", dns.TypeA); !allowed(t, b) {
		t.Error("a cached answer is refused over the rate")
	}
	if b.sendFrom(question("n9.example.", dns.TypeA), "10.1.1.2", rules.TCP); !allowed(t, b) {
		t.Error("another client was limited too")
	}
	b.advance(time.Second / 5)
	if b.askTCP("n8.example.", dns.TypeA); !allowed(t, b) {
		t.Error("the rate does not recover")
	}
}

// TestStrangersAreRationed holds that unknown clients together get few
// replies, whatever they send, and that each query is an attempt nevertheless.
func TestStrangersAreRationed(t *testing.T) {
	class := patched(t, len(patched(t, 0))-1, 3)
	for what, c := range map[string]struct {
		wire []byte
		why  rules.Reason
	}{
		"a query":             {packed(t, question("a.example.", dns.TypeA)), rules.UnknownClient},
		"no host name":        {packed(t, question("a b.example.", dns.TypeA)), rules.MalformedName},
		"an unreadable query": {class, rules.MalformedRequest},
	} {
		b := newHarness(t, func(c *setup) { c.Limits.UnknownQPS = 3 }, "a.example")
		replies := 0
		for i := range 10 {
			if b.raw(c.wire, fmt.Sprint("203.0.113.", i+1), rules.UDP) != nil {
				replies++
			}
			if !denied(t, b, c.why) {
				t.Fatalf("%s: no denial", what)
			}
		}
		if replies != 3 {
			t.Errorf("%s: %d replies, want 3", what, replies)
		}
	}
}

func denied(t *testing.T, b *harness, why rules.Reason) bool {
	t.Helper()
	_, d := b.p.final(t)
	return !d.Allowed() && d.Why() == why
}

func allowed(t *testing.T, b *harness) bool {
	t.Helper()
	_, d := b.p.final(t)
	return d.Allowed()
}

// TestOneClientIsANetwork holds that an IPv6 client cannot multiply its rate
// with the addresses of its /64.
func TestOneClientIsANetwork(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Limits.QPS = 2 }, "*.example")
	for i, client := range []string{"fd00::1", "fd00::2", "fd00::3", "fd00:0:0:1::1"} {
		b.sendFrom(question(fmt.Sprintf("n%d.example.", i), dns.TypeA), client, rules.TCP)
		if _, d := b.p.final(t); (d.Why() == rules.Limit) != (i == 2) {
			t.Errorf("%s: %s", client, d.Why())
		}
	}
}

// TestPanic holds that a Gate that panics costs one query, not the server.
func TestPanic(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	q := query{msg: patched(t, 0), client: rules.ClientAddr(b.up.addr)}
	func() {
		defer b.recovered(&q)
		panic(strings.Repeat("x", 3))
	}()
	if a, d := b.p.final(t); d.Why() != rules.MalformedRequest || a.Detail == "" {
		t.Errorf("attempt %+v", a)
	}
}

// TestSwollenReply holds that a reply with more records than anybody needs is
// not unpacked: 64 KiB of them become megabytes, and many arrive at once.
func TestSwollenReply(t *testing.T) {
	query, err := upstreamQuery("a.example.", want{qtype: dns.TypeA}, true, true)
	if err != nil {
		t.Fatal(err)
	}
	for records, want := range map[int]error{maxUnpacked: nil, maxUnpacked + 1: errTooManyRecords} {
		m := new(dns.Msg)
		if err := m.Unpack(query); err != nil {
			t.Fatal(err)
		}
		m.Response, m.Extra, m.Compress = true, nil, true
		rr, _ := dns.NewRR("a.example. 60 IN A 192.0.1.1")
		for i := range records {
			switch i % 3 {
			case 0:
				m.Answer = append(m.Answer, rr)
			case 1:
				m.Ns = append(m.Ns, rr)
			default:
				m.Extra = append(m.Extra, rr)
			}
		}
		wire, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		copy(wire[headerSize:], query[headerSize:headerSize+len("\x01a\x07example\x00")]) // its letter case
		if _, err := readReply(wire, query); err != want {
			t.Errorf("%d records: %v", records, err)
		}
	}
}
