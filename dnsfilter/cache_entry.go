// Cache entry: one validated answer, packed and ready to be sent.

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
	// minTTL also applies to answers with TTL 0. The filter asks about a name
	// at most once in this time. So the order and rhythm of a client's queries
	// reveal little to the name's servers. A client sees a changed address up
	// to this much later.
	minTTL      = 5
	maxTTL      = 60 * 60
	maxNegative = 5 * 60 // for "no such name" and "no such record"
	bareTTL     = 5      // for negative answers without a SOA record
	failureTTL  = minTTL // for failures (RFC 9520, section 3.2, asks for 1 to 300)
	fixedTTL    = 60     // the TTL of answers from Hosts
)

// The limits of one answer.
const (
	maxRecords = 256     // further records are dropped
	maxEntry   = 1 << 14 // bytes
)

// entry is one answer. It is immutable and shared. Records that one client may
// not see are left out of that client's reply, never out of the entry.
type entry struct {
	name    rules.Name
	rcode   uint8
	failed  bool  // no upstream gave a usable answer
	cause   error // if failed or bogus: the error of the last upstream; nil: no upstream was asked
	bogus   bool  // DNSSEC does not prove it; cause says why, also if it has not failed
	fixed   bool  // from Hosts: its TTL does not count down
	address bool  // the question type is A or AAAA
	qend    int
	wire    []byte   // header, question in lower case, records; no OPT
	ttls    []uint16 // offsets of the TTLs in wire

	addrs   []netip.Addr // every address in the answer, with the hints of HTTPS and SVCB
	special []netip.Addr // the addresses among addrs that the Decision must reach

	stored, expires time.Duration // on the filter's clock
}

// answer holds the parts of an upstream's message that validate keeps.
type answer struct {
	rcode   int
	records []dns.RR // records of the type in the question; or a chain of aliases whose end the server did not see
	soa     *dns.SOA // the SOA record of a negative answer
	bogus   error    // why DNSSEC does not prove it; nil: it does, or the site does not ask
	flat    bool     // the records came from the end of a chain of aliases

	sigs, proof []dns.RR // for a client that sets DO: signatures of records, and proofs beside soa
}

// ttl returns the lifetime of the answer in seconds.
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

// negative reports whether the answer has no record of the type in the
// question.
func (a *answer) negative() bool {
	return len(a.records) == 0 || a.records[len(a.records)-1].Header().Rrtype == dns.TypeCNAME
}

// newEntry packs an answer into an entry.
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
	wire = bytes.Clone(wire) // Pack's buffer has the uncompressed size; keep only what is used
	e := &entry{name: name, rcode: uint8(a.rcode), address: qtype == dns.TypeA || qtype == dns.TypeAAAA, wire: wire}
	if err := e.index(); err != nil {
		return nil, err
	}
	for _, rr := range a.records {
		e.addAddrs(rr)
	}
	return e, nil
}

// index finds the end of the question and the offsets of the TTLs.
func (e *entry) index() error {
	end, ok := skipPlainName(e.wire, headerSize)
	if !ok {
		return errors.New("name in the question is compressed")
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

// skipPackedName returns the end of the name at p in a message that this
// package packed, or -1 if the message ends first.
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

// addAddrs adds the addresses in a record to the entry.
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

// markTranslated adds the addresses below the site's NAT64 prefixes to the
// addresses that the Decision must reach. Special addresses are among those
// already.
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

// svcbOf returns the SVCB part of an HTTPS or SVCB record, and nil for other
// records.
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
