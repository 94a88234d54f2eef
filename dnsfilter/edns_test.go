// EDNS as clients send it (RFC 6891, RFC 3225, RFC 6840).

package dnsfilter

import (
	"encoding/binary"
	"testing"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// optRecord is the wire form of an OPT record.
func optRecord(size uint16, ext, version byte, flags uint16, options ...byte) []byte {
	b := []byte{0, 0, byte(dns.TypeOPT)}
	b = binary.BigEndian.AppendUint16(b, size)
	b = append(b, ext, version)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(len(options)))
	return append(b, options...)
}

// TestEDNS asserts the reply to every kind of OPT record (RFC 6891, sections
// 6.1 and 6.2).
func TestEDNS(t *testing.T) {
	for _, c := range []struct {
		what  string
		opt   []byte // after the question; nil: none
		flags uint16 // of the query
		rcode int
		ours  bool // the reply has an OPT record
		do    bool
	}{
		{"no OPT: none comes back (6.1.1)", nil, flagRD, dns.RcodeSuccess, false, false},
		{"version 0", optRecord(1232, 0, 0, 0), flagRD, dns.RcodeSuccess, true, false},
		{"version 1: BADVERS, by version 0 (6.1.3)", optRecord(1232, 0, 1, 0), flagRD, dns.RcodeBadVers, true, false},
		{"version 255 with DO and an option", optRecord(4096, 0, 255, 0x8000, 0xfd, 0xe9, 0, 1, 7), flagRD, dns.RcodeBadVers, true, true},
		{"DO comes back (RFC 3225, 3)", optRecord(1232, 0, 0, 0x8000), flagRD, dns.RcodeSuccess, true, true},
		{"unknown bits beside DO are ignored and do not come back (6.1.4)", optRecord(1232, 0, 0, 0x7fff), flagRD, dns.RcodeSuccess, true, false},
		{"an extended RCODE in a query means nothing", optRecord(1232, 9, 0, 0), flagRD, dns.RcodeSuccess, true, false},
		{"a size below 512 is 512 (6.2.3)", optRecord(0, 0, 0, 0), flagRD, dns.RcodeSuccess, true, false},
		{"a size beyond ours", optRecord(65535, 0, 0, 0), flagRD, dns.RcodeSuccess, true, false},
		{"unknown options are ignored (6.1.2)", optRecord(1232, 0, 0, 0, 0xfd, 0xe9, 0, 3, 1, 2, 3, 0, 11, 0, 0), flagRD, dns.RcodeSuccess, true, false},
		{"the same option twice", optRecord(1232, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0), flagRD, dns.RcodeSuccess, true, false},
		{"an option that is longer than the record: FORMERR with an OPT (7)", optRecord(1232, 0, 0, 0, 0, 3, 0, 9, 1), flagRD, dns.RcodeFormatError, true, false},
		{"an option that is cut off", optRecord(1232, 0, 0, 0, 0, 3, 0), flagRD, dns.RcodeFormatError, true, false},
		{"two OPT records (6.1.1)", append(optRecord(1232, 0, 0, 0), optRecord(1232, 0, 0, 0)...), flagRD, dns.RcodeFormatError, true, false},
		{"AD asks for AD, and the answer has none (RFC 6840, 5.7)", optRecord(1232, 0, 0, 0), flagRD | 1<<5, dns.RcodeSuccess, true, false},
		{"CD comes back (RFC 4035, 3.2.2)", optRecord(1232, 0, 0, 0x8000), flagRD | flagCD, dns.RcodeSuccess, true, true},
		{"without RD it is answered too", nil, 0, dns.RcodeSuccess, false, false},
		{"the reserved bit is ignored (RFC 1035, 4.1.1)", nil, flagRD | 1<<6, dns.RcodeSuccess, false, false},
	} {
		for _, proto := range []rules.Proto{rules.UDP, rules.TCP} {
			b := newHarness(t, nil, "a.example")
			query := packed(t, question("a.example.", dns.TypeA))
			binary.BigEndian.PutUint16(query[2:], c.flags)
			if c.opt != nil {
				query[11] = 1
				if len(c.opt) == 2*optSize && c.opt[optSize+2] == byte(dns.TypeOPT) {
					query[11] = 2
				}
			}
			query = append(query, c.opt...)
			out := b.raw(query, knownClient, proto)
			r := new(dns.Msg)
			if err := r.Unpack(out); err != nil {
				t.Errorf("%s: %v %x", c.what, err, out)
				continue
			}
			o := r.IsEdns0()
			rcode := r.Rcode // Unpack joins the extended part
			if rcode != c.rcode || (o != nil) != c.ours || len(r.Answer) == 1 != (c.rcode == dns.RcodeSuccess) {
				t.Errorf("%s by %v: %v", c.what, proto, r)
				continue
			}
			if o != nil && (o.Version() != 0 || o.Do() != c.do || o.UDPSize() != maxUDP || o.Hdr.Ttl&0x7fff != 0) {
				t.Errorf("%s by %v: OPT %v", c.what, proto, o)
			}
			if r.AuthenticatedData || r.CheckingDisabled != (c.flags&flagCD != 0) || r.RecursionDesired != (c.flags&flagRD != 0) || !r.RecursionAvailable {
				t.Errorf("%s by %v: flags of %v", c.what, proto, r)
			}
			if c.rcode != dns.RcodeSuccess && !denied(t, b, rules.MalformedRequest) {
				t.Errorf("%s by %v: no denial", c.what, proto)
			}
		}
	}
}
