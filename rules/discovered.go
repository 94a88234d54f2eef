// Discovered NAT64 prefixes: the AAAA records of ipv4only.arpa show the prefixes of the
// translators that a DNS64 uses (RFC 7050).

package rules

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// DiscoverNAT64 is the entry of [resolve] nat64 that turns on discovery.
const DiscoverNAT64 = "discover"

// IPv4OnlyName is the name that a discovery looks up (RFC 7050, section 8.2).
const IPv4OnlyName = "ipv4only.arpa"

// mostDiscovered bounds the number of prefixes of one answer.
const mostDiscovered = 8

// ipv4Only reports whether a is one of the two IPv4 addresses of the name (RFC 7050,
// section 2.2).
func ipv4Only(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{192, 0, 0, 170}) || a == netip.AddrFrom4([4]byte{192, 0, 0, 171})
}

// DiscoveredNAT64 returns the NAT64 prefixes of the AAAA records of ipv4only.arpa. Each
// record contains one of the two IPv4 addresses, at one of the places of RFC 6052,
// section 2.2 (RFC 7050, section 3). If a record has such an address at none of these
// places, or at several of them, it has no usable prefix. Prefixes among private or
// otherwise special addresses are refused: a permitted name may resolve into a NAT64
// prefix, so such a prefix would remove the protection of these addresses. Only the
// site itself can list such a prefix.
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

// nat64Prefix returns the only prefix with which addr stands for an IPv4 address of
// ipv4only.arpa.
func nat64Prefix(addr netip.Addr) (prefix netip.Prefix, ok bool) {
	if !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
		return prefix, false
	}
	for _, bits := range nat64Lengths() {
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

// checkDiscovered returns why a discovered prefix is refused.
func checkDiscovered(p netip.Prefix) error {
	if err := CheckNAT64(p); err != nil {
		return err
	}
	as112 := netip.MustParsePrefix("2620:4f:8000::/48") // RFC 7534: the only special range that is longer than the shortest NAT64 prefix
	if p != nat64Known && !Covers(nat64Local, p) && (Special(p.Addr()) || p.Overlaps(as112)) {
		return fmt.Errorf("%v is among private or otherwise special addresses", p)
	}
	return nil
}
