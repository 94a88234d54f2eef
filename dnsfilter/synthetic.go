// Synthetic: answers queries by synthetic addresses, and finds the name of such an address again.

package dnsfilter

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// The TTLs of synthetic answers, in seconds. An exact name of a rule keeps its address across
// restarts. A name below a wildcard must be asked again before this sallyport knows its address
// after a restart, so a client soon asks again.
const (
	syntheticTTL = fixedTTL
	learnedTTL   = 10
)

// overAddress is the detail of a denial because another name has the IPv4 address.
const overAddress = "this client already uses %s at the synthetic address %v, and both names cannot have it: use the IPv6 address, or a wider IPv4 prefix in [dns] synthetic"

// synthesize answers a query of a client with synthetic addresses. It reports false if the query is
// answered as any other one is, and then it has neither decided nor recorded anything.
func (f *Filter) synthesize(q *query, r *Resolver, a *rules.Attempt, out []byte) ([]byte, bool) {
	switch q.qtype {
	case dns.TypePTR:
		return f.answerWithName(q, r, a, out)
	case dns.TypeA, dns.TypeAAAA:
	default:
		return out, false
	}
	name, err := nameOf(q.wireName())
	if err != nil {
		return out, false
	}
	asked := *a
	asked.Authority, asked.Provisional = name, true
	d := f.cfg.Gate.Preview(asked)
	if !d.Synthetic() {
		return out, false
	}
	asked.Provisional = false
	addr, ttl, over := f.syntheticAddr(q, d, &asked)
	switch {
	case over != "" && !q.proven:
		return f.truncate(q, out), true
	case over != "":
		asked.Fault, asked.Detail = rules.Limit, over
	case addr.IsValid():
		asked.Resolved = []netip.Addr{addr}
	}
	if d = f.cfg.Gate.Decide(asked); !d.Allowed() {
		return f.deny(q, r, &asked, d, out), true
	}
	f.observe(q, KindSynthetic, dns.RcodeSuccess)
	if !addr.IsValid() {
		return appendNegative(out, q, dns.RcodeSuccess, noEDE, ""), true
	}
	return appendRecord(out, q, ttl, addr.AsSlice()), true
}

// syntheticAddr returns the address that answers a permitted query, and its TTL. The address is
// zero if the name has none of the family. A name that the policy does not list exactly is
// remembered with its address; over is the limit that forbids that.
func (f *Filter) syntheticAddr(q *query, d rules.Decision, a *rules.Attempt) (addr netip.Addr, ttl uint32, over string) {
	policy := a.Generation.Policy
	v4, v6 := policy.SyntheticAddrs(a.Authority)
	if addr = v6; q.qtype == dns.TypeA {
		addr = v4
	}
	if name, exact := policy.SyntheticName(addr); exact && name == a.Authority || !addr.IsValid() {
		return addr, syntheticTTL, ""
	}
	by, now := rules.QuotaKeyOf(q.client.Addr(), d.Client), q.arrived.Sub(f.start)
	if d.FreeLabels() && !q.proven && !f.nameQuota.has(by, a.Authority, now) {
		return addr, 0, overNewNames // the source may be forged
	}
	if over := f.AdmitName(q.client.Addr(), d, a.Authority); over != "" {
		return addr, 0, over
	}
	if other := f.learned.learn(by, a.Authority, addr, now); !other.IsZero() {
		return addr, 0, fmt.Sprintf(overAddress, other, addr)
	}
	return addr, learnedTTL, ""
}

// SyntheticName returns the name that a synthetic address stands for when a client uses it. It
// reports false if the address is not synthetic. The zero Name means that no name is known to have
// the address. SyntheticName permits nothing: the caller decides about the client and the name.
func (f *Filter) SyntheticName(g *rules.Generation, client, addr netip.Addr) (name rules.Name, synthetic bool) {
	addr = addr.Unmap()
	if !g.HasSynthetic() || !g.Policy.IsSynthetic(addr) {
		return rules.Name{}, false
	}
	exact, listed := g.Policy.SyntheticName(addr)
	client = client.Unmap().WithZone("")
	learned := f.learned.find(g.QuotaKeyOf(client), addr, f.clock())
	switch {
	case !listed:
		return learned, true
	case !learned.IsZero() && learned != exact:
		return rules.Name{}, true // a reload gave the address to another name: the client may mean either
	}
	return exact, true
}

// SyntheticNames returns how many names below wildcards are known with their synthetic address.
func (f *Filter) SyntheticNames() int { return f.learned.len() }

// answerWithName answers the query for the name of a synthetic address. It reports false if there
// is no such name that the client may look up.
func (f *Filter) answerWithName(q *query, r *Resolver, a *rules.Attempt, out []byte) ([]byte, bool) {
	addr, ok := reverseAddr(q.wireName())
	if !ok {
		return out, false
	}
	name, synthetic := f.SyntheticName(a.Generation, q.client.Addr(), addr)
	if !synthetic || name.IsZero() {
		return out, false
	}
	asked := *a
	asked.Authority, asked.Original, asked.Provisional = name, netip.AddrPortFrom(addr, 0), true
	if !f.cfg.Gate.Preview(asked).Synthetic() {
		return out, false
	}
	asked.Provisional = false
	if d := f.cfg.Gate.Decide(asked); !d.Allowed() {
		return f.deny(q, r, &asked, d, out), true
	}
	f.observe(q, KindSynthetic, dns.RcodeSuccess)
	var room [maxWireName]byte
	return appendRecord(out, q, learnedTTL, appendWireName(room[:0], name)), true
}

// appendRecord appends a reply with one record of the type in the question.
func appendRecord(out []byte, q *query, ttl uint32, data []byte) []byte {
	start := len(out)
	out = appendHead(out, q, dns.RcodeSuccess)
	out[start+7] = 1
	out = append(out, 0xc0, headerSize, byte(q.qtype>>8), byte(q.qtype), 0, dns.ClassINET)
	out = binary.BigEndian.AppendUint32(out, ttl)
	out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
	out = append(out, data...)
	return appendOPT(out, start, q, dns.RcodeSuccess, noEDE, "")
}

// reverseAddr returns the address that a wire name below in-addr.arpa (RFC 1035, section 3.5) or
// ip6.arpa (RFC 3596, section 2.5) stands for.
func reverseAddr(wire []byte) (netip.Addr, bool) {
	if a, ok := reverseAddr4(wire); ok {
		return a, true
	}
	return reverseAddr6(wire)
}

// reverseAddr4 reads four labels with a decimal number each, the last octet first.
func reverseAddr4(wire []byte) (netip.Addr, bool) {
	var b [4]byte
	p := 0
	for i := range b {
		n := int(wire[p])
		if n == 0 || n > 3 {
			return netip.Addr{}, false
		}
		v, ok := octet(wire[p+1:][:n])
		if !ok {
			return netip.Addr{}, false
		}
		b[3-i] = v
		p += 1 + n
	}
	return netip.AddrFrom4(b), lower(wire[p:]) == "\x07in-addr\x04arpa\x00"
}

// reverseAddr6 reads 32 labels with a hexadecimal digit each, the last digit first.
func reverseAddr6(wire []byte) (netip.Addr, bool) {
	const top = "\x03ip6\x04arpa\x00"
	var b [16]byte
	if len(wire) != 64+len(top) || lower(wire[64:]) != top {
		return netip.Addr{}, false
	}
	for i := range 32 {
		v, ok := nibble(wire[2*i+1])
		if !ok || wire[2*i] != 1 {
			return netip.Addr{}, false
		}
		b[15-i/2] |= v << (4 * (i % 2))
	}
	return netip.AddrFrom16(b), true
}

// lower returns bytes of a wire name in lower case, if they are few.
func lower(b []byte) string {
	var room [16]byte
	if len(b) > len(room) {
		return ""
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		room[i] = c
	}
	return string(room[:len(b)])
}

// octet returns the value of a decimal number from 0 to 255 without leading zeros.
func octet(label []byte) (byte, bool) {
	n := 0
	for _, c := range label {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return byte(n), len(label) > 0 && n < 256 && (len(label) == 1 || label[0] != '0')
}

// nibble returns the value of a hexadecimal digit.
func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
