// Validate: decides which parts of an upstream's message are trusted.

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

// The reasons why an upstream's message is not trusted.
var (
	errLoop  = errors.New("aliases form a loop")
	errChain = errors.New("more than 11 aliases")
	errAlias = errors.New("a name has two aliases")
	errLame  = errors.New("server sent a referral instead of an answer")
	errRCode = errors.New("server has no answer")
)

// validate returns the answer in a message whose question was already checked.
// It keeps only records of class IN and type qtype at the end of the chain of
// aliases from name. From a negative answer it keeps the SOA record of a zone
// that the name is in. It drops signatures, additional records and all records
// of other names. It bounds TTLs, removes ech, and flattens aliases.
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
		a.records = nil // they belong to another zone
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
	case len(chain) > 0: // a server without recursion did not see the end
		a.records = chain
	case elsewhere:
		a.soa = noRecordSOA(name, fixedTTL)
	case a.soa == nil && a.rcode == dns.RcodeSuccess && isReferral(m.Ns):
		return nil, errLame
	}
	return a, nil
}

// flatten moves the records at the end of a chain of aliases to the name in the
// question, with the shortest TTL of the chain, and drops the chain. Otherwise
// a caching resolver between a client and the filter would ask for the alias's
// target by itself, which is not permitted. It would ask even if the answer
// already has the target's addresses, because RFC 2181, section 5.4.1, does not
// trust them. The name of an alias exists. So if its target has no such record
// or does not exist (RFC 6604), the answer is "no such record".
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

// pointsElsewhere reports whether a service record leads to the addresses of
// another name: in AliasMode, or by its TargetName (RFC 9460, sections 2.4.2
// and 2.5). That other name is not permitted by itself. Without the record a
// client uses the addresses of the name in its question (section 3), as the
// proxy does. If the record leads to the name in the question, or to the end of
// its aliases, pointsElsewhere sets the record's target to ".".
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

// owns reports whether rr is a record of that type at owner, a canonical name.
func owns(rr dns.RR, owner string, rrtype uint16) bool {
	h := rr.Header()
	return h.Rrtype == rrtype && h.Class == dns.ClassINET && dns.CanonicalName(h.Name) == owner
}

// aliases returns the chain of CNAME records from name, with canonical owners
// and targets. Every target must be a host name.
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

// aliasOf returns the alias at owner. It returns nil if there is none, or if
// owner has a record of type qtype.
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

// negativeSOA returns the SOA record of a zone that contains end. Its TTL is
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

// isReferral reports whether an authority section is a referral.
func isReferral(rrs []dns.RR) bool {
	return slices.ContainsFunc(rrs, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeNS })
}

// clampTTL bounds a TTL. A TTL with its top bit set means zero (RFC 2181,
// section 8).
func clampTTL(h *dns.RR_Header, most uint32) {
	if h.Ttl > 1<<31-1 {
		h.Ttl = 0
	}
	h.Ttl = min(max(h.Ttl, minTTL), most)
}

// sanitize returns a record that may be kept, or nil. It drops AAAA records
// that wrap an IPv4 address, and removes the keys of Encrypted ClientHello from
// service records.
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

// removeParam removes a parameter from a service record, and from its list of
// mandatory parameters.
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
