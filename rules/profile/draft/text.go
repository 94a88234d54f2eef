// Text: tables in plain text, as PDF readers give it. Cells are between tabs,
// or each on a line of its own; page breaks cut rows and shift columns.

package draft

import (
	"regexp"
	"strings"
)

var (
	// heading is a numbered heading: "2 Default Ports", "3.1. Addresses".
	heading = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*\.?\s+\p{L}`)
	// portTitle is the title of a column of ports.
	portTitle = regexp.MustCompile(`(?i)\bports?\b`)
)

// readText reads the tables of a text. If no line has a tab, it reads a list: see
// readList.
func readText(data []byte) []Table {
	r := textReader{}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		r.line(line, strings.TrimRight(text, "\r\n"))
	}
	r.end()
	if len(r.tables) == 0 {
		return readList(string(data))
	}
	return r.tables
}

// textReader collects tables whose cells are between tabs.
type textReader struct {
	tables  []Table
	heading string
	now     Table
}

func (r *textReader) line(n int, text string) {
	trimmed := strings.TrimRight(text, "\t ")
	switch {
	case trimmed == "" || strings.Trim(trimmed, "-|+= \t") == "":
		return // a page break, or a line of dashes: the table may go on
	case !strings.Contains(trimmed, "\t"):
		r.end()
		if heading.MatchString(trimmed) {
			r.heading = clean(trimmed)
		}
		return
	}
	cells := strings.Split(trimmed, "\t")
	for i, c := range cells {
		cells[i] = clean(c)
	}
	switch {
	case len(r.now.Rows) == 0 && r.now.Header == nil && isHeader(cells) && hasPortTitle(cells):
		r.now.Header = cells
	case r.goesOn(cells):
		last := r.now.Rows[len(r.now.Rows)-1].Cells
		last[len(last)-1] = clean(last[len(last)-1] + " " + strings.Join(cells, ""))
	default:
		r.now.Rows = append(r.now.Rows, Row{Line: n, Cells: cells, Loose: true})
	}
}

// hasPortTitle reports whether one of the cells is the title of a column of ports. A
// heading in a table of contents is longer, and does not count.
func hasPortTitle(cells []string) bool {
	for _, c := range cells {
		if portTitle.MatchString(c) && len(strings.Fields(c)) <= 4 {
			return true
		}
	}
	return false
}

// goesOn reports whether a line continues the row above: after one or more empty cells
// it has one cell of words.
func (r *textReader) goesOn(cells []string) bool {
	if len(r.now.Rows) == 0 || cells[0] != "" {
		return false
	}
	words := strings.Join(cells, "")
	for _, c := range cells {
		if c != "" && c != words {
			return false
		}
	}
	return portColumn(cells) < 0 && len(readDestinations(words).to) == 0
}

// end closes the table that was being read. It drops a table that has no column of
// ports.
func (r *textReader) end() {
	r.now.Section, r.now.Heading = sectionOf(r.heading), r.heading
	if r.now.Header != nil || decidable(r.now.Rows) {
		r.tables = append(r.tables, r.now)
	}
	r.now = Table{}
}

// decidable reports whether some row has a destination in front of its ports.
func decidable(rows []Row) bool {
	for _, row := range rows {
		if p := portColumn(row.Cells); p > 0 && len(readDestinations(row.Cells[p-1]).to) > 0 {
			return true
		}
	}
	return false
}

// portColumn returns the first cell that reads as ports; -1: none does.
func portColumn(cells []string) int {
	for i, c := range cells {
		c, _ = unmark(c)
		low := strings.ToLower(c)
		if p := readPorts(c, protocols{tcp: true}); !p.empty() || low == "all" || low == "any" {
			return i
		}
	}
	return -1
}

// readList reads a text whose cells stand on lines of their own. A row begins with a
// line of ports with their protocol. The lines up to the next such line are the purpose
// of the row.
func readList(text string) []Table {
	var t Table
	line, body := 0, 0
	for s := range strings.Lines(text) {
		line++
		s = clean(s)
		if p := readPorts(s, protocols{}); !p.empty() {
			if last := len(t.Rows) - 1; last >= 0 && body == 0 {
				t.Rows[last].Cells[0] += "\n" + s // still the same row: ports of a second protocol
				continue
			}
			t.Rows, body = append(t.Rows, Row{Line: line, Cells: []string{s, ""}, Loose: true}), 0
			continue
		}
		if last := len(t.Rows) - 1; last >= 0 && s != "" {
			t.Rows[last].Cells[1] = clean(t.Rows[last].Cells[1] + " " + s)
			body++
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Table{t}
}
