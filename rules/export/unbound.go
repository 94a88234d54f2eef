// Unbound: a view of unbound.conf with local zones.

package export

import "strings"

// writeUnbound writes local zones. A local zone always has the names below it, so an
// exact name opens these too. The apex of a wildcard has local data, and therefore no
// records from the Internet.
func writeUnbound(s *sheet) {
	t := s.lookUps()
	view := "sallyport-" + tag(s.p.Name)
	if s.p.Everyone {
		s.linef("server:")
	} else {
		s.linef("view:")
		s.linef("    name: %q", view)
	}
	s.linef("    # every other name does not exist")
	s.linef("    local-zone: \".\" always_nxdomain")
	for _, n := range t.sorted() {
		if !n.listed {
			continue
		}
		s.nameSource("    ", n)
		switch {
		case n.wild && !n.itself:
			s.linef("    local-zone: \"%s.\" transparent", n.name)
			s.linef("    local-data: '%s. 60 IN TXT \"only the names below it are permitted\"'", n.name)
		default:
			s.linef("    local-zone: \"%s.\" always_transparent", n.name)
			if n.below {
				break
			}
			for _, g := range n.by {
				s.wider(g, "a local zone also permits the names below it: for each exact NAME, Unbound also looks up www.NAME; the format rpz has no such difference, and Unbound reads that format too")
			}
		}
	}
	if s.p.Everyone {
		return
	}
	s.linef("\nserver:")
	for _, p := range both(s.p.Sources) {
		s.linef("    access-control: %s allow", p)
		s.linef("    access-control-view: %s %s", p, view)
	}
	if len(s.p.Except) > 0 {
		s.wider(nil, "parts of the sources belong to other clients, %s: export these clients too, because Unbound takes the longest prefix", strings.Join(both(s.p.Except), ", "))
	}
}
