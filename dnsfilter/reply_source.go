// Reply source: a reply from a socket on a wildcard address leaves from the address that was asked.
// A client drops a reply from another address of this host.

package dnsfilter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A control is the control message with the local address of a datagram: IP_PKTINFO (ip(7)) or
// IPV6_PKTINFO (ipv6(7), RFC 3542, section 6.1). The kernel writes it beside a datagram that was
// read, and reads it beside a reply.
type control struct {
	header unix.Cmsghdr
	info   [unix.SizeofInet6Pktinfo]byte // or Inet4Pktinfo, which is shorter
}

const controlSize = int(unsafe.Sizeof(control{}))

// reportLocal makes the kernel write a control beside each datagram, if the socket is on a wildcard
// address. Then it returns controlSize, else 0: all replies of other sockets have the same source.
func reportLocal(conn net.PacketConn, raw syscall.RawConn) (int, error) {
	at, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return 0, nil
	}
	level, option := unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO // also for IPv4, on a socket of both families
	if at.AddrPort().Addr().Is4() {
		level, option = unix.IPPROTO_IP, unix.IP_PKTINFO
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), level, option, 1)
		if level == unix.IPPROTO_IPV6 {
			// A route of type local can give the host a whole prefix. Without this option the kernel
			// refuses such an address as a source. Before Linux 4.15 there is no such option.
			_ = unix.SetsockoptInt(int(fd), level, unix.IPV6_FREEBIND, 1)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("dns: the kernel does not report which address of %v is asked: %w", at, err)
	}
	return controlSize, nil
}

// reply changes the first n octets, which the kernel wrote beside a datagram, into what the reply
// needs. It returns their number; 0: the kernel chooses the source. The reply is bound to an
// interface only if the source is a link-local address of IPv6, which does not say which interface
// has it. Other replies go where the routes lead.
func (c *control) reply(n int) int {
	switch {
	case n >= unix.SizeofCmsghdr+unix.SizeofInet4Pktinfo && c.header.Level == unix.IPPROTO_IP && c.header.Type == unix.IP_PKTINFO:
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&c.info))
		info.Ifindex = 0
		if info.Spec_dst == [4]byte{} { // the datagram waited before the socket reported addresses
			info.Spec_dst = info.Addr
		}
		if netip.AddrFrom4(info.Spec_dst).IsMulticast() {
			return 0
		}
	case n >= unix.SizeofCmsghdr+unix.SizeofInet6Pktinfo && c.header.Level == unix.IPPROTO_IPV6 && c.header.Type == unix.IPV6_PKTINFO:
		info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&c.info))
		addr := netip.AddrFrom16(info.Addr)
		if addr.IsMulticast() {
			return 0
		}
		if !addr.IsLinkLocalUnicast() || addr.Is4In6() {
			info.Ifindex = 0
		}
	default:
		return 0
	}
	return n
}
