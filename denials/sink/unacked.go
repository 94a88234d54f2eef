// Unacked: asks the kernel what the other side of a connection has not acknowledged yet.

package sink

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unacknowledged returns how many octets wait in the send queue of a socket. ok is false if the
// kernel does not say.
func unacknowledged(c net.Conn) (octets int, ok bool) {
	s, isSocket := c.(syscall.Conn)
	if !isSocket {
		return 0, false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, false
	}
	var inner error
	err = raw.Control(func(fd uintptr) { octets, inner = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return octets, err == nil && inner == nil
}
