// Destinations that make the DNS filter useless.

package site

import (
	"net/netip"
	"slices"

	"sallyport/rules"
)

// knownDoH reports whether a destination is a well-known public resolver for DNS over
// HTTPS. A client that reaches one can look up any name.
func knownDoH(d rules.Destination) bool {
	if d.Prefix.IsValid() {
		return slices.ContainsFunc([]string{"1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "149.112.112.112"},
			func(s string) bool { return d.Prefix.Contains(netip.MustParseAddr(s)) })
	}
	for _, s := range []string{
		"dns.google", "dns.google.com", "cloudflare-dns.com", "mozilla.cloudflare-dns.com", "chrome.cloudflare-dns.com",
		"one.one.one.one", "dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net", "doh.opendns.com",
		"dns.nextdns.io", "dns.adguard-dns.com", "doh.cleanbrowsing.org", "doh.dns.sb", "dns.alidns.com", "doh.pub", "dns.controld.com",
	} {
		n, err := rules.ParseName(s)
		if err == nil && (n == d.Name && !d.Wildcard || d.Wildcard && n.Below(d.Name)) {
			return true
		}
	}
	return false
}
