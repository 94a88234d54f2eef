// Forbidden cases of SOCKS5, of DNS, and of malformed request heads.

package e2e

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// socks5 returns a method selection without authentication, and a request with
// a name.
func socks5(command byte, host string, port uint16) (greeting, request string) {
	request = string([]byte{5, command, 0, 3, byte(len(host))}) + host + string([]byte{byte(port >> 8), byte(port)})
	return "\x05\x01\x00", request
}

// socks5Addr builds a request by address.
func socks5Addr(a netip.AddrPort) string {
	kind := byte(1)
	if a.Addr().Is6() {
		kind = 4
	}
	return string([]byte{5, 1, 0, kind}) + string(a.Addr().AsSlice()) + string([]byte{byte(a.Port() >> 8), byte(a.Port())})
}

func forbiddenSOCKS() []forbidden {
	socks := func(host string, port int, reason string) denial {
		return denial{via: "socks5", client: "es-manager", host: host, port: port, reason: reason}
	}
	reply := func(code byte) string { return string([]byte{5, 0, 5, code}) } // the method "none", then the reply
	greeting, bind := socks5(2, "license.sangfor.com", 443)
	_, associate := socks5(3, "license.sangfor.com", 443)
	_, nul := socks5(1, "evil.example\x00.sangfor.com", 443)
	_, tail := socks5(1, "license.sangfor.com\x00.evil.example", 443)
	_, empty := socks5(1, "", 443)
	return []forbidden{
		{name: "SOCKS, another name", try: bySOCKS("es-manager", "https://socks.evil.example/"), want: socks("socks.evil.example", 443, "not_listed")},
		{name: "SOCKS, a sub-name", try: bySOCKS("es-manager", "http://www.upd.sangfor.com/"), want: socks("www.upd.sangfor.com", 80, "not_listed")},
		{name: "SOCKS, another port", try: bySOCKS("es-manager", "https://license.sangfor.com:8443/"), want: socks("license.sangfor.com", 8443, "port_not_listed")},
		{name: "SOCKS, an address", try: byHand("es-manager", "1080", greeting, socks5Addr(netip.MustParseAddrPort("93.184.250.1:443"))),
			says: reply(2), want: socks("93.184.250.1", 443, "ip_literal")},
		{name: "SOCKS, an IPv6 address", try: byHand("es-manager", "1080", greeting, socks5Addr(netip.MustParseAddrPort("[2a00:1450:bad::1]:443"))),
			says: reply(2), want: socks("2a00:1450:bad::1", 443, "ip_literal")},
		{name: "SOCKS, a forged SNI", try: bySOCKS("es-manager", "--connect-to", "evil.example:443:license.sangfor.com:443", "https://evil.example/"),
			want: socks("license.sangfor.com", 443, "sni_mismatch"), reaches: "license.sangfor.com"},
		{name: "SOCKS, a forged Host", try: bySOCKS("es-manager", "-i", "-H", "Host: evil.example", "http://upd.sangfor.com/"), says: "host_mismatch",
			want: socks("upd.sangfor.com", 80, "host_mismatch"), reaches: "upd.sangfor.com"},
		{name: "SOCKS BIND", try: byHand("es-manager", "1080", greeting, bind), says: reply(7), want: denial{via: "socks5", client: "es-manager", reason: "malformed_request"}},
		{name: "SOCKS UDP ASSOCIATE", try: byHand("es-manager", "1080", greeting, associate), says: reply(7), want: denial{via: "socks5", client: "es-manager", reason: "malformed_request"}},
		{name: "SOCKS, NUL before a permitted tail", try: byHand("es-manager", "1080", greeting, nul), want: denial{via: "socks5", client: "es-manager", reason: "malformed_name"}},
		{name: "SOCKS, NUL behind a permitted name", try: byHand("es-manager", "1080", greeting, tail), want: denial{via: "socks5", client: "es-manager", reason: "malformed_name"}},
		{name: "SOCKS, no name", try: byHand("es-manager", "1080", greeting, empty), want: denial{via: "socks5", client: "es-manager", reason: "malformed_name"}},
		{name: "SOCKS4a", try: byHand("es-manager", "1080", "\x04\x01\x01\xbb\x00\x00\x00\x01\x00license.sangfor.com\x00"),
			want: denial{via: "socks5", client: "es-manager", reason: "malformed_request"}},
		{name: "HTTP on the SOCKS port", try: byHand("es-manager", "1080", "CONNECT license.sangfor.com:443 HTTP/1.1\r\n\r\n"),
			want: denial{via: "socks5", client: "es-manager", reason: "malformed_request"}},
	}
}

func forbiddenDNS() []forbidden {
	query := func(host, reason string) denial {
		return denial{via: "dns", client: "es-manager", host: host, reason: reason}
	}
	cases := []forbidden{
		{name: "DNS, another name", try: byDNS("es-manager", "dns.evil.example"), says: "NXDOMAIN", want: query("dns.evil.example", "not_listed")},
		{name: "DNS, the reason as EDE", try: byDNS("es-manager", "ede.evil.example"), says: "EDE: 15", want: query("ede.evil.example", "not_listed")},
		{name: "DNS over TCP", try: byDNS("es-manager", "+tcp", "tcp.evil.example"), says: "NXDOMAIN", want: query("tcp.evil.example", "not_listed")},
		{name: "DNS, AAAA", try: byDNS("es-manager", "aaaa.evil.example", "AAAA"), says: "NXDOMAIN", want: query("aaaa.evil.example", "not_listed")},
		{name: "DNS, TXT of another name", try: byDNS("es-manager", "txt.evil.example", "TXT"), says: "NXDOMAIN", want: query("txt.evil.example", "not_listed")},
		{name: "DNS, data in a sub-name", try: byDNS("es-manager", "6578666c74726174696f6e.license.sangfor.com"), says: "NXDOMAIN",
			want: query("6578666c74726174696f6e.license.sangfor.com", "not_listed")},
		{name: "DNS, feature off", try: byDNS("es-plain", "auth.sangfor.com"), says: "NXDOMAIN",
			want: denial{via: "dns", client: "es-plain", host: "auth.sangfor.com", reason: "feature_off"}},
		{name: "DNS, another role", try: byDNS("cc-sta", "sec.sangfor.com"), says: "NXDOMAIN",
			want: denial{via: "dns", client: "cc-sta", host: "sec.sangfor.com", reason: "role_not_listed"}},
		{name: "DNS, a reverse name", try: byDNS("es-manager", "-x", "93.184.250.1"), says: "NXDOMAIN", want: query("1.250.184.93.in-addr.arpa", "not_listed")},
		{name: "DNS, a space in a name", try: byDNS("es-manager", `evil\032example.sangfor.com`), says: "status: ",
			want: denial{via: "dns", client: "es-manager", reason: "malformed_name"}},
	}
	for _, qtype := range []string{"TXT", "MX", "NS", "SRV", "NULL", "CNAME", "ANY", "TYPE65280"} {
		cases = append(cases, forbidden{name: "DNS, " + qtype + " of a permitted name", says: "ANSWER: 0",
			try: byDNS("es-manager", "+tcp", "license.sangfor.com", qtype), want: query("license.sangfor.com", "type_not_allowed")})
	}
	return cases
}

// forbiddenHeads returns request heads that parsers are known to read
// differently. Each gets a 400, a closed connection and one record. Bytes after
// the head are not read as a request.
func forbiddenHeads() (cases []forbidden) {
	glued := "GET http://upd.sangfor.com/ HTTP/1.1\r\nHost: upd.sangfor.com\r\n\r\n"
	heads := map[string]string{
		"userinfo":              "CONNECT evil@license.sangfor.com:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n",
		"no target":             "CONNECT  HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n",
		"a path as target":      "CONNECT /x HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n",
		"a bracketed name":      "CONNECT [license.sangfor.com]:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n",
		"a number as host":      "CONNECT 1572371969:443 HTTP/1.1\r\nHost: 1572371969:443\r\n\r\n",
		"an octal address":      "CONNECT 0135.0270.0372.01:443 HTTP/1.1\r\nHost: 0135.0270.0372.01:443\r\n\r\n",
		"a zero before port":    "CONNECT license.sangfor.com:0443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n",
		"a percent escape":      "CONNECT license%2esangfor.com:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n",
		"two Hosts":             "GET http://upd.sangfor.com/ HTTP/1.1\r\nHost: upd.sangfor.com\r\nHost: evil.example\r\n\r\n",
		"a folded Host":         "GET http://upd.sangfor.com/ HTTP/1.1\r\nHost: upd.sangfor.com\r\n evil.example\r\n\r\n",
		"space before colon":    "GET http://upd.sangfor.com/ HTTP/1.1\r\nHost : upd.sangfor.com\r\n\r\n",
		"bare line feeds":       "GET http://upd.sangfor.com/ HTTP/1.1\nHost: upd.sangfor.com\n\n",
		"both lengths":          "POST http://upd.sangfor.com/ HTTP/1.1\r\nHost: upd.sangfor.com\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunks in HTTP/1.0":    "POST http://upd.sangfor.com/ HTTP/1.0\r\nHost: upd.sangfor.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"another scheme":        "GET ftp://upd.sangfor.com/ HTTP/1.1\r\nHost: upd.sangfor.com\r\n\r\n",
		"https as a request":    "GET https://license.sangfor.com/ HTTP/1.1\r\nHost: license.sangfor.com\r\n\r\n",
		"origin-form":           "GET / HTTP/1.1\r\nHost: upd.sangfor.com\r\n\r\n",
		"the HTTP/2 preface":    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a NUL in a header":     "GET http://upd.sangfor.com/ HTTP/1.1\r\nHost: upd.sangfor.com\r\nX: a\x00b\r\n\r\n",
		"a body on CONNECT":     "CONNECT license.sangfor.com:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\nContent-Length: 4\r\n\r\nabcd",
		"lower case connect":    "connect license.sangfor.com:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n",
		"a ClientHello as head": "\x16\x03\x01\x00\x05hello\r\n\r\n",
	}
	for _, what := range slices.Sorted(maps.Keys(heads)) {
		reason := "malformed_request"
		switch what {
		case "a number as host", "an octal address", "a percent escape":
			reason = "malformed_name"
		}
		cases = append(cases, forbidden{name: "head with " + what, says: "HTTP/1.1 400",
			try: byHand("es-manager", "3128", heads[what]+glued), want: denial{client: "es-manager", reason: reason}})
	}
	return cases
}

// String makes a missing record readable.
func (d denial) String() string {
	return fmt.Sprintf("via=%s client=%s host=%s port=%d reason=%s", d.via, d.client, d.host, d.port, d.reason)
}
