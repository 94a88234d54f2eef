// Original destination: where a connection was headed before the packet filter brought it here.

package proxy

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// soOriginalDst is SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and also IP6T_SO_ORIGINAL_DST:
// the level distinguishes the families.
const soOriginalDst = 80

// originalDst asks the kernel's connection tracking where a connection was headed. For a
// connection that was not redirected, it returns the socket's own address, or an error if the
// kernel tracks nothing.
func originalDst(conn *net.TCPConn) (dst netip.AddrPort, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return dst, err
	}
	ask := originalDst6
	// An IPv4 client of a dual-stack listener is tracked as IPv4.
	if unmapped(conn.LocalAddr()).Addr().Is4() {
		ask = originalDst4
	}
	cerr := raw.Control(func(fd uintptr) { dst, err = ask(int(fd)) })
	if cerr != nil {
		return dst, cerr
	}
	if err != nil {
		return dst, fmt.Errorf("SO_ORIGINAL_DST: %w", err)
	}
	return dst, nil
}

// localDst returns the address that the client connected to, if TPROXY delivered the connection.
func localDst(conn *net.TCPConn) netip.AddrPort { return unmapped(conn.LocalAddr()) }

// originalDst4 reads a sockaddr_in of 16 bytes. It uses the only call of x/sys that returns all
// bytes that it gets.
func originalDst4(fd int) (netip.AddrPort, error) {
	got, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	b := got.Multiaddr // family, port, address
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}

// originalDst6 reads a sockaddr_in6, with which an IPv6MTUInfo begins.
func originalDst6(fd int) (netip.AddrPort, error) {
	got, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	// The port is in network byte order in memory, on every machine.
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], got.Addr.Port)
	return netip.AddrPortFrom(netip.AddrFrom16(got.Addr.Addr).Unmap(), binary.BigEndian.Uint16(port[:])), nil
}
