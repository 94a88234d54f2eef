// Separated: tables of comma- or tab-separated values (RFC 4180).

package draft

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
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
		c, _ = unmark(c)
		if p := readPorts(c, protocols{}); len(p.doubts) == 0 && !p.empty() {
			return false
		}
		if d := readDestinations(c); len(d.to) > 0 {
			return false
		}
	}
	return !blank(cells)
}
