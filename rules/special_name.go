// Special names: names that clients ask for to find out where they are, and that
// nobody is to answer from the Internet. No rule is proposed for one.

package rules

// SpecialName says why no rule is for a name, with the document that gives it
// its meaning; "": it is a name like others.
func SpecialName(n Name) string {
	switch n.s {
	case "":
		return ""
	case "use-application-dns.net":
		return `it is Firefox's question whether to use DNS over HTTPS, and the denial answers that it must not (Mozilla, "Canary domain")`
	case "mask.icloud.com", "mask-h2.icloud.com":
		return `it is how Apple's systems find iCloud Private Relay, and the denial makes them do without (Apple, "Prepare your network or web server for iCloud Private Relay")`
	}
	for _, s := range [...]struct{ suffix, why string }{
		{"resolver.arpa", "below it clients look for encrypted resolvers, and without an answer they stay with this one (RFC 9462)"},
		{"ipv4only.arpa", "with it clients look for a NAT64 (RFC 7050, RFC 8880); no connection goes there"},
		{"home.arpa", "it is for networks at home, and never answered from the Internet (RFC 8375); an internal zone is a [[dns.zone]]"},
		{"arpa", "names below arpa stand for addresses and the like, and nothing is reached by them (RFC 3172)"},
		{"localhost", "it is the client's own host, which needs no resolver for it (RFC 6761, section 6.3)"},
		{"invalid", "no such name exists, ever (RFC 6761, section 6.4)"},
		{"onion", "it is a name of Tor's, and in no DNS (RFC 7686)"},
		{"alt", "it is a name of something else than DNS (RFC 9476)"},
	} {
		if suffix := (Name{s.suffix}); n == suffix || n.Below(suffix) {
			return s.why
		}
	}
	return ""
}
