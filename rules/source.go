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

// A Party is what a share or a budget is for: a source, as what client of the
// configuration. Two clients may have addresses in one /64, or on loopback; neither
// spends what is the other's, nor does who is in no [[client]].
type Party struct {
	Source netip.Addr // SourceOf
	Client string     // "": in no [[client]]
}

// PartyOf returns the party at an address that belongs to c; nil: to no client.
func PartyOf(addr netip.Addr, c *Client) Party {
	p := Party{Source: SourceOf(addr)}
	if c != nil {
		p.Client = c.Name
	}
	return p
}

// ClientAddr returns how the policy knows a client: unmapped, and without a zone,
// which no configuration can know.
func ClientAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
