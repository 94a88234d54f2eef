// CSV: a table with everything that a rule says, one line for each destination.

package export

import (
	"encoding/csv"
	"strings"
	"time"

	"sallyport/rules"
)

// writeCSV writes the table (RFC 4180).
func writeCSV(s *sheet) {
	w := csv.NewWriter(&s.body)
	put := func(cells ...string) { _ = w.Write(cells) } // to memory: no error
	put("client", "sources", "profile", "rule", "to", "kind", "tcp", "udp", "any", "purpose", "document", "section", "note", "expires")
	for i := range s.p.Rules {
		g := &s.p.Rules[i]
		r := g.Rule
		purpose, document, expires := r.Purpose, "", ""
		if r.Document == nil {
			purpose = r.Reason
		} else {
			document = strings.TrimSuffix(r.Source(), ", section "+r.Section)
		}
		if !r.Expires.IsZero() {
			expires = r.Expires.UTC().Format(time.RFC3339)
		}
		line := func(to, kind string) {
			put(s.p.Name, strings.Join(both(s.p.Sources), " "), r.Profile, r.ID, to, kind, g.TCP.String(), g.UDP.String(), anyCell(g),
				cell(purpose), cell(document), cell(r.Section), cell(r.Note), expires)
		}
		for _, d := range g.Names {
			if d.Wildcard {
				line(d.String(), "wildcard")
			} else {
				line(d.String(), "name")
			}
		}
		for _, p := range g.Prefixes {
			line(address(p), "address")
		}
	}
	w.Flush()
	if len(s.p.Except) > 0 {
		s.wider(nil, "parts of the sources belong to other clients, which the table does not show: %s", strings.Join(both(s.p.Except), ", "))
	}
}

// anyCell returns "true" for a rule with every protocol and port.
func anyCell(g *rules.Grant) string {
	if g.Rule.Any {
		return "true"
	}
	return ""
}

// cell returns a text on one line that no spreadsheet takes for a formula.
func cell(s string) string {
	s = oneLine(s)
	if s != "" && strings.IndexByte("=+-@", s[0]) >= 0 {
		return "'" + s
	}
	return s
}
