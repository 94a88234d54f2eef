// Separated: tables of comma- or tab-separated values (RFC 4180).

package draft

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readSeparated reads one table. The first row is the header if none of its cells reads
// as a port or a destination. If the first line has more semicolons than commas, the
// semicolon is the separator, as in the CSV of many spreadsheets.
func readSeparated(data []byte, comma rune) ([]Table, error) {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	if comma == ',' && bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		comma = ';'
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = comma, -1, true, comma != '\t'
	var t Table
	for {
		cells, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return []Table{t}, nil
		case err != nil:
			return nil, fmt.Errorf("not a table of separated values: %w", err)
		case blank(cells):
			continue
		}
		line, _ := r.FieldPos(0)
		if t.Header == nil && len(t.Rows) == 0 && isHeader(cells) {
			t.Header = cells
			continue
		}
		t.Rows = append(t.Rows, Row{Line: line, Cells: cells})
	}
}

// isHeader reports whether a first row holds titles: no cell is a port or a
// destination.
func isHeader(cells []string) bool {
	for _, c := range cells {
		if p := readPorts(c, protocols{}); len(p.doubts) == 0 && !p.empty() {
			return false
		}
		if d := readDestinations(c); len(d.to) > 0 {
			return false
		}
	}
	return !blank(cells)
}

// readMarkdown reads the tables of GitHub-flavoured Markdown. The lines of a table have
// cells between bars, and the second line is a row of dashes. Only headings in ATX form
// count (CommonMark 4.2).
func readMarkdown(data []byte) []Table {
	var out []Table
	var section string
	var head []string // cells of the last line, which may be a header
	inside := false
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimSpace(text)
		if h := strings.TrimLeft(text, "#"); len(h) < len(text) && strings.HasPrefix(h, " ") {
			section, inside, head = sectionOf(clean(strings.Trim(h, "# "))), false, nil
			continue
		}
		if !strings.Contains(text, "|") {
			inside, head = false, nil
			continue
		}
		cells := barCells(text)
		switch {
		case inside:
			out[len(out)-1].Rows = append(out[len(out)-1].Rows, Row{Line: line, Cells: cells})
		case dashes(cells) && len(head) == len(cells):
			out = append(out, Table{Section: section, Header: head})
			inside = true
		default:
			head = cells
		}
	}
	return out
}

// barCells splits a line at its bars. A bar after a backslash is text.
func barCells(line string) []string {
	const bar = "\x00"
	line = strings.ReplaceAll(line, `\|`, bar)
	line = strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|")
	// "\*" is a star that is not emphasis.
	marks := strings.NewReplacer(bar, "|", "`", "", "<br>", "\n", "<br/>", "\n", "<br />", "\n", `\*`, "*", "**", "")
	cells := strings.Split(line, "|")
	for i, c := range cells {
		cells[i] = strings.TrimSpace(marks.Replace(c))
	}
	return cells
}

// dashes reports whether the cells are the cells of a delimiter row.
func dashes(cells []string) bool {
	for _, c := range cells {
		if c = strings.Trim(c, ": "); c == "" || strings.Trim(c, "-") != "" {
			return false
		}
	}
	return len(cells) > 0
}

// sectionOf returns the number that a heading begins with. If there is no number, it
// returns the heading.
func sectionOf(heading string) string {
	number, _, ok := strings.Cut(heading, " ")
	if ok && strings.Trim(number, "0123456789.") == "" && strings.Trim(number, ".") != "" {
		return strings.Trim(number, ".")
	}
	return heading
}
