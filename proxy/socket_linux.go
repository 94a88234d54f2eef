// Socket: kernel settings that package net does not offer.

package proxy

import (
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
