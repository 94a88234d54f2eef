// Columns: which column of a table is which.

package draft

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"sallyport/rules"
)

// columns holds the positions of a table's columns, from 0; -1 means that there is
// none.
type columns struct {
	host, port, protocol, purpose, note, direction, source int
	other                                                  int // of "TCP port" and "UDP port", the second

	header        []string
	given, second protocols // protocols that the titles of the port columns name
}

// places returns the fields of the columns by the names that Options.Columns has.
func (c *columns) places() map[string]*int {
	return map[string]*int{
		"host": &c.host, "port": &c.port, "protocol": &c.protocol, "purpose": &c.purpose,
		"note": &c.note, "direction": &c.direction, "source": &c.source,
	}
}

// columnsOf finds the columns by the operator's numbers, or else by their titles. The
// first title that fits counts.
func columnsOf(header []string, given map[string]int) columns {
	c := columns{header: header}
	taken := map[int]bool{}
	for name, place := range c.places() {
		*place = -1
		if n, ok := given[name]; ok {
			*place, taken[n-1] = n-1, true
		}
	}
	for _, t := range titles {
		place := t.of(&c)
		for _, w := range t.words {
			for i, h := range header {
				if *place >= 0 || taken[i] || !fits(h, w) {
					continue
				}
				if about := fitsAny(h, sourceWords); about && place != &c.source || about && fits(h, "port") {
					continue // "Source host", and "Source port"
				}
				*place, taken[i] = i, true
			}
		}
	}
	if c.purpose < 0 && given["note"] == 0 {
		c.purpose, c.note = c.note, -1 // the only text about the row
	}
	if c.port >= 0 && c.port < len(header) {
		low := strings.ToLower(header[c.port])
		c.given = protocols{tcp: strings.Contains(low, "tcp"), udp: strings.Contains(low, "udp")}
	}
	c.other, c.second = -1, protocols{tcp: c.given.udp, udp: c.given.tcp}
	for i, h := range header {
		low := strings.ToLower(h)
		if c.given.tcp != c.given.udp && c.other < 0 && !taken[i] && !fitsAny(h, sourceWords) &&
			strings.Contains(low, "tcp") == c.second.tcp && strings.Contains(low, "udp") == c.second.udp {
			c.other = i
		}
	}
	return c
}

// of returns the fields of a row whose columns are certain.
func (c columns) of(r Row, given protocols) fields {
	at := func(i int) string {
		if i < 0 || i >= len(r.Cells) {
			return ""
		}
		return r.Cells[i]
	}
	f := fields{
		host: at(c.host), port: at(c.port), purpose: at(c.purpose), note: at(c.note), given: given,
		direction: at(c.direction), hasDirection: c.direction >= 0, source: at(c.source), hasSource: c.source >= 0,
		other: at(c.other), second: c.second,
		noHost: c.host < 0, noPort: c.port < 0, titles: strings.Join(c.header, " "),
	}
	for i, cell := range r.Cells {
		if used := []int{c.host, c.port, c.protocol, c.purpose, c.note, c.direction, c.source, c.other}; !slices.Contains(used, i) && clean(cell) != "" {
			f.extra = append(f.extra, extra{c.title(i), cell})
		}
	}
	if !c.given.none() {
		f.given, f.printed = c.given, true
	}
	if s := strings.TrimSpace(at(c.protocol)); s != "" && c.protocol != c.port {
		f.given, f.doubts = protocolCell(s)
		f.printed = true
	}
	return f
}

// title returns the title of a column, or its number.
func (c columns) title(i int) string {
	if i < len(c.header) && clean(c.header[i]) != "" {
		return clean(c.header[i])
	}
	return fmt.Sprintf("column %d", i+1)
}

// protocolCell reads the cell of a protocol column.
func protocolCell(s string) (protocols, []string) {
	var p protocols
	s, marks := unmark(s)
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" ,/&+\n", r) }) {
		switch w {
		case "tcp", "http", "https":
			p.tcp = true
		case "udp":
			p.udp = true
		case "and":
		default:
			return protocols{}, append(marks, fmt.Sprintf("protocol %q is neither TCP nor UDP", clean(s)))
		}
	}
	return p, marks
}

// loose returns the fields of a row whose columns a PDF reader has shifted. The first
// cell that reads as ports is the ports cell. The cell in front of it is the
// destination, and the cells after it are the purpose. A table with a column of sources
// or directions, or with two columns of ports, has no such order: a row of it must have all its cells.
func (c columns) loose(r Row, given protocols) fields {
	if c.direction >= 0 || c.source >= 0 || c.other >= 0 {
		f := c.of(r, given)
		if len(r.Cells) != len(c.header) {
			f.doubts = append(f.doubts, fmt.Sprintf("the row has %d cells and the title row has %d: a cell is missing", len(r.Cells), len(c.header)))
		}
		return f
	}
	p := portColumn(r.Cells)
	if p < 0 {
		return c.of(r, given)
	}
	f := fields{port: r.Cells[p], purpose: strings.Join(r.Cells[p+1:], " "), given: given, titles: strings.Join(c.header, " ")}
	if !c.given.none() {
		f.given, f.printed = c.given, true
	}
	if p > 0 {
		f.host = r.Cells[p-1]
	}
	for i, cell := range r.Cells[:max(p-1, 0)] {
		if clean(cell) != "" {
			f.extra = append(f.extra, extra{c.title(i), cell})
		}
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
