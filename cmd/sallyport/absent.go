// Absent: says which listeners have an address that this host does not have. Its
// own attempt to listen there fails; systemd, which holds sockets from before the
// network comes up, listens all the same.

package main

import (
	"log/slog"
	"net"
	"net/netip"
)

// warnOfAbsent warns of each, as it may be late, or mistyped.
func warnOfAbsent(log *slog.Logger, listeners []boundListener, local func(netip.Addr) bool) {
	for _, l := range listeners {
		a, ok := l.addr.(*net.TCPAddr)
		if !ok {
			continue
		}
		ip := a.AddrPort().Addr().Unmap().WithZone("")
		if !ip.IsUnspecified() && !ip.IsLoopback() && !local(ip) {
			log.Warn("this host does not have a listener's address, so nobody reaches it until it has", "listener", l.name, "address", l.addr.String(),
				"cure", "wait for the interface, or correct [listen] "+l.name)
		}
	}
}
