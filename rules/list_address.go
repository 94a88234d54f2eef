// List addresses: the addresses and prefixes of a List, sorted and without those inside of
// others.

package rules

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// listAddrs holds prefixes of both families, each in eight or twenty octets.
type listAddrs struct {
	v4 []listPrefix4
	v6 []listPrefix6
}

type listPrefix4 struct {
	first uint32
	tail  uint32 // the line, and the length in the last bits
}

type listPrefix6 struct {
	first [16]byte
	tail  uint32
}

const (
	lengthBits4 = 6 // bits of tail that hold a length from 0 to 32
	lengthBits6 = 8
)

func (p listPrefix4) prefix() netip.Prefix {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], p.first)
	return netip.PrefixFrom(netip.AddrFrom4(a), int(p.tail&(1<<lengthBits4-1)))
}

func (p listPrefix6) prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(p.first), int(p.tail&(1<<lengthBits6-1)))
}

func (l *listAddrs) add(p netip.Prefix, line uint32) {
	if p.Addr().Is4() {
		a := p.Addr().As4()
		l.v4 = append(l.v4, listPrefix4{binary.BigEndian.Uint32(a[:]), line<<lengthBits4 | uint32(p.Bits())})
	} else {
		l.v6 = append(l.v6, listPrefix6{p.Addr().As16(), line<<lengthBits6 | uint32(p.Bits())})
	}
}

// settle sorts the prefixes, and drops prefixes inside of other prefixes. It reports each
// prefix that is listed twice.
func (l *listAddrs) settle(twice func(text string, first, second uint32)) {
	slices.SortFunc(l.v4, func(a, b listPrefix4) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.tail&(1<<lengthBits4-1), b.tail&(1<<lengthBits4-1)), cmp.Compare(a.tail, b.tail))
	})
	slices.SortFunc(l.v6, func(a, b listPrefix6) int {
		return cmp.Or(slices.Compare(a.first[:], b.first[:]), cmp.Compare(a.tail&(1<<lengthBits6-1), b.tail&(1<<lengthBits6-1)), cmp.Compare(a.tail, b.tail))
	})
	l.v4 = outermost(l.v4, listPrefix4.prefix, func(p listPrefix4) uint32 { return p.tail >> lengthBits4 }, twice)
	l.v6 = outermost(l.v6, listPrefix6.prefix, func(p listPrefix6) uint32 { return p.tail >> lengthBits6 }, twice)
}

// outermost returns the sorted prefixes that are not inside of another prefix, without
// spare memory.
func outermost[P any](list []P, prefix func(P) netip.Prefix, line func(P) uint32, twice func(text string, first, second uint32)) []P {
	n := 0
	var last netip.Prefix
	for _, p := range list {
		this := prefix(p)
		if n > 0 && Covers(last, this) {
			if last == this {
				twice(Destination{Prefix: this}.String(), line(list[n-1]), line(p))
			}
			continue
		}
		list[n], last = p, this
		n++
	}
	return slices.Clip(slices.Clone(list[:n]))
}

// find returns the prefix that has an address, and its line; line 0: none has it.
func (l *listAddrs) find(a netip.Addr) (netip.Prefix, int) {
	switch {
	case a.Is4() && len(l.v4) > 0:
		b := a.As4()
		n := binary.BigEndian.Uint32(b[:])
		i, same := slices.BinarySearchFunc(l.v4, n, func(p listPrefix4, n uint32) int { return cmp.Compare(p.first, n) })
		if !same {
			i--
		}
		if i >= 0 && l.v4[i].prefix().Contains(a) {
			return l.v4[i].prefix(), int(l.v4[i].tail >> lengthBits4)
		}
	case a.Is6() && len(l.v6) > 0:
		n := a.As16()
		i, same := slices.BinarySearchFunc(l.v6, n, func(p listPrefix6, n [16]byte) int { return slices.Compare(p.first[:], n[:]) })
		if !same {
			i--
		}
		if i >= 0 && l.v6[i].prefix().Contains(a) {
			return l.v6[i].prefix(), int(l.v6[i].tail >> lengthBits6)
		}
	}
	return netip.Prefix{}, 0
}
