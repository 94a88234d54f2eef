//go:build linux

// Tests of the routes that lead back to this host.

package nftables

import (
	"net/netip"
	"testing"
)

// Addresses that no interface has can lead here: those of a route of type local, as load balancers use
// it, the broadcast address of a network, and the anycast address of an IPv6 router.
func TestLeadsHere(t *testing.T) {
	needsRootAndNft(t)
	n := newNamespace(t)
	for _, line := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "d0", "type", "veth", "peer", "name", "d1"},
		{"link", "set", "d1", "up"},
		{"link", "set", "d0", "up"},
		{"addr", "add", "10.9.0.1/24", "dev", "d0"},
		{"addr", "add", "2001:db8:9::1/64", "dev", "d0", "nodad"},
		{"route", "add", "local", "10.30.0.0/24", "dev", "lo"},
		{"-6", "route", "add", "local", "2001:db8:30::/64", "dev", "lo"},
		{"route", "add", "192.0.2.0/24", "via", "10.9.0.2"},
		{"route", "add", "prohibit", "203.0.113.0/24"},
	} {
		n.must("ip", line...)
	}
	n.must("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/d0/forwarding")
	for addr, want := range map[string]bool{
		"10.9.0.1":         true,
		"::ffff:10.9.0.1":  true,
		"10.9.0.255":       true, // the broadcast address
		"10.30.0.7":        true,
		"127.0.0.9":        true,
		"2001:db8:30::7":   true,
		"2001:db8:9::":     true, // the anycast address of the routers (RFC 4291, section 2.6.1)
		"10.9.0.2":         false,
		"192.0.2.1":        false,
		"203.0.113.1":      false, // a route that refuses
		"198.51.100.1":     false, // no route
		"2001:db8:9::2":    false,
		"2001:db8:ffff::1": false,
	} {
		if got := leadsHere(netip.MustParseAddr(addr), int(n.file.Fd())); got != want {
			t.Errorf("%s: %t, want %t", addr, got, want)
		}
	}
}
