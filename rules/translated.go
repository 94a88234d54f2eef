// Translated addresses: IPv6 addresses that stand for an IPv4 address.
//
// A connection to such an address ends at the IPv4 address inside, through a translator
// or a tunnel. So the decision depends on the IPv4 address.

package rules

import (
	"fmt"
	"net/netip"
	"slices"
)

// Prefixes of translated addresses whose layout is the same everywhere.
var (
	nat64Known = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052, section 2.1
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215; has the layout of a /96 unless nat64 lists another prefix
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291, section 2.5.5.1
	siit       = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765, section 2.1
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056, section 2
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380, section 2.6
)

// nat64Lengths returns the lengths of RFC 6052, section 2.2.
func nat64Lengths() []int { return []int{32, 40, 48, 56, 64, 96} }

// CheckNAT64 returns what is wrong with a prefix of [resolve] nat64.
func CheckNAT64(p netip.Prefix) error {
	switch a := p.Addr().As16(); {
	case p.Addr().Is4() || !slices.Contains(nat64Lengths(), p.Bits()):
		return fmt.Errorf("%v is not a NAT64 prefix: its length must be 32, 40, 48, 56, 64 or 96 (RFC 6052, section 2.2)", p)
	case p.Bits() == 96 && a[8] != 0:
		return fmt.Errorf("%v is not a NAT64 prefix: bits 64 to 71 must be zero (RFC 6052, section 2.2)", p)
	case p != nat64Known && (p.Overlaps(nat64Known) || p.Overlaps(compatible) || p.Overlaps(siit) || p.Overlaps(sixToFour) || p.Overlaps(teredo)):
		return fmt.Errorf("%v overlaps a prefix that holds IPv4 addresses in another form (64:ff9b::/96, ::/96, ::ffff:0:0:0/96, 6to4 or Teredo)", p)
	case p.Overlaps(netip.MustParsePrefix("fe80::/10")) || p.Overlaps(netip.MustParsePrefix("ff00::/8")):
		return fmt.Errorf("%v contains link-local or multicast addresses", p)
	}
	return nil
}

// inside returns the IPv4 addresses that an IPv6 address stands for, by the prefixes
// of the site and by the well-known prefixes. The first address is zero if there is
// none. A Teredo address has two: of its server and of its client.
func inside(addr netip.Addr, site []netip.Prefix) (v4, second netip.Addr) {
	if !addr.Is6() || addr.Is4In6() {
		return v4, second
	}
	a := addr.As16()
	last := netip.AddrFrom4([4]byte(a[12:]))
	for _, p := range site {
		if p.Contains(addr) {
			return nat64Inside(a, p.Bits()), second
		}
	}
	switch {
	case nat64Known.Contains(addr), nat64Local.Contains(addr), siit.Contains(addr):
		return last, second
	case compatible.Contains(addr) && (a[12] != 0 || a[13] != 0): // otherwise the address is ::1 or a neighbour of it
		return last, second
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(a[2:6])), second
	case teredo.Contains(addr):
		return netip.AddrFrom4([4]byte(a[4:8])), netip.AddrFrom4([4]byte{^a[12], ^a[13], ^a[14], ^a[15]})
	}
	return v4, second
}

// nat64Inside returns the IPv4 address inside an address with a NAT64 prefix of some
// length. The IPv4 address follows the prefix and skips the octet of bits 64 to 71
// (RFC 6052, section 2.2). If that octet or the octets after the IPv4 address are not
// zero, the meaning of the address is undefined, and nat64Inside returns 0.0.0.0,
// which is special.
func nat64Inside(a [16]byte, bits int) netip.Addr {
	var v4 [4]byte
	at := bits / 8
	for i := range v4 {
		if at == 8 {
			at++
		}
		v4[i] = a[at]
		at++
	}
	if bits < 96 && a[8] != 0 {
		return netip.IPv4Unspecified()
	}
	for _, b := range a[min(max(at, 9), 16):] {
		if b != 0 {
			return netip.IPv4Unspecified()
		}
	}
	return netip.AddrFrom4(v4)
}

// Translated reports whether addr has one of these NAT64 prefixes.
func Translated(addr netip.Addr, nat64 []netip.Prefix) bool { return anyContains(nat64, addr) }

// reachInside reports whether an address that stands for an IPv4 address may be
// reached. An IPv4 address that is not public is never reached this way, whatever is
// listed: the translator stands elsewhere in the network, and a connection through it
// would bypass this gateway's protection. known reports whether the address has a
// NAT64 prefix of the site.
func (p *Policy) reachInside(dest netip.AddrPort) (why Reason, known bool) {
	v4, second := inside(dest.Addr(), p.nat64)
	if !v4.IsValid() {
		return ReasonNone, false
	}
	for _, a := range [...]netip.Addr{v4, second} {
		switch {
		case !a.IsValid():
		case Special(a):
			return PrivateAddress, false
		case p.own.Host(a) || dest.Port() != 0 && p.leadsBack(netip.AddrPortFrom(a, dest.Port())):
			return Self, false
		}
	}
	return ReasonNone, anyContains(p.nat64, dest.Addr())
}
