// Entry: one answer as it is kept: validated records, ready to be sent.

package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// How long answers are kept, in seconds.
const (
	// minTTL is also of answers that say 0: no name is asked about more often than
	// every so many seconds, so that the order and rhythm of a client's queries
	// tell little to who runs the name's servers. A name whose address changes is
	// that much later at its new one.
	minTTL      = 5
	maxTTL      = 60 * 60
	maxNegative = 5 * 60 // of "no such name" and "no such record"
	bareTTL     = 5      // of negative answers that bring no SOA
	failureTTL  = minTTL // of failures (RFC 9520, section 3.2, asks for 1 to 300)
	fixedTTL    = 60     // told to clients for Hosts
)

// The most that one answer may be.
const (
	maxRecords = 256     // what is beyond is dropped
	maxEntry   = 1 << 14 // octets
)

// entry is one answer. It is immutable and shared: what a client may not see
// is taken out when it is answered, never here.
type entry struct {
	name    rules.Name
	rcode   uint8
	failed  bool  // no upstream gave a usable answer
	cause   error // of failed: what the last one did; nil: nobody was asked
	fixed   bool  // from Hosts: never ages
	address bool  // the question was for addresses
	qend    int
	wire    []byte   // header, question in lower case, records; no OPT
	ttls    []uint16 // where the TTLs are in wire

	addrs   []netip.Addr // every address in it, hints of HTTPS and SVCB included
	special []netip.Addr // those of addrs that need the Decision's leave

	stored, expires time.Duration // on the filter's clock
}

// answer is what validate keeps of an upstream's message.
type answer struct {
	rcode   int
	records []dns.RR // what was asked for; or a chain of aliases whose end the server has not seen
	soa     *dns.SOA // of a negative answer
	flat    bool     // the records were a chain of aliases

	sigs, proof []dns.RR // for a client that wants them: beside records, and beside soa
}

// ttl returns for how many seconds the answer holds.
func (a *answer) ttl() uint32 {
	ttl := uint32(maxTTL)
	if a.negative() {
		ttl = bareTTL
		if a.soa != nil {
			ttl = a.soa.Hdr.Ttl
		}
	}
	for _, list := range [...][]dns.RR{a.records, a.sigs, a.proof} {
		for _, rr := range list {
			ttl = min(ttl, rr.Header().Ttl)
		}
	}
	return ttl
}

// negative tells whether the answer has no record of the type asked for.
func (a *answer) negative() bool {
	return len(a.records) == 0 || a.records[len(a.records)-1].Header().Rrtype == dns.TypeCNAME
}

// newEntry packs an answer.
func newEntry(name rules.Name, qtype uint16, a *answer) (*entry, error) {
	m := dns.Msg{Compress: true}
	m.Rcode = a.rcode
	m.Question = []dns.Question{{Name: name.String() + ".", Qtype: qtype, Qclass: dns.ClassINET}}
	m.Answer = slices.Concat(a.records, a.sigs)
	if a.soa != nil {
		m.Ns = []dns.RR{a.soa}
	}
	m.Ns = append(m.Ns, a.proof...)
	wire, err := m.Pack()
	if err != nil {
		return nil, err
	}
	if len(wire) > maxEntry {
		return nil, errors.New("answer is too long to be kept")
	}
	wire = bytes.Clone(wire) // the buffer has room for all of it uncompressed
	e := &entry{name: name, rcode: uint8(a.rcode), address: qtype == dns.TypeA || qtype == dns.TypeAAAA, wire: wire}
	if err := e.index(); err != nil {
		return nil, err
	}
	for _, rr := range a.records {
		e.addAddrs(rr)
	}
	return e, nil
}

// index finds the question's end and the TTLs.
func (e *entry) index() error {
	end, ok := skipPlainName(e.wire, headerSize)
	if !ok {
		return errors.New("question is not plain")
	}
	e.qend = end + 4
	for p := e.qend; p < len(e.wire); {
		p = skipPackedName(e.wire, p)
		if p < 0 || p+10 > len(e.wire) {
			return errors.New("record is cut off")
		}
		e.ttls = append(e.ttls, uint16(p+4))
		p += 10 + int(binary.BigEndian.Uint16(e.wire[p+8:]))
	}
	return nil
}

// skipPackedName returns where the name at p of our own packing ends, -1 if nowhere.
func skipPackedName(m []byte, p int) int {
	for p < len(m) {
		switch l := int(m[p]); {
		case l == 0:
			return p + 1
		case l&0xc0 == 0xc0:
			return p + 2
		default:
			p += 1 + l
		}
	}
	return -1
}

// addAddrs notes the addresses in a record.
func (e *entry) addAddrs(rr dns.RR) {
	switch rr := rr.(type) {
	case *dns.A:
		e.addAddr(netip.AddrFromSlice(rr.A.To4()))
	case *dns.AAAA:
		e.addAddr(netip.AddrFromSlice(rr.AAAA))
	}
	if svcb := svcbOf(rr); svcb != nil {
		for _, kv := range svcb.Value {
			for _, ip := range hints(kv) {
				e.addAddr(ip, true)
			}
		}
	}
}

func (e *entry) addAddr(a netip.Addr, ok bool) {
	if !ok {
		return
	}
	a = a.Unmap()
	e.addrs = append(e.addrs, a)
	if rules.Special(a) {
		e.special = append(e.special, a)
	}
}

// markTranslated makes the addresses below NAT64 prefixes of the site need the
// Decision's leave. Special ones do already.
func (e *entry) markTranslated(nat64 []netip.Prefix) {
	if len(nat64) == 0 {
		return
	}
	for _, a := range e.addrs {
		if !rules.Special(a) && rules.Translated(a, nat64) {
			e.special = append(e.special, a)
		}
	}
}

// svcbOf returns the SVCB part of an HTTPS or SVCB record, nil for others.
func svcbOf(rr dns.RR) *dns.SVCB {
	switch rr := rr.(type) {
	case *dns.HTTPS:
		return &rr.SVCB
	case *dns.SVCB:
		return rr
	}
	return nil
}

// hints returns the addresses in a service parameter.
func hints(kv dns.SVCBKeyValue) []netip.Addr {
	var addrs []netip.Addr
	switch kv := kv.(type) {
	case *dns.SVCBIPv4Hint:
		for _, ip := range kv.Hint {
			if a, ok := netip.AddrFromSlice(ip.To4()); ok {
				addrs = append(addrs, a)
			}
		}
	case *dns.SVCBIPv6Hint:
		for _, ip := range kv.Hint {
			if a, ok := netip.AddrFromSlice(ip); ok {
				addrs = append(addrs, a)
			}
		}
	}
	return addrs
}
