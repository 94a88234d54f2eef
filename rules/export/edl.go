// EDL: an external dynamic list of a firewall: one name, or one address, a line.

package export

// writeEDL writes one of the two lists. A firewall accepts a list of one type only.
func writeEDL(s *sheet) {
	s.wider(nil, "a list has no ports and no sources: limit them in the firewall's rule that uses the list")
	if !s.options.Addresses {
		s.wider(nil, `a firewall may add the names below each name: leave "Automatically expand to include subdomains" off`)
	}
	seen := map[string]bool{}
	for i := range s.p.Rules {
		g := &s.p.Rules[i]
		var entries []string
		switch exact, below := names(g); {
		case s.options.Addresses:
			if len(g.Names) > 0 {
				s.left(g, "names: the list that export writes without --addresses has them")
			}
			entries = both(g.Prefixes)
		default:
			if len(g.Prefixes) > 0 {
				s.left(g, "addresses: the list that export writes with --addresses has them")
			}
			for _, n := range exact {
				entries = append(entries, n.String())
			}
			for _, n := range below {
				entries = append(entries, "*."+n.String())
			}
		}
		if len(entries) == 0 {
			continue
		}
		s.source("", g)
		commentf(&s.body, "# ", "%s", needs(g))
		for _, e := range entries {
			if !seen[e] {
				s.linef("%s", e)
			}
			seen[e] = true
		}
	}
}
