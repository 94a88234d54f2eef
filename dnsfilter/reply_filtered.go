// Filtered reply: rebuilds an answer record by record if it cannot be sent as
// it is cached.

package dnsfilter

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// appendFiltered appends the answer e without the refused addresses, truncated
// to the client's limit. It is the slow twin of appendCached: if nothing is
// refused and the answer fits, both give the same reply.
func appendFiltered(out []byte, q *query, e *entry, age time.Duration, refused []netip.Addr) ([]byte, error) {
	m := new(dns.Msg)
	if err := m.Unpack(e.wire); err != nil {
		return out, err
	}
	asked, _, err := dns.UnpackDomainName(q.msg, headerSize)
	if err != nil {
		return out, err
	}
	flags := q.flags()
	m.Id, m.Response, m.RecursionAvailable = q.id(), true, true
	m.RecursionDesired, m.CheckingDisabled = flags&flagRD != 0, flags&flagCD != 0
	m.Rcode = int(e.rcode)
	m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool { return !keep(rr, refused) })
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		h := rr.Header()
		h.Ttl -= min(h.Ttl, uint32(age/time.Second))
		if h.Name == m.Question[0].Name { // use the client's letter case, as compression pointers to the question do
			h.Name = asked
		}
	}
	m.Question[0].Name = asked
	if q.edns {
		m.SetEdns0(maxUDP, q.do)
	}
	if q.cookie != 0 {
		whole := append(bytes.Clone(q.msg[q.cookie:][:clientCookieSize]), q.serverCookie[:]...)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex.EncodeToString(whole)}}
	}
	m.Compress = true
	m.Truncate(q.limit())
	packed, err := m.Pack()
	for err == nil && len(packed) > q.limit() && len(m.Answer) > 0 { // Truncate never goes below 512 bytes
		m.Truncated, m.Answer = true, m.Answer[:len(m.Answer)-1]
		packed, err = m.Pack()
	}
	switch {
	case err != nil:
		return out, err
	case len(packed) > q.limit(): // a negative answer with long names
		return appendTruncated(out, q), nil
	}
	return append(out, packed...), nil
}

// keep reports whether a record may stay in an answer without the refused
// addresses. From a service record it removes the hints with such addresses.
func keep(rr dns.RR, refused []netip.Addr) bool {
	if len(refused) == 0 {
		return true
	}
	switch rr := rr.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(rr.A.To4())
		return ok && !slices.Contains(refused, a)
	case *dns.AAAA:
		a, ok := netip.AddrFromSlice(rr.AAAA)
		return ok && !slices.Contains(refused, a)
	}
	if svcb := svcbOf(rr); svcb != nil {
		for _, kv := range slices.Clone(svcb.Value) {
			if slices.ContainsFunc(hints(kv), func(a netip.Addr) bool { return slices.Contains(refused, a.Unmap()) }) {
				removeParam(svcb, kv.Key())
			}
		}
	}
	return true
}

// without returns the addresses that are not refused.
func without(addrs, refused []netip.Addr) []netip.Addr {
	if len(refused) == 0 {
		return addrs
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return slices.Contains(refused, a) })
}
