// Listen: an address is what it says.

package main

import (
	"net"
	"net/netip"
	"testing"

	"sallyport/rules"
)

// 0.0.0.0 is every address of IPv4. A listener on it that takes IPv6 too is
// one that its owner did not ask for.
func TestUnspecifiedIPv4IsNotIPv6(t *testing.T) {
	every := []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}
	s, err := openSockets(t.Context(), rules.Listen{HTTP: every, SOCKS5: every, DNS: every, Transparent: every}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if len(s.listeners()) != 4 {
		t.Fatalf("%d listeners", len(s.listeners()))
	}
	for _, l := range s.listeners() {
		if ip := l.addr.(*net.TCPAddr).IP; ip.To4() == nil {
			t.Errorf("%s listens on %v", l.name, l.addr)
		}
	}
	for _, p := range s.dnsUDP {
		if ip := p.LocalAddr().(*net.UDPAddr).IP; ip.To4() == nil {
			t.Errorf("dns listens on %v", p.LocalAddr())
		}
	}
}
