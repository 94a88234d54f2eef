// Special names: names that have a meaning of their own, so that no rule is right
// for them.

package rules

// SpecialName returns why n needs no rule, with the document that defines n; "" if
// n is an ordinary name.
func SpecialName(n Name) string {
	switch n.s {
	case "":
		return ""
	case "use-application-dns.net":
		return `Firefox asks for it to learn whether it may use DNS over HTTPS, and the denial means no (Mozilla, "Canary domain")`
	case "mask.icloud.com", "mask-h2.icloud.com":
		return `Apple's systems ask for it to find iCloud Private Relay, and the denial makes them work without it (Apple, "Prepare your network or web server for iCloud Private Relay")`
	}
	for _, s := range [...]struct{ suffix, why string }{
		{"resolver.arpa", "clients look for encrypted resolvers below it, and without an answer they keep this resolver (RFC 9462)"},
		{"ipv4only.arpa", "clients use it to find a NAT64 (RFC 7050, RFC 8880); no connection goes there"},
		{"home.arpa", "it is for home networks, and the Internet never answers for it (RFC 8375); write a [[dns.zone]] for an internal zone"},
		{"arpa", "names below arpa stand for addresses and the like; no service has such a name (RFC 3172)"},
		{"localhost", "it is the client's own host, which needs no resolver for it (RFC 6761, section 6.3)"},
		{"invalid", "no such name ever exists (RFC 6761, section 6.4)"},
		{"onion", "it is a name of Tor, and not of the DNS (RFC 7686)"},
		{"alt", "it is a name of another system than the DNS (RFC 9476)"},
	} {
		if suffix := (Name{s.suffix}); n == suffix || n.Below(suffix) {
			return s.why
		}
	}
	return ""
}
