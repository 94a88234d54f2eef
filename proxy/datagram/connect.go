// Connect: the socket of a flow, to an address that its decision reaches.

package datagram

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// connect connects a socket of this host. It sends nothing. A broadcast address is an error (EACCES):
// it would reach every host of a network, this one too, and each of them was not asked about.
func connect(ctx context.Context, to netip.AddrPort) (*net.UDPConn, error) {
	d := net.Dialer{Control: noBroadcast}
	conn, err := d.DialContext(ctx, "udp", to.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// noBroadcast clears the option that package net sets on every socket for datagrams.
func noBroadcast(_, _ string, raw syscall.RawConn) error {
	var set error
	err := raw.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 0)
	})
	return errors.Join(err, set)
}

func remote(conn *net.UDPConn) netip.AddrPort {
	a, ok := conn.RemoteAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
}
