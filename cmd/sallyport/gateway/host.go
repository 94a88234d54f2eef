// Host: the addresses of this host's interfaces.

package gateway

import (
	"net"
	"net/netip"
	"slices"
)

// IsLocal tells whether an address is one of this host's now.
func IsLocal(addr netip.Addr) bool { return localIn(net.InterfaceAddrs, addr) }

// HostAddresses lists the addresses of this host's interfaces; nil: nobody can
// say.
func HostAddresses() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, ip.Unmap())
			}
		}
	}
	return out
}

// localIn tells whether list has an address. Where nobody can say, as for want
// of a descriptor, it may be: what is our own is never a destination.
func localIn(list func() ([]net.Addr, error), addr netip.Addr) bool {
	addrs, err := list()
	return err != nil || slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		if !ok {
			return false
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		return ok && ip.Unmap() == addr
	})
}
