// Choose: which table and columns of a document the operator means.

package draft

import (
	"fmt"
	"slices"
	"strings"
)

// chooseTable checks the numbers of the table and of the columns against the document.
// Tables with different titles have different columns: numbers for one of them would be
// a guess for the others.
func chooseTable(tables []Table, o Options) error {
	for name, n := range o.Columns {
		if !slices.Contains(Columns(), name) || n < 1 {
			return fmt.Errorf("--columns %s=%d: write NAME=NUMBER; NAME is one of %s, and NUMBER counts from 1", name, n, strings.Join(Columns(), ", "))
		}
	}
	if o.Table < 0 || o.Table > len(tables) {
		return fmt.Errorf("--table %d: the document has these tables:\n%s", o.Table, listOf(tables))
	}
	if len(o.Columns) == 0 {
		return nil
	}
	for i, t := range tables {
		if o.Table != 0 && o.Table != i+1 {
			continue
		}
		if o.Table == 0 && !slices.Equal(t.Header, tables[0].Header) {
			return fmt.Errorf("--columns: the tables have different columns; choose one table with --table NUMBER, and import each table by itself:\n%s", listOf(tables))
		}
		width := len(t.Header)
		for _, r := range t.Rows {
			width = max(width, len(r.Cells))
		}
		for _, name := range Columns() {
			if o.Columns[name] > width {
				return fmt.Errorf("--columns %s=%d: table %d has %d columns", name, o.Columns[name], i+1, width)
			}
		}
	}
	return nil
}

// listOf lists tables with their numbers.
func listOf(tables []Table) string {
	const most = 20
	var out []string
	for i, t := range tables {
		if i == most {
			out = append(out, fmt.Sprintf("  and %d more", len(tables)-most))
			break
		}
		titles := rowText(t.Header)
		if titles == "" {
			titles = "no titles"
		}
		if h := t.heading(); h != "" {
			titles = h + ": " + titles
		}
		out = append(out, fmt.Sprintf("  table %d, %d rows: %s", i+1, len(t.Rows), oneLine(titles)))
	}
	return strings.Join(out, "\n")
}
