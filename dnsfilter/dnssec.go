// DNSSEC: passes on what a validating resolver between a client and the filter
// needs: signatures, denials of existence, DS and DNSKEY records (RFC 4033 to
// 4035, RFC 5155). The filter itself validates nothing.

package dnsfilter

import (
	"slices"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// want is the type of a question, with its DNSSEC flags.
type want struct {
	qtype  uint16
	do, cd bool // DO: send signatures (RFC 3225); CD: do not check them (RFC 4035, section 3.2.2)
}

// wants returns what a client asks for. CD matters only with DO.
func (q *query) wants() want {
	do := q.edns && q.do
	return want{qtype: q.qtype, do: do, cd: do && q.flags()&flagCD != 0}
}

// appendTo appends to a cache key whether the answer has signatures.
func (w want) appendTo(key []byte) []byte {
	switch {
	case w.cd:
		return append(key, 2)
	case w.do:
		return append(key, 1)
	}
	return key
}

// asksRootKeys reports whether the query is for the root's DNSKEY, where every
// chain of signatures ends. The policy can permit no other question about the
// root.
func (q *query) asksRootKeys() bool { return q.msg[headerSize] == 0 && q.qtype == dns.TypeDNSKEY }

// addProof adds to an answer the signatures of its records, from the message.
// To a negative answer, or to an answer from a wildcard, it also adds the
// signed denials of existence. A flattened answer gets no proof, because no
// zone signed it.
func (a *answer) addProof(m *dns.Msg, name rules.Name, qtype uint16) {
	if a.flat || slices.ContainsFunc(a.records, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeCNAME }) {
		return
	}
	owner := dns.CanonicalName(name.String() + ".")
	if !a.negative() {
		for _, rr := range m.Answer {
			if sig, ok := rr.(*dns.RRSIG); ok && sig.TypeCovered == qtype && inZone(rr, owner) && dns.CanonicalName(sig.Hdr.Name) == owner {
				a.sigs = append(a.sigs, clamped(sig))
			}
		}
	}
	for _, rr := range m.Ns {
		switch rr := rr.(type) {
		case *dns.NSEC, *dns.NSEC3:
		case *dns.RRSIG:
			if rr.TypeCovered != dns.TypeNSEC && rr.TypeCovered != dns.TypeNSEC3 && !(rr.TypeCovered == dns.TypeSOA && a.soa != nil && dns.CanonicalName(rr.Hdr.Name) == a.soa.Hdr.Name) {
				continue
			}
		default:
			continue
		}
		if inZone(rr, owner) {
			a.proof = append(a.proof, clamped(rr))
		}
	}
	a.sigs, a.proof = a.sigs[:min(len(a.sigs), maxProof)], a.proof[:min(len(a.proof), maxProof)]
}

// maxProof bounds the signatures, and the denials, of one answer. Real answers
// have eight at most.
const maxProof = 32

// inZone reports whether rr has class IN and belongs to a zone that contains
// owner. The validator checks whether rr proves anything.
func inZone(rr dns.RR, owner string) bool {
	zone := dns.CanonicalName(rr.Header().Name)
	switch rr := rr.(type) {
	case *dns.RRSIG:
		zone = dns.CanonicalName(rr.SignerName)
	case *dns.NSEC, *dns.NSEC3: // rr's owner may be a sibling of owner: compare with the parent of both
		for zone != "." && !dns.IsSubDomain(zone, owner) {
			i, end := dns.NextLabel(zone, 0)
			if end {
				zone = "."
			} else {
				zone = zone[i:]
			}
		}
	}
	return rr.Header().Class == dns.ClassINET && dns.IsSubDomain(zone, owner)
}

// clamped returns rr with a bounded TTL. Its names keep their letter case (RFC
// 4034, section 6.2).
func clamped(rr dns.RR) dns.RR {
	clampTTL(rr.Header(), maxTTL)
	return rr
}
