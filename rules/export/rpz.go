// RPZ: a response policy zone, for BIND, Unbound, Knot Resolver and PowerDNS. The owner
// names and actions are those of draft-vixie-dnsop-dns-rpz.

package export

import "strings"

// zoneName is what the export calls its zone. Records are relative to the zone, so
// another name needs no change of the records.
const zoneName = "rpz.sallyport.invalid"

// writeRPZ writes the zone. A resolver looks up a wildcard of the zone as in any other
// zone: it takes the wildcard at the deepest name that exists. So each name in the zone,
// and each of their parents, has both records: its own record, and the record of the
// names below it.
func writeRPZ(s *sheet) {
	t := s.lookUps()
	if !s.p.Everyone {
		s.wider(nil, "a zone has no sources: use it in a view of %s", strings.Join(both(s.p.Sources), ", "))
	}
	s.linef("; BIND:    response-policy { zone %q; } qname-wait-recurse no;", zoneName)
	s.linef(";          without the last option BIND looks up a denied name before it denies it")
	s.linef("; Unbound: server: module-config: \"respip validator iterator\"")
	s.linef(";          rpz: name: %q zonefile: FILE\n", zoneName)
	s.linef("$ORIGIN %s.", zoneName)
	s.linef("$TTL 60")
	s.linef("@ SOA localhost. hostmaster.localhost. 1 3600 600 86400 60")
	s.linef("@ NS localhost.")
	s.linef("\n; every other name does not exist")
	s.linef("* CNAME .")
	s.linef("")
	for _, n := range t.sorted() {
		// The longest owner name that fits is 253 octets.
		if len("*.")+len(n.name.String())+1+len(zoneName) > 253 {
			for _, g := range n.by {
				s.left(g, "names that are too long for a zone")
			}
			continue
		}
		if n.listed {
			s.nameSource("", n)
		}
		s.linef("%s CNAME %s", n.name, action(n.itself))
		s.linef("%s CNAME %s", "*."+n.name.String(), action(n.below))
	}
}

// action returns the target of a record: pass the query, or answer that the name does
// not exist.
func action(permit bool) string {
	if permit {
		return "rpz-passthru."
	}
	return "."
}
