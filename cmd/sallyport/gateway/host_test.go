package gateway

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// Whose addresses cannot be listed is taken to have each of them.
func TestLocalIn(t *testing.T) {
	mine := func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.ParseIP("192.0.2.1")}, &net.IPNet{IP: net.ParseIP("2001:db8::1")}}, nil
	}
	nobody := func() ([]net.Addr, error) { return nil, errors.New("too many open files") }
	for addr, want := range map[string]bool{"192.0.2.1": true, "2001:db8::1": true, "192.0.2.2": false} {
		if a := netip.MustParseAddr(addr); localIn(mine, a) != want || !localIn(nobody, a) {
			t.Errorf("%s: %t, and where nobody can say %t", addr, localIn(mine, a), localIn(nobody, a))
		}
	}
}
