// Forbidden cases: the tries, grouped by what is wrong with them.

package e2e

// forbiddenNames: near misses of a documented destination, by CONNECT and by
// absolute-form.
func forbiddenNames() []forbidden {
	connect := func(host string, port int, reason string) denial {
		return denial{via: "connect", client: "es-manager", host: host, port: port, reason: reason}
	}
	return []forbidden{
		{name: "another name", try: byHTTP("es-manager", "https://evil.example/"), says: "403",
			want: connect("evil.example", 443, "not_listed")},
		{name: "another name, plain HTTP", try: byHTTP("es-manager", "http://plain.evil.example/"), says: "X-Sallyport-Reason: not_listed",
			want: denial{via: "http", host: "plain.evil.example", port: 80, reason: "not_listed"}},
		{name: "another name on a documented address", try: byHTTP("es-manager", "https://shared.evil.example/"), says: "403",
			want: connect("shared.evil.example", 443, "not_listed")},
		{name: "a sub-name", try: byHTTP("es-manager", "https://www.license.sangfor.com/"), says: "403",
			want: connect("www.license.sangfor.com", 443, "not_listed")},
		{name: "the parent", try: byHTTP("es-manager", "https://sangfor.com/"), says: "403",
			want: connect("sangfor.com", 443, "not_listed")},
		{name: "a documented name as a label", try: byHTTP("es-manager", "https://license.sangfor.com.evil.example/"), says: "403",
			want: connect("license.sangfor.com.evil.example", 443, "not_listed")},
		{name: "a documented name as a tail", try: byHTTP("es-manager", "https://notlicense.sangfor.com/"), says: "403",
			want: connect("notlicense.sangfor.com", 443, "not_listed")},
		{name: "another port", try: byHTTP("es-manager", "https://license.sangfor.com:8443/"), says: "403",
			want: connect("license.sangfor.com", 8443, "port_not_listed")},
		{name: "port 80 of a name that is documented for 443", try: byHTTP("es-manager", "http://license.sangfor.com/"),
			says: "X-Sallyport-Reason: port_not_listed", want: denial{via: "http", host: "license.sangfor.com", port: 80, reason: "port_not_listed"}},
		{name: "an address", try: byHTTP("es-manager", "https://93.184.250.1/"), says: "403",
			want: connect("93.184.250.1", 443, "ip_literal")},
		{name: "an IPv6 address", try: byHTTP("es-manager", "https://[2a00:1450:bad::1]/"), says: "403",
			want: connect("2a00:1450:bad::1", 443, "ip_literal")},
		{name: "a private address", try: byHTTP("es-manager", "http://10.20.66.66/"), says: "X-Sallyport-Reason: ip_literal",
			want: denial{via: "http", host: "10.20.66.66", port: 80, reason: "ip_literal"}},
		{name: "the resolver", try: byHTTP("es-manager", "http://45.83.0.1:53/"), says: "403",
			want: denial{host: "45.83.0.1", port: 53, reason: "ip_literal"}},
		{name: "the admin listener", try: byHTTP("es-manager", "http://127.0.0.1:9180/metrics"), says: "X-Sallyport-Reason: self",
			want: denial{via: "http", port: 9180, reason: "self"}},
		{name: "the gateway itself", try: byHTTP("es-manager", "-p", "http://10.77.0.1:1080/"), says: "403",
			want: denial{via: "connect", port: 1080, reason: "self"}},
		{name: "a permitted name that leads to the gateway", try: byHTTP("es-manager", "-p", "http://loop.corp.example:3128/"), says: "403",
			want: connect("loop.corp.example", 3128, "self"), lookedUp: "loop.corp.example"},
		{name: "a permitted name that leads inside", try: byHTTP("es-manager", "https://rebind.corp.example/"), says: "403",
			want: connect("rebind.corp.example", 443, "private_address"), lookedUp: "rebind.corp.example"},
		{name: "a permitted name that leads inside, SOCKS", try: bySOCKS("es-manager", "https://rebind.corp.example/"),
			want: denial{via: "socks5", host: "rebind.corp.example", port: 443, reason: "private_address"}, lookedUp: "rebind.corp.example"},
	}
}

// forbiddenFleet: destinations that are documented, but not for this client.
func forbiddenFleet() []forbidden {
	return []forbidden{
		{name: "feature off", try: byHTTP("es-plain", "https://auth.sangfor.com/"), says: "403",
			want: denial{via: "connect", client: "es-plain", host: "auth.sangfor.com", port: 443, reason: "feature_off"}},
		{name: "feature off, SOCKS", try: bySOCKS("es-plain", "http://clt.sangfor.com/"),
			want: denial{via: "socks5", client: "es-plain", host: "clt.sangfor.com", port: 80, reason: "feature_off"}},
		{name: "feature off, a bound address", try: byHTTP("es-agent-plain", "https://10.20.30.40:22345/"), says: "403",
			want: denial{client: "es-agent-plain", host: "10.20.30.40", port: 22345, reason: "feature_off"}},
		{name: "a port that the site moved", try: byHTTP("es-agent-plain", "https://10.20.30.40:4430/"), says: "403",
			want: denial{client: "es-agent-plain", host: "10.20.30.40", port: 4430, reason: "port_not_listed"}},
		{name: "a version too new", try: byHTTP("saas-current", "https://download.sangfor.com.cn/"), says: "403",
			want: denial{client: "saas-current", host: "download.sangfor.com.cn", port: 443, reason: "version_excluded"}},
		{name: "a version too old", try: byHTTP("sep-old", "https://cloud.corp.example/"), says: "403",
			want: denial{client: "sep-old", host: "cloud.corp.example", port: 443, reason: "version_excluded"}},
		{name: "another role", try: byHTTP("cc-sta", "https://sec.sangfor.com/"), says: "403",
			want: denial{client: "cc-sta", host: "sec.sangfor.com", port: 443, reason: "role_not_listed"}},
		{name: "TCP where UDP is documented", try: byHTTP("cc-iag", "https://10.20.31.1:1775/"), says: "403",
			want: denial{client: "cc-iag", host: "10.20.31.1", port: 1775, reason: "protocol_not_listed"}},
		{name: "a port used on one host only", try: byHTTP("sep-console", "https://sepm.corp.example:8447/"), says: "403",
			want: denial{client: "sep-console", host: "sepm.corp.example", port: 8447, reason: "port_not_listed"}},
		{name: "another product's name", try: byHTTP("liveupdate", "https://license.sangfor.com/"), says: "403",
			want: denial{client: "liveupdate", host: "license.sangfor.com", port: 443, reason: "not_listed"}},
		{name: "an unknown client, HTTP", try: byHTTP("unknown", "https://license.sangfor.com/"), says: "403",
			want: denial{via: "connect", client: "10.77.0.99", host: "license.sangfor.com", port: 443, reason: "unknown_client"}},
		{name: "an unknown client, SOCKS", try: bySOCKS("unknown", "https://license.sangfor.com/"),
			want: denial{via: "socks5", client: "10.77.0.99", host: "license.sangfor.com", port: 443, reason: "unknown_client"}},
		{name: "an unknown client, DNS", try: byDNS("unknown", "license.sangfor.com"), says: "REFUSED",
			want: denial{via: "dns", client: "10.77.0.99", host: "license.sangfor.com", reason: "unknown_client"}},
	}
}

// forbiddenContent: the authority is permitted, but the content that the client
// then sends is not.
func forbiddenContent() []forbidden {
	license := func(reason string) denial {
		return denial{via: "connect", client: "es-manager", host: "license.sangfor.com", port: 443, reason: reason}
	}
	upd := func(reason string) denial {
		return denial{via: "connect", client: "es-manager", host: "upd.sangfor.com", port: 80, reason: reason}
	}
	connect := "CONNECT license.sangfor.com:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n"
	return []forbidden{
		{name: "a forged SNI", try: byOpenSSL("-connect", "license.sangfor.com:443", "-servername", "evil.example"), says: "access denied",
			want: license("sni_mismatch"), reaches: "license.sangfor.com"},
		{name: "the SNI of another permitted name", try: byOpenSSL("-connect", "license.sangfor.com:443", "-servername", "x.sangfor.com"),
			says: "access denied", want: license("sni_mismatch"), reaches: "license.sangfor.com"},
		{name: "no SNI", try: byOpenSSL("-connect", "license.sangfor.com:443", "-noservername"), says: "access denied",
			want: license("sni_missing"), reaches: "license.sangfor.com"},
		{name: "a forged SNI on a port of its own", try: byOpenSSLFrom("saas-agent", "-connect", "edrsaas.sangfor.com:8083", "-servername", "evil.example"),
			says: "access denied", want: denial{client: "saas-agent", host: "edrsaas.sangfor.com", port: 8083, reason: "sni_mismatch"}, reaches: "edrsaas.sangfor.com"},
		{name: "plain HTTP on 443, CONNECT", try: byHTTP("es-manager", "-p", "http://license.sangfor.com:443/"), says: "not_tls", // the page is inside the tunnel
			want: license("not_tls"), reaches: "license.sangfor.com"},
		{name: "plain HTTP on 443, absolute-form", try: byHTTP("es-manager", "http://license.sangfor.com:443/"), says: "X-Sallyport-Reason: not_tls",
			want: denial{via: "http", host: "license.sangfor.com", port: 443, reason: "not_tls"}, reaches: "license.sangfor.com"},
		{name: "SSH on 443", try: byHand("es-manager", "3128", connect, "SSH-2.0-client\r\n"), says: "200",
			want: license("not_tls"), reaches: "license.sangfor.com"},
		{name: "TLS on 80", try: byHTTP("es-manager", "https://upd.sangfor.com:80/"),
			want: upd("not_http"), reaches: "upd.sangfor.com"},
		{name: "a forged Host in a tunnel", try: byHTTP("es-manager", "-p", "-H", "Host: evil.example", "http://upd.sangfor.com/"),
			says: "host_mismatch", want: upd("host_mismatch"), reaches: "upd.sangfor.com"},
		{name: "another port in Host", try: byHTTP("es-manager", "-p", "-H", "Host: upd.sangfor.com:8080", "http://upd.sangfor.com/"),
			says: "host_mismatch", want: upd("host_mismatch"), reaches: "upd.sangfor.com"},
		// An absolute-form target overrides the Host header (RFC 9112, 3.2.2), so a permitted Host
		// permits nothing here.
		{name: "a permitted Host beside a forbidden target", try: byHTTP("es-manager", "-H", "Host: upd.sangfor.com", "http://evil.example/"),
			says: "not_listed", want: denial{via: "http", host: "evil.example", port: 80, reason: "not_listed"}},
		{name: "a forged Host on a port of its own", try: byHTTP("saas-agent", "-p", "-H", "Host: evil.example", "http://edrsaas.sangfor.com:8083/"),
			says: "host_mismatch", want: denial{client: "saas-agent", host: "edrsaas.sangfor.com", port: 8083, reason: "host_mismatch"}, reaches: "edrsaas.sangfor.com"},
		{name: "a forged SNI to a bound address", try: byOpenSSLFrom("es-agent", "-connect", "10.20.30.40:443", "-servername", "evil.example"),
			says: "access denied", want: denial{client: "es-agent", host: "10.20.30.40", port: 443, reason: "sni_mismatch"}, reaches: "10.20.30.40"},
	}
}

// byOpenSSLFrom is byOpenSSL with the source address of a client.
func byOpenSSLFrom(from string, args ...string) attempt {
	return byOpenSSL(append([]string{"-bind", named(from).v4() + ":0"}, args...)...)
}
