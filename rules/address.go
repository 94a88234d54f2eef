// Special addresses: addresses that a permitted public name must not resolve to.

package rules

import "net/netip"

// Special reports whether addr is not an ordinary, globally reachable unicast
// address. The IANA special-purpose address registries (RFC 6890 and its successors)
// define these: this network, private, shared (CGNAT), loopback, link-local,
// documentation, benchmarking, multicast and reserved ranges. In IPv6 every form that
// contains or could contain an IPv4 address is special too (mapped, compatible,
// NAT64, 6to4, Teredo, ISATAP). So are invalid addresses and addresses with a zone.
func Special(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return true
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return special4(addr.As4())
	}
	return special6(addr.As16())
}

func special4(a [4]byte) bool {
	switch a[0] {
	case 0, 10, 127: // this network (RFC 791), private (RFC 1918), loopback (RFC 1122)
		return true
	case 100: // shared address space, 100.64.0.0/10 (RFC 6598)
		return a[1]&0xc0 == 64
	case 168: // 168.63.129.16: the Azure host of a virtual machine; it serves the configuration of that machine
		return a[1] == 63 && a[2] == 129 && a[3] == 16
	case 169: // link-local, 169.254.0.0/16 (RFC 3927), cloud metadata within
		return a[1] == 254
	case 172: // private, 172.16.0.0/12
		return a[1]&0xf0 == 16
	case 192:
		switch {
		case a[1] == 168: // private, 192.168.0.0/16
			return true
		case a[1] == 0 && (a[2] == 0 || a[2] == 2): // IETF protocols, TEST-NET-1 (RFC 6890, RFC 5737)
			return true
		case a[1] == 88 && a[2] == 99: // 6to4 relay anycast (RFC 7526)
			return true
		case a[1] == 31 && a[2] == 196, a[1] == 52 && a[2] == 193, a[1] == 175 && a[2] == 48: // AS112, AMT (RFC 7535, 7450, 7534)
			return true
		}
	case 198: // benchmarking, 198.18.0.0/15 (RFC 2544), TEST-NET-2
		return a[1]&0xfe == 18 || a[1] == 51 && a[2] == 100
	case 203: // TEST-NET-3
		return a[1] == 0 && a[2] == 113
	}
	return a[0] >= 224 // multicast (RFC 5771), reserved (RFC 1112), broadcast
}

func special6(a [16]byte) bool {
	if a[0]&0xe0 != 0x20 {
		// Only 2000::/3 is global unicast (RFC 4291): outside of it lie loopback,
		// unspecified, IPv4-compatible, NAT64 64:ff9b::/96 and 64:ff9b:1::/48,
		// discard 100::/64, SRv6 5f00::/16, unique local fc00::/7, link-local,
		// site-local and multicast.
		return true
	}
	switch {
	case a[0] == 0x20 && a[1] == 0x01 && a[2] < 0x02: // IETF protocols 2001::/23: Teredo, ORCHID, benchmarking (RFC 2928)
		return true
	case a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8: // documentation (RFC 3849)
		return true
	case a[0] == 0x20 && a[1] == 0x02: // 6to4 (RFC 3056)
		return true
	case a[0] == 0x26 && a[1] == 0x20 && a[2] == 0x00 && a[3] == 0x4f && a[4] == 0x80 && a[5] == 0x00: // AS112, 2620:4f:8000::/48 (RFC 7534)
		return true
	case a[0] == 0x3f && a[1] == 0xff && a[2]&0xf0 == 0: // documentation, 3fff::/20 (RFC 9637)
		return true
	}
	// ISATAP interface identifiers wrap an IPv4 address under any prefix (RFC 5214).
	return (a[8]&^0x02) == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe
}

// SpecialPrefix reports whether all addresses of a prefix are special. It checks only
// the first address and the length. No special range that matters has a prefix shorter
// than the variable shortest.
func SpecialPrefix(p netip.Prefix) bool {
	shortest := 7 // fc00::/7
	if p.Addr().Is4() {
		shortest = 8 // 10.0.0.0/8
	}
	return p.Bits() >= shortest && Special(p.Addr())
}

// Covers reports whether every address of b is in a.
func Covers(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Contains(b.Addr()) }
