// DNSSEC: what a validating resolver between a client and the filter needs:
// signatures, denials of existence, DS and DNSKEY records (RFC 4033 to 4035,
// RFC 5155). The filter validates nothing itself.

package dnsfilter

import (
	"slices"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// want is what of a name an upstream is asked for.
type want struct {
	qtype  uint16
	do, cd bool // with signatures (RFC 3225), and although they are wrong (RFC 4035, section 3.2.2)
}

// wants is what a client asks for. CD matters to those alone that look at
// signatures.
func (q *query) wants() want {
	do := q.edns && q.do
	return want{qtype: q.qtype, do: do, cd: do && q.flags()&flagCD != 0}
}

// appendTo appends to a key what tells an answer with signatures from one without.
func (w want) appendTo(key []byte) []byte {
	switch {
	case w.cd:
		return append(key, 2)
	case w.do:
		return append(key, 1)
	}
	return key
}

// asksRootKeys tells of the one question about the root of the names that the
// policy may permit: what every chain of signatures ends at.
func (q *query) asksRootKeys() bool { return q.msg[headerSize] == 0 && q.qtype == dns.TypeDNSKEY }

// addProof adds to an answer what the message has to prove it: the signatures of
// the records, and of a negative answer or a wildcard's the denials of existence
// with theirs. A flattened answer has none: nobody signed it.
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

// maxProof bounds the signatures, and the denials, of one answer; real ones have
// eight at most.
const maxProof = 32

// proves tells whether rr is of a zone that owner is in, or of class IN at all.
// Whether it proves anything is for the validator to say.
func inZone(rr dns.RR, owner string) bool {
	zone := dns.CanonicalName(rr.Header().Name)
	switch rr := rr.(type) {
	case *dns.RRSIG:
		zone = dns.CanonicalName(rr.SignerName)
	case *dns.NSEC, *dns.NSEC3: // it may stand beside owner, and then below their common parent
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

// cleaned bounds a record's TTL. Its names stay as they are signed: in any case
// of letters (RFC 4034, section 6.2).
func clamped(rr dns.RR) dns.RR {
	clampTTL(rr.Header(), maxTTL)
	return rr
}
