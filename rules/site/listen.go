// Listen: which listeners of one port can be beside each other, and which of
// them another one is already.

package site

import (
	"net/netip"
	"slices"
)

// Streams lists the addresses of every listener for TCP.
func (l Listen) Streams() []netip.AddrPort {
	out := slices.Concat(l.HTTP, l.SOCKS5, l.DNS, l.Transparent)
	if admin, err := netip.ParseAddrPort(l.Admin); err == nil {
		out = append(out, admin)
	}
	return out
}

// OnlyIPv6 tells whether a listener on [::] is to leave IPv4 alone, because
// 0.0.0.0 has the same port. Elsewhere [::] is every address of both.
func OnlyIPv6(wildcard netip.AddrPort, all []netip.AddrPort) bool {
	return wildcard.Addr() == netip.IPv6Unspecified() && slices.Contains(all, netip.AddrPortFrom(netip.IPv4Unspecified(), wildcard.Port()))
}

// Spans tells whether a listener on a wildcard address takes what is sent to
// the address of another one of the same port, in a configuration that has all:
// 0.0.0.0 every address of IPv4, [::] every address of IPv6, and of IPv4 as well
// unless it is OnlyIPv6. The two wildcards never span each other.
func Spans(wildcard, a netip.AddrPort, all []netip.AddrPort) bool {
	if !wildcard.Addr().IsUnspecified() || a.Addr().IsUnspecified() || wildcard.Port() != a.Port() || a.Port() == 0 {
		return false
	}
	if wildcard.Addr().Is6() && a.Addr().Is4() {
		return !OnlyIPv6(wildcard, all)
	}
	return wildcard.Addr().Is4() == a.Addr().Is4()
}

// Spanned tells whether one of all takes what is sent to a.
func Spanned(a netip.AddrPort, all []netip.AddrPort) bool {
	return slices.ContainsFunc(all, func(w netip.AddrPort) bool { return Spans(w, a, all) })
}
