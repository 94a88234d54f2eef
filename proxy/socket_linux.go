// Socket: kernel settings that package net does not offer.

package proxy

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inheritedKeepAlive sets on a listener the keep-alive settings that its connections inherit.
func inheritedKeepAlive(_, _ string, raw syscall.RawConn) error {
	var err error
	set := func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		if err == nil {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60)
		}
	}
	if cerr := raw.Control(set); cerr != nil {
		return cerr
	}
	return err
}

// inheritedTPROXY sets on a listener what its connections inherit: the keep-alive settings, and that
// they may have a local address that this host does not have. Either of IP_TRANSPARENT and
// IPV6_TRANSPARENT covers both families.
func inheritedTPROXY(network, address string, raw syscall.RawConn) error {
	if err := inheritedKeepAlive(network, address, raw); err != nil {
		return err
	}
	level, option := unix.SOL_IP, unix.IP_TRANSPARENT
	if strings.HasSuffix(network, "6") {
		level, option = unix.SOL_IPV6, unix.IPV6_TRANSPARENT
	}
	var err error
	if cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) }); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("setsockopt IP_TRANSPARENT", err)
}
