// Hosts: fixed answers, like a hosts file.

package dnsfilter

import (
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// fixedEntries makes the answers of a hosts table, by key: the addresses, and
// "no such record" for the other types, so that no upstream is asked about a
// name that is fixed here.
func fixedEntries(hosts map[rules.Name][]netip.Addr) (map[string]*entry, error) {
	fixed := map[string]*entry{}
	for name, addrs := range hosts {
		for _, qtype := range [...]uint16{typeA, typeAAAA, typeHTTPS, typeSVCB} {
			a := &answer{}
			for _, addr := range addrs {
				if rr := addressRecord(name, addr.Unmap()); rr.Header().Rrtype == qtype {
					a.records = append(a.records, rr)
				}
			}
			if len(a.records) == 0 {
				a.soa = fixedSOA(name)
			}
			e, err := newEntry(name, qtype, a)
			if err != nil {
				return nil, err
			}
			e.fixed = true
			fixed[string(appendKey(nil, appendWireName(nil, name), qtype))] = e
		}
	}
	return fixed, nil
}

func addressRecord(name rules.Name, addr netip.Addr) dns.RR {
	h := dns.RR_Header{Name: name.String() + ".", Class: dns.ClassINET, Ttl: fixedTTL}
	if addr.Is4() {
		h.Rrtype = dns.TypeA
		return &dns.A{Hdr: h, A: net.IP(addr.AsSlice())}
	}
	h.Rrtype = dns.TypeAAAA
	return &dns.AAAA{Hdr: h, AAAA: net.IP(addr.AsSlice())}
}

// fixedSOA lets a client remember that a fixed name has no such record.
func fixedSOA(name rules.Name) *dns.SOA {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: name.String() + ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: fixedTTL},
		Ns:  "sallyport.invalid.", Mbox: "nobody.invalid.",
		Serial: 1, Refresh: 1800, Retry: 900, Expire: 604800, Minttl: fixedTTL,
	}
}

// holds returns for how long a client may use an answer that it gets at now.
func (e *entry) holds(now time.Duration) time.Duration {
	if e.fixed {
		return fixedTTL * time.Second
	}
	return e.expires - now
}
