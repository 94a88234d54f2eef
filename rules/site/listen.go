// Listen: which listeners can use the same port, and which of them another one already
// covers.

package site

import (
	"net/netip"
	"slices"
)

// Streams returns the addresses of every TCP listener.
func (l Listen) Streams() []netip.AddrPort {
	out := slices.Concat(l.HTTP, l.HTTPS, l.SOCKS5, l.DNS, l.Transparent, l.TPROXY)
	if admin, err := netip.ParseAddrPort(l.Admin); err == nil {
		out = append(out, admin)
	}
	return out
}

// Redirected reports whether a packet filter brings connections here, from clients that know of no
// proxy.
func (l Listen) Redirected() bool { return len(l.Transparent)+len(l.TPROXY) > 0 }

// OnlyIPv6 reports whether a listener on [::] must not accept IPv4, because another
// listener on 0.0.0.0 has the same port. Otherwise [::] accepts both families.
func OnlyIPv6(wildcard netip.AddrPort, all []netip.AddrPort) bool {
	return wildcard.Addr() == netip.IPv6Unspecified() && slices.Contains(all, netip.AddrPortFrom(netip.IPv4Unspecified(), wildcard.Port()))
}

// Spans reports whether a listener on a wildcard address also accepts connections to a, an
// address with the same port. all has every listener of the configuration. 0.0.0.0 spans
// every IPv4 address. [::] spans every IPv6 address, and every IPv4 address unless
// OnlyIPv6 is true for it. The two wildcards never span each other.
func Spans(wildcard, a netip.AddrPort, all []netip.AddrPort) bool {
	if !wildcard.Addr().IsUnspecified() || a.Addr().IsUnspecified() || wildcard.Port() != a.Port() || a.Port() == 0 {
		return false
	}
	if wildcard.Addr().Is6() && a.Addr().Is4() {
		return !OnlyIPv6(wildcard, all)
	}
	return wildcard.Addr().Is4() == a.Addr().Is4()
}

// Spanned reports whether a listener of all spans a.
func Spanned(a netip.AddrPort, all []netip.AddrPort) bool {
	return slices.ContainsFunc(all, func(w netip.AddrPort) bool { return Spans(w, a, all) })
}
