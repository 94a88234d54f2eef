// Synthetic addresses: each name has an address of its own, computed from the name and a secret of
// the site, so that a connection to the address is a connection to the name.

package rules

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A Synthetic has the prefixes of the synthetic addresses, and the secret. Its zero value
// has no addresses.
type Synthetic struct {
	Prefix4, Prefix6 netip.Prefix // zero: names have no synthetic address of this family
	Secret           []byte
	Datagrams        bool // datagrams to a synthetic address come to sallyport too
}

// Contains reports whether addr is in one of the prefixes.
func (s *Synthetic) Contains(addr netip.Addr) bool {
	return s.Prefix4.Contains(addr) || s.Prefix6.Contains(addr) // the zero Prefix contains nothing
}

// Prefixes returns the prefixes, IPv6 first.
func (s *Synthetic) Prefixes() (out []netip.Prefix) {
	for _, p := range []netip.Prefix{s.Prefix6, s.Prefix4} {
		if p.IsValid() {
			out = append(out, p)
		}
	}
	return out
}

// choice returns the n-th choice of a name for its address in a prefix. It depends on nothing
// else, so every sallyport with the secret computes the same. It is the zero Addr if the host
// part is all zeros or all ones, because such an address can mean a network or all its hosts.
func (s *Synthetic) choice(p netip.Prefix, name Name, n uint32) netip.Addr {
	var head [5]byte
	if head[0] = 6; p.Addr().Is4() {
		head[0] = 4
	}
	binary.BigEndian.PutUint32(head[1:], n)
	h := hmac.New(sha256.New, s.Secret)
	h.Write([]byte("sallyport synthetic address\x00"))
	h.Write(head[:])
	h.Write([]byte(name.s))
	sum, addr := h.Sum(nil), p.Masked().Addr().AsSlice()
	zeros, ones := true, true
	for i := range addr {
		mask := byte(0xff)
		switch bits := p.Bits() - 8*i; {
		case bits >= 8:
			continue
		case bits > 0:
			mask >>= bits
		}
		host := sum[i] & mask
		addr[i] |= host
		zeros, ones = zeros && host == 0, ones && host == mask
	}
	if zeros || ones {
		return netip.Addr{}
	}
	out, _ := netip.AddrFromSlice(addr)
	return out
}

// mostChoices is how many choices a name has. A prefix that is half full needs more than 64
// choices for one name in 2^64.
const mostChoices = 64

// A syntheticTable has the synthetic addresses of a policy's exact names.
type syntheticTable struct {
	Synthetic
	names  map[netip.Addr]Name
	addrs  map[Name][2]netip.Addr // IPv4, IPv6
	wanted map[netip.Addr]bool    // every address that an exact name has or has wanted
	later  int                    // addresses that are not the first choice of their name
}

// newSyntheticTable gives each name its addresses. It returns nil if there is no prefix.
func newSyntheticTable(s Synthetic, names []Name) *syntheticTable {
	if len(s.Prefixes()) == 0 {
		return nil
	}
	t := &syntheticTable{Synthetic: s, names: map[netip.Addr]Name{}, addrs: make(map[Name][2]netip.Addr, len(names)), wanted: map[netip.Addr]bool{}}
	for family, p := range [...]netip.Prefix{s.Prefix4, s.Prefix6} {
		if p.IsValid() {
			t.assign(family, p, names)
		}
	}
	return t
}

// assign gives each name an address in a prefix. All names together make their first choice, then
// those without an address make their next choice, and so on. An address that several names want
// in one round goes to none of them, and an address that was wanted before goes to no other name.
// So the result does not depend on the order of the names. And if a name is added or removed, an
// address does not go from one name to another, unless three names want it.
func (t *syntheticTable) assign(family int, p netip.Prefix, names []Name) {
	for n := uint32(0); len(names) > 0 && n < mostChoices; n++ {
		want, count := make([]netip.Addr, len(names)), make(map[netip.Addr]int, len(names))
		for i, name := range names {
			want[i] = t.choice(p, name, n)
			count[want[i]]++
		}
		var left []Name
		for i, name := range names {
			a := want[i]
			if !a.IsValid() || count[a] > 1 || t.wanted[a] {
				left = append(left, name)
				continue
			}
			both := t.addrs[name]
			both[family] = a
			t.addrs[name], t.names[a] = both, name
			if n > 0 {
				t.later++
			}
		}
		for a := range count {
			t.wanted[a] = true
		}
		names = left
	}
}

// of returns the addresses of a name. A name outside of the table has the first of its choices
// that no name of the table has wanted.
func (t *syntheticTable) of(name Name) (v4, v6 netip.Addr) {
	if both, ok := t.addrs[name]; ok {
		return both[0], both[1]
	}
	first := func(p netip.Prefix) netip.Addr {
		for n := uint32(0); p.IsValid() && n < mostChoices; n++ {
			if a := t.choice(p, name, n); a.IsValid() && !t.wanted[a] {
				return a
			}
		}
		return netip.Addr{}
	}
	return first(t.Prefix4), first(t.Prefix6)
}

// HasSynthetic reports whether names have synthetic addresses. A nil Policy has none.
func (p *Policy) HasSynthetic() bool { return p != nil && p.synthetic != nil }

// Synthetic returns the prefixes of the synthetic addresses, without the secret.
func (p *Policy) Synthetic() Synthetic {
	if !p.HasSynthetic() {
		return Synthetic{}
	}
	return Synthetic{Prefix4: p.synthetic.Prefix4, Prefix6: p.synthetic.Prefix6}
}

// IsSynthetic reports whether addr is in a prefix of synthetic addresses, whether or not it is
// the address of a name.
func (p *Policy) IsSynthetic(addr netip.Addr) bool {
	return p.HasSynthetic() && p.synthetic.Contains(addr)
}

// SyntheticAddrs returns the synthetic addresses of a name, zero for a family without a prefix.
// They say nothing about whether the name is permitted.
func (p *Policy) SyntheticAddrs(name Name) (v4, v6 netip.Addr) {
	if !p.HasSynthetic() || name.IsZero() {
		return v4, v6
	}
	return p.synthetic.of(name)
}

// SyntheticName returns the exact name of a rule whose synthetic address is addr. A name below a
// wildcard cannot be found by its address alone.
func (p *Policy) SyntheticName(addr netip.Addr) (Name, bool) {
	if !p.HasSynthetic() {
		return Name{}, false
	}
	name, ok := p.synthetic.names[addr]
	return name, ok
}

// SyntheticNames returns how many exact names have a synthetic address, and how many addresses
// are not the first choice of their name, because another name wanted the same one.
func (p *Policy) SyntheticNames() (names, later int) {
	if !p.HasSynthetic() {
		return 0, 0
	}
	return len(p.synthetic.addrs), p.synthetic.later
}

// isSyntheticOf reports whether addr is a synthetic address of name.
func (p *Policy) isSyntheticOf(addr netip.Addr, name Name) bool {
	v4, v6 := p.SyntheticAddrs(name)
	return addr.IsValid() && (addr == v4 || addr == v6)
}

// HasSynthetic reports whether the names of the generation have synthetic addresses.
func (g *Generation) HasSynthetic() bool { return g.policy().HasSynthetic() }

// IsSyntheticOf reports whether addr is a synthetic address of name.
func (g *Generation) IsSyntheticOf(addr netip.Addr, name Name) bool {
	return g.policy().isSyntheticOf(addr, name)
}

// Synthetic reports whether the query that d permits is answered by a synthetic address: the client
// has them, and a rule in force, which is no internal zone's, permits connections to the name.
func (d Decision) Synthetic() bool {
	return d.Verdict == Allow && !d.Would && d.grant != nil && !d.name.IsZero() && d.scope.synthesized && d.scope.connectsTo(d.name)
}

// connectsTo reports whether a rule in force permits TCP connections to a name, or, if datagrams to
// synthetic addresses come to sallyport, datagrams.
func (s *scope) connectsTo(n Name) bool {
	var near neighbour
	sp := s.named(n, &near)
	for i := range sp.n {
		if s.connects(s.ruleAt(sp, i)) {
			return true
		}
	}
	for _, l := range s.lists {
		if s.connects(&s.rules[l.rule]) && l.list.Has(n) {
			return true
		}
	}
	return false
}

func (s *scope) connects(r *scopeRule) bool {
	return r.block == 0 && (r.any || len(r.tcp) > 0 || s.datagrams && len(r.udp) > 0)
}

// asksForName reports whether a query asks which name has a synthetic address: a PTR record.
func (p *Policy) asksForName(a *Attempt) bool {
	return a.QType == typePTR && p.isSyntheticOf(a.Original.Addr(), a.Authority)
}

// typePTR is the record type of a name for an address (RFC 1035).
const typePTR = 12

// hintSynthetic explains the denial of a synthetic address that is not that of the name, or not
// known to be a name's.
func hintSynthetic(a *Attempt) string {
	addr := a.Dest.Addr()
	switch {
	case a.Via == ViaUDP && !a.Original.IsValid(): // the packet filter dropped it
		return fmt.Sprintf("%v is in [dns] synthetic, and a datagram to a synthetic address goes nowhere: for datagrams, the client needs synthetic = false", addr)
	case a.Via == ViaHTTP || a.Via == ViaConnect:
		return fmt.Sprintf("%v is in [dns] synthetic: ask the proxy for the name, not for the address", addr)
	}
	return fmt.Sprintf("%v is in [dns] synthetic, and no name is known to have it: the name of a wildcard is known after the client has asked this sallyport for it; otherwise the client must not keep addresses longer than their TTL", addr)
}
