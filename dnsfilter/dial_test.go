// Dialing of upstreams.

package dnsfilter

import (
	"net"
	"testing"
)

// TestDialLiteral asserts that upstreams are dialed with plain TCP, whatever
// the environment sets, and only by address.
func TestDialLiteral(t *testing.T) {
	t.Setenv("GODEBUG", "multipathtcp=1")
	l, err := net.Listen("tcp", "127.0.0.1:0") // this listener uses MPTCP
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dialLiteral(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if mp, err := c.(*net.TCPConn).MultipathTCP(); mp || err != nil {
		t.Errorf("MPTCP: %v %v", mp, err)
	}
	if c, err := dialLiteral(t.Context(), "tcp", "localhost:53"); err == nil {
		c.Close()
		t.Error("a name was resolved")
	}
}
