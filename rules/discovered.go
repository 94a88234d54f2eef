// Discovered NAT64 prefixes: what the AAAA records of ipv4only.arpa tell of the
// translators that a DNS64 knows (RFC 7050).

package rules

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// DiscoverNAT64 is the entry of [resolve] nat64 that has the prefixes discovered.
const DiscoverNAT64 = "discover"

// IPv4OnlyName is the name that a discovery asks about (RFC 7050, section 8.2).
const IPv4OnlyName = "ipv4only.arpa"

// mostDiscovered bounds the prefixes that one answer may bring.
const mostDiscovered = 8

// ipv4Only tells of the addresses that the name has in IPv4 (RFC 7050, section 2.2).
func ipv4Only(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{192, 0, 0, 170}) || a == netip.AddrFrom4([4]byte{192, 0, 0, 171})
}

// DiscoveredNAT64 returns the prefixes that the addresses of ipv4only.arpa were made
// with: one of the two IPv4 addresses stands in each, at one of the places of RFC
// 6052, section 2.2 (RFC 7050, section 3). An address that has one at no place, or at
// several, tells nothing. Refused are prefixes that only a site's own word makes a
// translator's: a name may resolve to what is below a prefix, so one among
// private or otherwise special addresses would take their protection away.
func DiscoveredNAT64(addrs []netip.Addr) (found []netip.Prefix, refused []error) {
	for _, addr := range addrs {
		p, ok := nat64Prefix(addr)
		if !ok || slices.Contains(found, p) {
			continue
		}
		if err := checkDiscovered(p); err != nil {
			refused = append(refused, err)
		} else if len(found) < mostDiscovered {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return found, refused
}

// nat64Prefix returns the one prefix under which addr stands for an address of
// ipv4only.arpa.
func nat64Prefix(addr netip.Addr) (prefix netip.Prefix, ok bool) {
	if !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
		return prefix, false
	}
	for _, bits := range nat64Lengths {
		if !ipv4Only(nat64Inside(addr.As16(), bits)) {
			continue
		}
		if ok {
			return netip.Prefix{}, false
		}
		prefix, ok = netip.PrefixFrom(addr, bits).Masked(), true
	}
	return prefix, ok
}

// checkDiscovered tells why a prefix is not taken from a discovery.
func checkDiscovered(p netip.Prefix) error {
	if err := CheckNAT64(p); err != nil {
		return err
	}
	as112 := netip.MustParsePrefix("2620:4f:8000::/48") // RFC 7534: the one special range that is longer than the shortest prefix
	if p != nat64Known && !Covers(nat64Local, p) && (Special(p.Addr()) || p.Overlaps(as112)) {
		return fmt.Errorf("%v is among private or otherwise special addresses", p)
	}
	return nil
}
