// Malformed messages: queries that break the protocol, and the replies to them.

package dnsfilter

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// packed returns the bytes of a query.
func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// patched returns the bytes of a query for a.example, with b written at off.
func patched(t testing.TB, off int, b ...byte) []byte {
	t.Helper()
	wire := packed(t, question("a.example.", dns.TypeA))
	copy(wire[off:], b)
	return wire
}

// TestMalformed asserts that a message which cannot be answered is refused as
// its RFC says, is recorded as an attempt, and never reaches an upstream. A
// response gets no reply, as two servers could otherwise reply to each other
// for ever.
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
		{"a response", patched(t, 2, 0x81), silence},
		{"no octets", nil, silence},
		{"half a header", plain[:11], silence},
		{"a header alone", plain[:12], dns.RcodeFormatError},
		{"no question", patched(t, 4, 0, 0), dns.RcodeFormatError},
		{"two questions (RFC 9619)", patched(t, 4, 0, 2), dns.RcodeFormatError},
		{"65535 questions", patched(t, 4, 255, 255), dns.RcodeFormatError},
		{"an answer in a query", packed(t, answered), dns.RcodeFormatError},
		{"answers that are not there", patched(t, 6, 0, 9), dns.RcodeFormatError},
		{"additional records that are not there", patched(t, 10, 0, 1), dns.RcodeFormatError},
		{"opcode IQUERY", patched(t, 2, 1<<3), dns.RcodeNotImplemented},
		{"opcode STATUS", patched(t, 2, 2<<3), dns.RcodeNotImplemented},
		{"opcode NOTIFY", patched(t, 2, 4<<3), dns.RcodeNotImplemented},
		{"opcode UPDATE", patched(t, 2, 5<<3), dns.RcodeNotImplemented},
		{"opcode DSO", patched(t, 2, 6<<3), dns.RcodeNotImplemented},
		{"opcode 15", patched(t, 2, 15<<3), dns.RcodeNotImplemented},
		{"class CH", patched(t, end+2, 0, 3), dns.RcodeRefused},
		{"class ANY", patched(t, end+2, 0, 255), dns.RcodeRefused},
		{"an incremental zone transfer", packed(t, ixfr), dns.RcodeRefused},
		{"a truncated query", patched(t, 2, 0x03), dns.RcodeFormatError},
		{"a pointer to itself", patched(t, 12, 0xc0, 12), dns.RcodeFormatError},
		{"a pointer into the header", patched(t, 12, 0xc0, 0), dns.RcodeFormatError},
		{"a forward pointer", patched(t, 12, 0xc0, 40), dns.RcodeFormatError},
		{"label type 0x40", patched(t, 12, 0x41), dns.RcodeFormatError},
		{"label type 0x80", patched(t, 12, 0x81), dns.RcodeFormatError},
		{"a label that runs over the end", patched(t, 12, 63), dns.RcodeFormatError},
		{"octets after the end", append(patched(t, 0), 0), dns.RcodeFormatError},
		{"EDNS version 1", with(option(1, ".")), dns.RcodeBadVers},
		{"two OPT records", with(option(0, "."), option(0, ".")), dns.RcodeFormatError},
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

// TestTruncatedEverywhere cuts a query at every byte. Only the whole query is
// answered, and nothing panics.
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

// TestMeaninglessFlags asserts that flags without a meaning in a query are
// ignored, and which header flags the reply has.
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

// TestClientOptions asserts that DO is the only part of a client's EDNS that
// reaches the upstream, and that only a cookie comes back.
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

// TestPanic asserts that a panic in the Gate ends one query, not the server.
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

// TestTooManyRecords asserts that a reply with too many records is not
// unpacked: 64 KiB of them become megabytes, and many such replies can arrive
// at once.
func TestTooManyRecords(t *testing.T) {
	query, err := upstreamQuery("a.example.", want{qtype: dns.TypeA}, queryForm{edns: true, mixed: true})
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
