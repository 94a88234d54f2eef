// Tests of the socket of a flow.

package datagram

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
)

// A datagram to a broadcast address would reach every host of a network, among them a listener of this
// host and a receiver that no client may reach. 127.255.255.255 is the broadcast address of lo.
func TestNoBroadcast(t *testing.T) {
	for _, to := range []string{"127.255.255.255:514", "255.255.255.255:514"} {
		conn, err := connect(context.Background(), netip.MustParseAddrPort(to))
		if conn != nil {
			conn.Close()
		}
		if !errors.Is(err, syscall.EACCES) {
			t.Errorf("%s: %v, want EACCES", to, err)
		}
	}
	conn, err := connect(context.Background(), netip.MustParseAddrPort("127.0.0.1:514"))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
