// Absent: finds listeners on addresses that this host does not have. sallyport
// itself cannot listen on such an address, but systemd can: it opens its sockets
// before the network is up.

package gateway

import (
	"log/slog"
	"net"
	"net/netip"
)

// warnOfAbsent warns about each such address: the interface may come up late, or
// the address is mistyped.
func warnOfAbsent(log *slog.Logger, listeners []boundListener, local func(netip.Addr) bool) {
	for _, l := range listeners {
		a, ok := l.addr.(*net.TCPAddr)
		if !ok {
			continue
		}
		ip := a.AddrPort().Addr().Unmap().WithZone("")
		if !ip.IsUnspecified() && !ip.IsLoopback() && !local(ip) {
			log.Warn("this host does not have the address of a listener, so no client can reach the listener", "listener", l.name, "address", l.addr.String(),
				"cure", "wait for the interface, or correct [listen] "+l.name)
		}
	}
}
