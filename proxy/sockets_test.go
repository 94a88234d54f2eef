// Helpers about sockets and the process's descriptors.

package proxy

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// Limits of records (RFC 8446, section 5.1).
const (
	recordHeader = 5
	maxRecord    = 16 << 10
)

func wantReset(t testing.TB, c *net.TCPConn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("peer saw %v, want a reset", err)
	}
}
