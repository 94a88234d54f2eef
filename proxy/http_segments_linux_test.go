// The number of segments that a connection received, for tests that count them.

package proxy

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func segments(t *testing.T, conn *net.TCPConn) (n uint32) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Data_segs_in
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
