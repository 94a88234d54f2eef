// Source: how a client is known, and what counts as one where clients share
// something.

package rules

import "net/netip"

// SourceOf returns what stands for every address that one host may use as it
// likes, and so multiply its share by: of IPv6 the /64 that it is in, of
// loopback all of it. Any other address stands for itself.
func SourceOf(addr netip.Addr) netip.Addr {
	switch {
	case addr.Is4() && addr.IsLoopback():
		return netip.AddrFrom4([4]byte{127})
	case addr.Is6():
		p, _ := addr.WithZone("").Prefix(64) // cannot fail
		return p.Addr()
	}
	return addr
}

// ClientAddr returns how the policy knows a client: unmapped, and without a zone,
// which no configuration can know.
func ClientAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
