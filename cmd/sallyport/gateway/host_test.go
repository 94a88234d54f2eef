package gateway

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// If the addresses of a host cannot be listed, every address counts as local.
func TestLocalIn(t *testing.T) {
	mine := func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.ParseIP("192.0.2.1")}, &net.IPNet{IP: net.ParseIP("2001:db8::1")}}, nil
	}
	unlisted := func() ([]net.Addr, error) { return nil, errors.New("too many open files") }
	for addr, want := range map[string]bool{"192.0.2.1": true, "2001:db8::1": true, "192.0.2.2": false} {
		if a := netip.MustParseAddr(addr); localIn(mine, a) != want || !localIn(unlisted, a) {
			t.Errorf("%s: %t, without a list %t", addr, localIn(mine, a), localIn(unlisted, a))
		}
	}
}
