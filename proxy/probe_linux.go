// Probe: reads ICMP errors about a connection from the socket's error queue.

package proxy

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Probing connects as a Proxy does by default. It is for Config.Connect. Its errors are
// *ConnectError.
func Probing(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	twin := -1 // a second descriptor, readable after package net has closed the first
	conn, err := connect(ctx, addr, func(raw syscall.RawConn) error {
		if twin >= 0 { // package net tries again after some errors, with another socket
			unix.Close(twin)
			twin = -1
		}
		var derr error
		if err := raw.Control(func(fd uintptr) { twin, derr = watched(int(fd), addr.Addr()) }); err != nil {
			return err
		}
		return derr
	})
	if twin >= 0 {
		defer unix.Close(twin)
	}
	if err != nil {
		e := &ConnectError{Err: err}
		if twin >= 0 {
			e.Local = localOf(twin)
			e.read(twin)
		}
		return nil, e
	}
	return conn, nil
}

// watched makes the kernel keep ICMP errors about a socket, and returns a second descriptor of
// the socket.
func watched(fd int, dest netip.Addr) (int, error) {
	level, option := unix.SOL_IP, unix.IP_RECVERR
	if dest.Is6() {
		level, option = unix.SOL_IPV6, unix.IPV6_RECVERR
	}
	if err := unix.SetsockoptInt(fd, level, option, 1); err != nil {
		return -1, err
	}
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}

// localOf returns the socket's local address, or the zero Addr if it has none.
func localOf(fd int) netip.Addr {
	var local netip.Addr
	switch sa, _ := unix.Getsockname(fd); sa := sa.(type) {
	case *unix.SockaddrInet4:
		local = netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		local = netip.AddrFrom16(sa.Addr).Unmap()
	}
	if !local.IsValid() || local.IsUnspecified() {
		return netip.Addr{}
	}
	return local
}

// read takes the first ICMP error off the queue, if there is one. Kernels before 5.8 queue none
// for TCP.
func (e *ConnectError) read(fd int) {
	oob := make([]byte, 512)
	_, n, _, _, err := unix.Recvmsg(fd, nil, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if v4 || v6 {
			e.parse(m.Data)
		}
	}
}

// parse reads a struct sock_extended_err and the address of the ICMP error's sender after it;
// see ip(7).
func (e *ConnectError) parse(b []byte) {
	const size = 16
	if len(b) < size+4 {
		return
	}
	origin, kind, code := b[4], b[5], b[6]
	offender := b[size:]
	switch family := binary.NativeEndian.Uint16(offender); {
	case origin == unix.SO_EE_ORIGIN_ICMP && family == unix.AF_INET && len(offender) >= 8:
		e.By, _ = netip.AddrFromSlice(offender[4:8])
		e.ICMP, e.Deny = icmp4(kind, code)
	case origin == unix.SO_EE_ORIGIN_ICMP6 && family == unix.AF_INET6 && len(offender) >= 24:
		e.By, _ = netip.AddrFromSlice(offender[8:24])
		e.ICMP, e.Deny = icmp6(kind, code)
	}
}

// icmp4 describes an ICMP error, and reports whether a filter sent it to deny the connection (RFC
// 792, RFC 1812). Most filters deny with "port unreachable" by default. A host that itself refuses
// TCP sends a reset.
func icmp4(kind, code uint8) (text string, deny bool) {
	if kind == 11 {
		return "time exceeded in transit: packets run in a circle", false
	}
	if kind == 3 {
		switch code {
		case 0:
			return "network unreachable", false
		case 1:
			return "host unreachable", false
		case 2:
			return "protocol unreachable", true
		case 3:
			return "port unreachable", true
		case 9:
			return "network administratively prohibited", true
		case 10:
			return "host administratively prohibited", true
		case 13:
			return "administratively prohibited", true
		}
	}
	return fmt.Sprintf("type %d, code %d", kind, code), false
}

// icmp6 is icmp4 for ICMPv6 (RFC 4443).
func icmp6(kind, code uint8) (text string, deny bool) {
	if kind == 3 {
		return "time exceeded in transit: packets run in a circle", false
	}
	if kind == 1 {
		switch code {
		case 0:
			return "no route to destination", false
		case 1:
			return "administratively prohibited", true
		case 3:
			return "address unreachable", false
		case 4:
			return "port unreachable", true
		case 5:
			return "source address failed a filter", true
		case 6:
			return "the route rejects it", true
		}
	}
	return fmt.Sprintf("type %d, code %d", kind, code), false
}
