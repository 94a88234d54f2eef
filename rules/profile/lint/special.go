// Special: addresses that no host of a vendor has on the Internet.

package lint

import (
	"fmt"
	"net/netip"

	"sallyport/rules"
)

// specialRanges returns the ranges of the registries of special-purpose addresses (RFC 6890,
// kept by IANA), and those of multicast, each with its meaning.
func specialRanges() [][2]string {
	return [][2]string{
		{"0.0.0.0/8", "this network (RFC 791)"},
		{"10.0.0.0/8", "private (RFC 1918)"},
		{"100.64.0.0/10", "shared address space of providers (RFC 6598)"},
		{"127.0.0.0/8", "loopback (RFC 1122)"},
		{"169.254.0.0/16", "link-local (RFC 3927)"},
		{"172.16.0.0/12", "private (RFC 1918)"},
		{"192.0.0.0/24", "for IETF protocols (RFC 6890)"},
		{"192.0.2.0/24", "for documentation (RFC 5737)"},
		{"192.31.196.0/24", "AS112 (RFC 7535)"},
		{"192.52.193.0/24", "AMT (RFC 7450)"},
		{"192.88.99.0/24", "deprecated 6to4 relays (RFC 7526)"},
		{"192.168.0.0/16", "private (RFC 1918)"},
		{"192.175.48.0/24", "AS112 (RFC 7534)"},
		{"198.18.0.0/15", "for benchmarks (RFC 2544)"},
		{"198.51.100.0/24", "for documentation (RFC 5737)"},
		{"203.0.113.0/24", "for documentation (RFC 5737)"},
		{"224.0.0.0/4", "multicast (RFC 5771)"},
		{"240.0.0.0/4", "reserved (RFC 1112)"},
		{"::/96", "unspecified, loopback, and IPv4 in an old form (RFC 4291)"},
		{"64:ff9b::/96", "translated IPv4 (RFC 6052)"},
		{"64:ff9b:1::/48", "translated IPv4 (RFC 8215)"},
		{"100::/64", "discard-only (RFC 6666)"},
		{"2001::/23", "for IETF protocols (RFC 2928)"},
		{"2001:db8::/32", "for documentation (RFC 3849)"},
		{"2002::/16", "6to4 (RFC 3056)"},
		{"2620:4f:8000::/48", "AS112 (RFC 7534)"},
		{"3fff::/20", "for documentation (RFC 9637)"},
		{"5f00::/16", "for segment routing (RFC 9602)"},
		{"fc00::/7", "unique local (RFC 4193)"},
		{"fe80::/10", "link-local (RFC 4291)"},
		{"ff00::/8", "multicast (RFC 4291)"},
	}
}

// roleCure says how a rule names a party whose address only the site knows.
const roleCure = "write to = [\"role:NAME\"], with a NAME from roles or binds, and let the site bind it"

// special finds an address or prefix that is special, or that has a special range in it.
func (c *checker) special(r *rules.Rule, d rules.Destination) {
	if !d.Prefix.IsValid() {
		return
	}
	cure := roleCure + ", or say in the note that the document prints " + d.String()
	for _, s := range specialRanges() {
		switch p := netip.MustParsePrefix(s[0]); {
		case rules.Covers(p, d.Prefix):
			c.find(r, Special, fmt.Sprintf("%s is %s: no host of a vendor has such an address on the Internet", d, s[1]), cure, d.String())
			return
		case rules.Covers(d.Prefix, p):
			c.find(r, Special, fmt.Sprintf("%s contains %v, which is %s", d, p, s[1]),
				"list the vendor's prefixes, or say in the note that the document prints "+d.String(), d.String())
			return
		}
	}
	if rules.Special(d.Prefix.Addr()) {
		c.find(r, Special, fmt.Sprintf("%s is no ordinary address of the Internet: a permitted name must not resolve to it", d), cure, d.String())
	}
}
