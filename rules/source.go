// Source: the address of a client, and the key of its quotas.

package rules

import "net/netip"

// SourceOf returns one address that stands for all addresses that one host can choose
// from: for IPv6 the /64, for loopback 127.0.0.0. Any other address stands for itself.
// So a host cannot multiply its quota by using many addresses.
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

// A QuotaKey identifies the owner of a quota: one source, together with one client of
// the configuration. Two clients may have addresses in one /64 or on loopback. Neither
// of them uses the quota of the other. An unknown client there uses the quota of
// neither.
type QuotaKey struct {
	Source netip.Addr // SourceOf
	Client string     // "": unknown client
}

// QuotaKeyOf returns the key for an address of c. A nil c is an unknown client.
func QuotaKeyOf(addr netip.Addr, c *Client) QuotaKey {
	p := QuotaKey{Source: SourceOf(addr)}
	if c != nil {
		p.Client = c.Name
	}
	return p
}

// ClientAddr returns the address of a client as the policy compares it: unmapped, and
// without a zone, because a configuration has no zones.
func ClientAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
