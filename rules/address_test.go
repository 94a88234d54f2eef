// Special addresses, written from the IANA special-purpose address registries.

package rules

import (
	"net/netip"
	"testing"
)

// specialRanges are the registries' entries, and the ranges of the address
// architecture (RFC 4291, RFC 5771, RFC 1112) that are no public unicast.
var specialRanges = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:db8::/32", "2002::/16",
	"2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
}

// The first and the last address of every range is special.
func TestSpecialRanges(t *testing.T) {
	for _, s := range specialRanges {
		p := netip.MustParsePrefix(s)
		for _, a := range []netip.Addr{p.Addr(), last(p)} {
			if !Special(a) {
				t.Errorf("%v of %v counts as public", a, p)
			}
			if mapped := netip.AddrFrom16(a.As16()); !Special(mapped) {
				t.Errorf("%v of %v counts as public", mapped, p)
			}
		}
	}
}

// The addresses that attacks aim at are special too.
func TestSpecialTargets(t *testing.T) {
	for _, s := range []string{
		"127.0.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "::1", "::", "0.0.0.0", "255.255.255.255",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::1",
		"2a00:1450::5efe:a00:1", "2a00:1450::200:5efe:a00:1", "fe80::1%eth0", "2606:4700::1%eth0",
	} {
		if !Special(netip.MustParseAddr(s)) {
			t.Errorf("%s counts as public", s)
		}
	}
	if !Special(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}

// The neighbours of every range are public, unless they are in another range.
func TestPublicAddresses(t *testing.T) {
	for _, s := range []string{
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.31.195.255", "192.31.197.0", "192.52.192.255",
		"192.52.194.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "192.175.47.255", "192.175.49.0", "198.17.255.255",
		"198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "121.46.26.221", "13.94.16.103", "8.8.8.8",
		"168.63.129.15", "168.63.129.17", "168.62.129.16",
		"::ffff:8.8.8.8", "2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::",
		"2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", "2606:4700::1111",
		"2a00:1450::100:5efe:a00:1", "2000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	} {
		if Special(netip.MustParseAddr(s)) {
			t.Errorf("%s counts as special", s)
		}
	}
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
