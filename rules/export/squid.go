// Squid: access lists of squid.conf (Squid 5 and newer).

package export

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
)

// writeSquid writes one http_access line for each rule, with access lists of its own:
// entries of one list must not cover each other. With -n Squid compares the host as the
// client wrote it: without -n it would look up the name of an address, and the address of
// a name.
func writeSquid(s *sheet) {
	t := tag(s.p.Name)
	s.wider(nil, "Squid does not compare the first bytes in a tunnel with the name, and does not check which addresses the name has")
	s.acl(t+"_from", "src", squidAddresses(s.p.Sources))
	from := t + "_from"
	if len(s.p.Except) > 0 {
		s.acl(t+"_other", "src", squidAddresses(s.p.Except))
		from += " !" + t + "_other"
	}
	s.linef("acl %s_connect method CONNECT", t)
	s.linef("acl %s_http proto HTTP", t)
	s.linef("acl %s_tls port 443", t)
	for _, any := range []bool{true, false} {
		if !any {
			s.linef("\n# other schemes than http, and plain text on the port of TLS")
			s.linef("http_access deny %s !%s_connect !%s_http", from, t, t)
			s.linef("http_access deny %s !%s_connect %s_tls", from, t, t)
		}
		for i := range s.p.Rules {
			if s.p.Rules[i].Rule.Any == any {
				s.squidRule(t, from, i)
			}
		}
	}
	s.linef("\n# nothing else for this client")
	s.linef("http_access deny %s", from)
}

// squidRule writes the access lists and lines of the rule with a number.
func (s *sheet) squidRule(t, from string, number int) {
	g := &s.p.Rules[number]
	switch {
	case g.Rule.Any:
		s.left(g, "Squid is a proxy for TCP: the rule permits every protocol and port, and the export permits TCP ports only")
	case len(g.TCP) == 0:
		s.left(g, "udp %s: Squid is a proxy for TCP", g.UDP)
		return
	case len(g.UDP) > 0:
		s.left(g, "udp %s: Squid is a proxy for TCP", g.UDP)
	}
	s.linef("")
	s.source("", g)
	ports := ""
	if !g.Rule.Any {
		ports = " " + list(t, number, "port")
		s.acl(ports[1:], "port", strings.Split(portList(g.TCP), ","))
	}
	exact, below := names(g)
	if len(exact) > 0 {
		s.acl(list(t, number, "name"), "dstdomain -n", texts(exact, ""))
		s.linef("http_access allow %s %s%s", from, list(t, number, "name"), ports)
	}
	if len(below) > 0 {
		// ".x" has the names below x and x itself, which the wildcard does not have.
		s.acl(list(t, number, "below"), "dstdomain -n", texts(below, "."))
		s.acl(list(t, number, "itself"), "dstdomain -n", texts(below, ""))
		s.linef("http_access allow %s %s !%s%s", from, list(t, number, "below"), list(t, number, "itself"), ports)
	}
	if len(g.Prefixes) > 0 {
		s.acl(list(t, number, "addr"), "dst -n", squidAddresses(g.Prefixes))
		s.linef("http_access allow %s %s%s", from, list(t, number, "addr"), ports)
	}
}

// acl writes an access list. Squid reads lines of less than 8 KiB, so a long list has
// several lines, which Squid joins; 30 names of 253 octets fit into one.
func (s *sheet) acl(name, kind string, values []string) {
	for some := range slices.Chunk(values, 30) {
		s.linef("acl %s %s %s", name, kind, strings.Join(some, " "))
	}
}

// list returns the name of an access list. Squid allows 63 characters.
func list(t string, number int, what string) string {
	return fmt.Sprintf("%s_%d_%s", t, number+1, what)
}

// squidAddresses returns prefixes as Squid accepts them: it has words of its own for all
// addresses, and refuses the prefixes.
func squidAddresses(prefixes []netip.Prefix) []string {
	v4, v6 := families(prefixes)
	all4, all6 := slices.Equal(v4, []string{"0.0.0.0/0"}), slices.Equal(v6, []string{"::/0"})
	switch {
	case all4 && all6:
		return []string{"all"}
	case all4:
		v4 = []string{"ipv4"}
	case all6:
		v6 = []string{"ipv6"}
	}
	return append(v4, v6...)
}

// portList returns ports as "80,443,8000-8010", with all of them as a range.
func portList(p rules.Ports) string {
	return strings.ReplaceAll(strings.ReplaceAll(p.String(), " ", ""), "all", "1-65535")
}

// texts returns names as texts, each behind a prefix.
func texts(names []rules.Name, prefix string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n.String()
	}
	return out
}
