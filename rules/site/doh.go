// Destinations that make the DNS filter useless.

package site

import (
	"fmt"
	"net/netip"
	"slices"

	"sallyport/rules"
)

// resolvers are well-known public resolvers for DNS over HTTPS. A client that reaches one
// can look up any name.
type resolvers struct {
	names map[rules.Name]bool
	addrs []netip.Addr
}

func knownResolvers() resolvers {
	r := resolvers{names: map[rules.Name]bool{}}
	for _, s := range []string{"1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "149.112.112.112"} {
		r.addrs = append(r.addrs, netip.MustParseAddr(s))
	}
	for _, s := range []string{
		"dns.google", "dns.google.com", "cloudflare-dns.com", "mozilla.cloudflare-dns.com", "chrome.cloudflare-dns.com",
		"one.one.one.one", "dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net", "doh.opendns.com",
		"dns.nextdns.io", "dns.adguard-dns.com", "doh.cleanbrowsing.org", "doh.dns.sb", "dns.alidns.com", "doh.pub", "dns.controld.com",
	} {
		if n, err := rules.ParseName(s); err == nil {
			r.names[n] = true
		}
	}
	return r
}

// has reports whether a destination contains a resolver.
func (r resolvers) has(d rules.Destination) bool {
	switch {
	case d.Prefix.IsValid():
		return slices.ContainsFunc(r.addrs, d.Prefix.Contains)
	case !d.Wildcard:
		return r.names[d.Name]
	}
	for n := range r.names {
		if n.Below(d.Name) {
			return true
		}
	}
	return false
}

// isResolver is the warning about such a destination.
func isResolver(d rules.Destination) string {
	return fmt.Sprintf("%s is a public DNS-over-HTTPS resolver: with it a client can look up any name and bypass the DNS filter", d)
}
