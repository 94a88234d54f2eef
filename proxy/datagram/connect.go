// Connect: the socket of a flow, to an address that its decision reaches.

package datagram

import (
	"context"
	"net"
	"net/netip"
)

// connect connects a socket of this host. It sends nothing.
func connect(ctx context.Context, to netip.AddrPort) (*net.UDPConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", to.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

func remote(conn *net.UDPConn) netip.AddrPort {
	a, ok := conn.RemoteAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
}
