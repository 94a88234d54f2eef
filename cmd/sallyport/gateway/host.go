// Host: the addresses of this host's interfaces.

package gateway

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// hostFresh is how long the addresses of this host are not listed again.
const hostFresh = 100 * time.Millisecond

// hostAddresses answers which addresses this host has, many times a second.
type hostAddresses struct {
	list func() ([]net.Addr, error)
	now  func() time.Time
	last atomic.Pointer[hostList]
}

// A hostList holds the addresses of this host at one moment.
type hostList struct {
	at    time.Time
	addrs []net.Addr
}

// has reports whether this host has an address now, or had it less than hostFresh ago. Like localIn,
// it returns true if the addresses cannot be listed.
func (h *hostAddresses) has(addr netip.Addr) bool {
	last, now := h.last.Load(), h.now()
	if last == nil || now.Sub(last.at) >= hostFresh || now.Before(last.at) {
		addrs, err := h.list()
		if err != nil {
			return true
		}
		last = &hostList{now, addrs}
		h.last.Store(last)
	}
	return hasAddr(last.addrs, addr)
}

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
	return err != nil || hasAddr(addrs, addr)
}

func hasAddr(addrs []net.Addr, addr netip.Addr) bool {
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
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
