// PAC: a script for browsers that chooses the proxy of each request.

package export

import (
	_ "embed"
	"fmt"
	"net/netip"
	"strings"

	"sallyport/rules"
)

// pacCode is the part of the script that is the same in every export.
//
//go:embed pac.js
var pacCode string

// writePAC writes the script. What is denied goes to port 9 of the host itself, where
// nothing listens.
func writePAC(s *sheet) {
	s.wider(nil, "a PAC script only advises a browser: it does not restrict a program that ignores it")
	way := "DIRECT"
	if s.options.Proxy != "" {
		way = "PROXY " + s.options.Proxy
	}
	s.linef("var permitted = %s, denied = \"PROXY 127.0.0.1:9\";", quoted(way))
	s.linef("\nvar rules = [")
	for i := range s.p.Rules {
		s.pacRule(&s.p.Rules[i])
	}
	s.linef("];\n")
	s.body.WriteString(pacCode)
}

func (s *sheet) pacRule(g *rules.Grant) {
	ports := g.TCP
	switch {
	case g.Rule.Any:
		ports = rules.AllPorts()
		s.left(g, "a browser uses TCP: the rule permits every protocol and port, and the export permits TCP ports only")
	case len(g.UDP) > 0:
		s.left(g, "udp %s: a browser uses TCP", g.UDP)
	}
	if len(ports) == 0 {
		return
	}
	exact, below := names(g)
	s.source("  ", g)
	s.linef("  {")
	s.linef("    names: [%s],", quotedNames(exact))
	s.linef("    below: [%s],", quotedNames(below))
	var nets []string
	for _, p := range g.Prefixes {
		nets = append(nets, network(p))
	}
	s.linef("    networks: [%s],", strings.Join(nets, ", "))
	var ranges []string
	for _, r := range ports {
		ranges = append(ranges, fmt.Sprintf("[%d, %d]", r.First, r.Last))
	}
	s.linef("    ports: [%s]", strings.Join(ranges, ", "))
	s.linef("  },")
}

// network returns a prefix as the script compares it: its length, and its groups of 16
// bits.
func network(p netip.Prefix) string {
	b := p.Addr().AsSlice()
	groups := make([]string, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		groups = append(groups, fmt.Sprint(int(b[i])<<8|int(b[i+1])))
	}
	return fmt.Sprintf("{ bits: %d, groups: [%s] }", p.Bits(), strings.Join(groups, ", "))
}

// quotedNames returns names as the elements of an array.
func quotedNames(names []rules.Name) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = quoted(n.String())
	}
	return strings.Join(parts, ", ")
}

// quoted returns an ASCII text as a string of JavaScript.
func quoted(s string) string { return fmt.Sprintf("%+q", s) }
