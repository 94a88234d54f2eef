// Columns: which column of a table is which.

package draft

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"sallyport/rules"
)

// columns holds the positions of a table's columns, from 0; -1 means that there is
// none.
type columns struct {
	host, port, protocol, purpose int
	given                         protocols // protocols that the title of the port column names
}

// titles lists the words that the title of a column may have, for each kind of column.
// columnsOf looks for the kinds and their words in this order.
var titles = []struct {
	words []string
	of    func(*columns) *int
}{
	{[]string{"port"}, func(c *columns) *int { return &c.port }},
	{[]string{"protocol"}, func(c *columns) *int { return &c.protocol }},
	{[]string{"domain", "fqdn", "host", "url", "destination", "address", "endpoint", "server", "name"}, func(c *columns) *int { return &c.host }},
	{[]string{"purpose", "description", "function", "usage", "used", "reason", "comment", "detail"}, func(c *columns) *int { return &c.purpose }},
}

// columnsOf finds the columns by the operator's numbers, or else by their titles. The
// first title that fits counts.
func columnsOf(header []string, given map[string]int) columns {
	c := columns{host: -1, port: -1, protocol: -1, purpose: -1}
	taken := map[int]bool{}
	for _, t := range titles {
		place := t.of(&c)
		for _, w := range t.words {
			for i, h := range header {
				if *place < 0 && !taken[i] && strings.Contains(strings.ToLower(h), w) {
					*place, taken[i] = i, true
				}
			}
		}
	}
	if c.port >= 0 {
		low := strings.ToLower(header[c.port])
		c.given = protocols{tcp: strings.Contains(low, "tcp"), udp: strings.Contains(low, "udp")}
	}
	for name, n := range given {
		switch name {
		case "host":
			c.host = n - 1
		case "port":
			c.port = n - 1
		case "protocol":
			c.protocol = n - 1
		case "purpose":
			c.purpose = n - 1
		}
	}
	return c
}

// of returns the fields of a row whose columns are certain.
func (c columns) of(cells []string, given protocols) fields {
	at := func(i int) string {
		if i < 0 || i >= len(cells) {
			return ""
		}
		return cells[i]
	}
	f := fields{host: at(c.host), port: at(c.port), purpose: at(c.purpose), given: given}
	if !c.given.none() {
		f.given = c.given
	}
	if s := strings.TrimSpace(at(c.protocol)); s != "" && c.protocol != c.port {
		f.given, f.doubts = protocolCell(s)
	}
	return f
}

// protocolCell reads the cell of a protocol column.
func protocolCell(s string) (protocols, []string) {
	var p protocols
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" ,/&+\n", r) }) {
		switch w {
		case "tcp", "http", "https":
			p.tcp = true
		case "udp":
			p.udp = true
		case "and":
		default:
			return protocols{}, []string{"protocol " + `"` + clean(s) + `" is neither TCP nor UDP`}
		}
	}
	return p, nil
}

// loose returns the fields of a row whose columns a PDF reader has shifted. The first
// cell that reads as ports is the ports cell. The cell in front of it is the
// destination, and the cells after it are the purpose.
func (c columns) loose(cells []string, given protocols) fields {
	p := portColumn(cells)
	if p < 0 {
		return c.of(cells, given)
	}
	f := fields{port: cells[p], purpose: strings.Join(cells[p+1:], " "), given: given}
	if !c.given.none() {
		f.given = c.given
	}
	if p > 0 {
		f.host = cells[p-1]
	}
	return f
}

// idOf returns the ID of a rule, made of its destinations: the text in front of the
// registrable domain, as far as the destinations have it in common.
func idOf(to []string) string {
	id := ""
	for i, t := range to {
		part := label(t)
		if i == 0 {
			id = part
			continue
		}
		n := 0
		for n < len(id) && n < len(part) && id[n] == part[n] {
			n++
		}
		if n > 0 {
			id = id[:n]
		}
	}
	if len(to) > 1 {
		id = strings.TrimRight(id, "0123456789")
	}
	return strings.Trim(id, "-")
}

// label turns one destination into the text of an ID.
func label(to string) string {
	name := strings.TrimPrefix(to, "*.")
	if _, err := rules.ParseName(name); err != nil {
		return strings.NewReplacer(":", "-", "/", "-", ".", "-").Replace("address-" + to)
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		if front := strings.TrimSuffix(strings.TrimSuffix(name, domain), "."); front != "" {
			name = front
		} else {
			name, _, _ = strings.Cut(domain, ".")
		}
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(name)
}
