// NFT: a ruleset for nft -f, for a router between the client and the rest.

package export

import (
	"strings"

	"sallyport/rules"
)

// writeNFT writes a table of its own, so that loading it again replaces it.
func writeNFT(s *sheet) {
	table := "sallyport-" + tag(s.p.Name)
	s.linef("table inet %s {\n}", table)
	s.linef("delete table inet %s", table)
	s.linef("table inet %s {", table)
	s.linef("\tchain forward {")
	s.linef("\t\ttype filter hook forward priority filter; policy accept;")
	s4, s6 := families(s.p.Sources)
	e4, e6 := families(s.p.Except)
	s.jump("ip", s4, e4)
	s.jump("ip6", s6, e6)
	s.linef("\t}\n\n\tchain client {")
	s.linef("\t\tct state established,related accept")
	for i := range s.p.Rules {
		s.nftRule(&s.p.Rules[i])
	}
	s.linef("\t\tcounter drop")
	s.linef("\t}\n}")
}

// jump writes the rule that sends a client's packets to its chain.
func (s *sheet) jump(family string, from, except []string) {
	if len(from) == 0 {
		return
	}
	rule := "meta nfproto " + map[string]string{"ip": "ipv4", "ip6": "ipv6"}[family]
	if from[0] != "0.0.0.0/0" && from[0] != "::/0" {
		rule = family + " saddr " + set(from)
	}
	if len(except) > 0 {
		rule += " " + family + " saddr != " + set(except)
	}
	s.linef("\t\t%s goto client", rule)
}

func (s *sheet) nftRule(g *rules.Grant) {
	if len(g.Names) > 0 {
		s.left(g, "names: nftables knows addresses only")
	}
	if len(g.Prefixes) == 0 {
		return
	}
	s.source("\t\t", g)
	v4, v6 := families(g.Prefixes)
	s.accept(g, "ip", v4)
	s.accept(g, "ip6", v6)
}

// accept accepts what a rule permits to the addresses of one family.
func (s *sheet) accept(g *rules.Grant, family string, to []string) {
	if len(to) == 0 {
		return
	}
	match := family + " daddr " + set(to)
	if g.Rule.Any {
		s.linef("\t\t%s accept", match)
		return
	}
	if len(g.TCP) > 0 {
		s.linef("\t\t%s tcp dport %s accept", match, set(strings.Split(portList(g.TCP), ",")))
	}
	if len(g.UDP) > 0 {
		s.linef("\t\t%s udp dport %s accept", match, set(strings.Split(portList(g.UDP), ",")))
	}
}

// set returns the elements of an anonymous set, or the only element.
func set(elements []string) string {
	if len(elements) == 1 {
		return elements[0]
	}
	return "{ " + strings.Join(elements, ", ") + " }"
}
