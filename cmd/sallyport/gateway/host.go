// Host: the addresses of this host's interfaces.

package gateway

import (
	"net"
	"net/netip"
	"slices"
)

// IsLocal reports whether this host has an address now.
func IsLocal(addr netip.Addr) bool { return localIn(net.InterfaceAddrs, addr) }

// HostAddresses returns the addresses of this host's interfaces; nil if they
// cannot be listed.
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

// localIn reports whether list has an address. If the list cannot be read, for
// example because no descriptor is free, localIn returns true: an address of our
// own must never be a destination.
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

// onlyThisHost reports whether no other host can reach the listeners for clients. Redirected
// connections come to a listener on any address.
func onlyThisHost(listeners []boundListener) bool {
	return !slices.ContainsFunc(listeners, func(l boundListener) bool {
		a, ok := l.addr.(*net.TCPAddr)
		return !ok || l.name == "transparent" || l.name == "tproxy" || !a.IP.IsLoopback()
	})
}
