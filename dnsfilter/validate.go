// Validate: what of an upstream's message is believed.

package dnsfilter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// maxChain bounds the aliases between the question and its answer.
const maxChain = 11

// Why an upstream's message is not believed.
var (
	errLoop  = errors.New("aliases run in a circle")
	errChain = errors.New("more than 11 aliases")
	errAlias = errors.New("a name has two aliases")
	errLame  = errors.New("server refers elsewhere instead of answering")
	errRCode = errors.New("server has no answer")
)

// validate keeps of a message, whose question was checked already, only the
// records of type qtype at the end of the chain of aliases that starts at name,
// all of class IN; of a negative answer the SOA of a zone that the name is in.
// Signatures, additional records and everything that hangs off other names is
// dropped. TTLs are clamped, ech is taken out. The answer is flattened.
func validate(m *dns.Msg, name rules.Name, qtype uint16) (*answer, error) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("%w: %s", errRCode, cmp.Or(dns.RcodeToString[m.Rcode], strconv.Itoa(m.Rcode)))
	}
	chain, err := aliases(m.Answer, name, qtype)
	if err != nil {
		return nil, err
	}
	end := name.String() + "."
	if len(chain) > 0 {
		end = chain[len(chain)-1].(*dns.CNAME).Target
	}
	a, elsewhere := &answer{rcode: m.Rcode}, false
	for _, rr := range m.Answer {
		if owns(rr, end, qtype) && len(a.records) < maxRecords {
			if pointsElsewhere(rr, end, name) {
				elsewhere = true
				continue
			}
			if rr = sanitize(rr); rr != nil {
				clampTTL(rr.Header(), maxTTL)
				rr.Header().Name = end
				a.records = append(a.records, rr)
			}
		}
	}
	if len(chain) > 0 && (qtype == dns.TypeDS || qtype == dns.TypeDNSKEY) {
		a.records = nil // they are another zone's
	}
	if !a.negative() {
		a.rcode = dns.RcodeSuccess
		a.flatten(name, chain)
		return a, nil
	}
	a.soa = negativeSOA(m.Ns, end)
	switch {
	case len(chain) > 0 && (m.RecursionAvailable || a.soa != nil || m.Rcode == dns.RcodeNameError):
		a.flatten(name, chain)
	case len(chain) > 0: // a server that does not recurse has not seen the end
		a.records = chain
	case elsewhere:
		a.soa = noRecordSOA(name, fixedTTL)
	case a.soa == nil && a.rcode == dns.RcodeSuccess && isReferral(m.Ns):
		return nil, errLame
	}
	return a, nil
}

// flatten gives the end of a chain of aliases to the name that was asked for,
// for as long as the shortest-lived part of the chain holds, and drops the
// chain. A caching resolver between a client and the filter asks for the target
// of an alias by itself, though the answer has its addresses already (RFC 2181,
// section 5.4.1, does not trust them); by itself the target is not permitted.
// The name of an alias does exist: where its target has no such record, or does
// not exist (RFC 6604), the name has no such record.
func (a *answer) flatten(name rules.Name, chain []dns.RR) {
	if len(chain) == 0 {
		return
	}
	a.flat = true
	least := uint32(maxTTL)
	for _, rr := range chain {
		least = min(least, rr.Header().Ttl)
	}
	for _, rr := range a.records {
		rr.Header().Name = name.String() + "."
		rr.Header().Ttl = min(rr.Header().Ttl, least)
	}
	if len(a.records) == 0 {
		ttl := uint32(bareTTL)
		if a.soa != nil {
			ttl = a.soa.Hdr.Ttl
		}
		a.rcode, a.soa = dns.RcodeSuccess, noRecordSOA(name, min(ttl, least))
	}
}

// pointsElsewhere tells of a service record that leads to the addresses of
// another name: in AliasMode, or by its TargetName (RFC 9460, sections 2.4.2 and
// 2.5). That name is not permitted by itself. Without the record a client uses
// the addresses of the name that it asked for (section 3), and so does the
// proxy. A record that leads to the name itself is made to say so.
func pointsElsewhere(rr dns.RR, end string, name rules.Name) bool {
	svcb := svcbOf(rr)
	if svcb == nil {
		return false
	}
	if t := dns.CanonicalName(svcb.Target); t == end || t == name.String()+"." {
		svcb.Target = "."
	}
	return svcb.Priority == 0 || svcb.Target != "."
}

// owns tells whether rr is a record of the type at the owner, which is canonical.
func owns(rr dns.RR, owner string, rrtype uint16) bool {
	h := rr.Header()
	return h.Rrtype == rrtype && h.Class == dns.ClassINET && dns.CanonicalName(h.Name) == owner
}

// aliases returns the chain of CNAME records that starts at name, with
// canonical owners and targets. Every target must be a host name.
func aliases(rrs []dns.RR, name rules.Name, qtype uint16) ([]dns.RR, error) {
	var chain []dns.RR
	seen := []rules.Name{name}
	for at := name; ; {
		cname, err := aliasOf(rrs, at.String()+".", qtype)
		if cname == nil || err != nil {
			return chain, err
		}
		target, err := rules.ParseName(cname.Target)
		if err != nil {
			return nil, err
		}
		if slices.Contains(seen, target) {
			return nil, errLoop
		}
		if len(chain) == maxChain {
			return nil, errChain
		}
		rr := &dns.CNAME{Hdr: cname.Hdr, Target: target.String() + "."}
		rr.Hdr.Name = at.String() + "."
		clampTTL(&rr.Hdr, maxTTL)
		chain, seen, at = append(chain, rr), append(seen, target), target
	}
}

// aliasOf returns the alias at owner, nil if it has none or has what was asked for.
func aliasOf(rrs []dns.RR, owner string, qtype uint16) (*dns.CNAME, error) {
	var alias *dns.CNAME
	for _, rr := range rrs {
		if owns(rr, owner, qtype) {
			return nil, nil
		}
		c, ok := rr.(*dns.CNAME)
		if !ok || !owns(rr, owner, dns.TypeCNAME) {
			continue
		}
		if alias != nil && dns.CanonicalName(alias.Target) != dns.CanonicalName(c.Target) {
			return nil, errAlias
		}
		alias = c
	}
	return alias, nil
}

// negativeSOA returns the SOA record of a zone that end is in, its TTL being
// that of the negative answer (RFC 2308, section 5).
func negativeSOA(rrs []dns.RR, end string) *dns.SOA {
	for _, rr := range rrs {
		soa, ok := rr.(*dns.SOA)
		if !ok || soa.Hdr.Class != dns.ClassINET || !dns.IsSubDomain(dns.CanonicalName(soa.Hdr.Name), end) {
			continue
		}
		soa.Hdr.Name = dns.CanonicalName(soa.Hdr.Name)
		if soa.Minttl < soa.Hdr.Ttl {
			soa.Hdr.Ttl = soa.Minttl
		}
		clampTTL(&soa.Hdr, maxNegative)
		return soa
	}
	return nil
}

// refers tells whether an authority section is a referral.
func isReferral(rrs []dns.RR) bool {
	return slices.ContainsFunc(rrs, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeNS })
}

// clampTTL bounds a TTL. One with the top bit set means zero (RFC 2181, section 8).
func clampTTL(h *dns.RR_Header, most uint32) {
	if h.Ttl > 1<<31-1 {
		h.Ttl = 0
	}
	h.Ttl = min(max(h.Ttl, minTTL), most)
}

// sanitize returns a record fit to be kept, nil if it is not: an AAAA record
// that wraps an IPv4 address is dropped, and a service record loses the keys of
// Encrypted ClientHello.
func sanitize(rr dns.RR) dns.RR {
	switch rr := rr.(type) {
	case *dns.A:
		if rr.A.To4() == nil {
			return nil
		}
	case *dns.AAAA:
		if len(rr.AAAA) != 16 || rr.AAAA.To4() != nil {
			return nil
		}
	case *dns.HTTPS, *dns.SVCB:
		removeParam(svcbOf(rr), dns.SVCB_ECHCONFIG)
	case *dns.DS, *dns.DNSKEY:
	default:
		return nil
	}
	return rr
}

// dropParam takes a parameter out of a service record, and out of the list
// of those that a client must understand.
func removeParam(svcb *dns.SVCB, key dns.SVCBKey) {
	kept := make([]dns.SVCBKeyValue, 0, len(svcb.Value))
	for _, kv := range svcb.Value {
		if kv.Key() == key {
			continue
		}
		if must, ok := kv.(*dns.SVCBMandatory); ok {
			codes := slices.DeleteFunc(slices.Clone(must.Code), func(k dns.SVCBKey) bool { return k == key })
			if len(codes) == 0 {
				continue
			}
			kv = &dns.SVCBMandatory{Code: codes}
		}
		kept = append(kept, kv)
	}
	svcb.Value = kept
}
