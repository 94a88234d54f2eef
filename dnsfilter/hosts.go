// Hosts: fixed answers, as from a hosts file.

package dnsfilter

import (
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// fixedEntries makes the answers of a hosts table, by key. For types other than
// addresses the answer is "no such record", so that no upstream is asked about
// a fixed name.
func fixedEntries(hosts map[rules.Name][]netip.Addr) (map[string]*entry, error) {
	fixed := map[string]*entry{}
	for name, addrs := range hosts {
		for _, qtype := range [...]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB} {
			a := &answer{}
			for _, addr := range addrs {
				if rr := addressRecord(name, addr.Unmap()); rr.Header().Rrtype == qtype {
					a.records = append(a.records, rr)
				}
			}
			if len(a.records) == 0 {
				a.soa = noRecordSOA(name, fixedTTL)
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

// parentsOf returns the names above fixed names and above zones. The upstreams
// for other names may not know that these names exist.
func parentsOf(zones []Zone, hosts map[rules.Name][]netip.Addr) map[rules.Name]bool {
	parents := map[rules.Name]bool{}
	add := func(n rules.Name) {
		for n = n.Parent(); !n.IsZero() && !parents[n]; n = n.Parent() {
			parents[n] = true
		}
	}
	for _, z := range zones {
		add(z.Suffix)
	}
	for name := range hosts {
		add(name)
	}
	return parents
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

// noRecordSOA returns the SOA record for an answer "no such record" that a
// client may cache for ttl seconds. The filter makes the SOA record itself: its
// server and its mailbox are below .invalid.
func noRecordSOA(name rules.Name, ttl uint32) *dns.SOA {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: name.String() + ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  "sallyport.invalid.", Mbox: "nobody.invalid.",
		Serial: 1, Refresh: 1800, Retry: 900, Expire: 604800, Minttl: ttl,
	}
}

// holds returns how long a client may use an answer that it gets at the time
// now.
func (e *entry) holds(now time.Duration) time.Duration {
	if e.fixed {
		return fixedTTL * time.Second
	}
	return e.expires - now
}
