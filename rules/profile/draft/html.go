// HTML: tables of web pages, with merged cells (HTML, section 4.9.12).

package draft

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// readHTML reads every table of a page. A cell that covers several rows or
// columns stands in each of them, as a browser shows it.
func readHTML(data []byte) ([]Table, error) {
	root, err := html.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not HTML: %w", err)
	}
	r := htmlReader{lines: rowLines(data, root)}
	r.walk(root)
	withFootnotes(r.tables, footnotesOfPage(root, r.tables))
	return r.tables, nil
}

// htmlReader collects tables in the order of the page.
type htmlReader struct {
	tables  []Table
	heading string
	lines   map[*html.Node]int // of each <tr>
}

func (r *htmlReader) walk(n *html.Node) {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Caption:
		r.heading = clean(textOf(n))
	case atom.Table:
		for c := range n.Descendants() {
			if c.DataAtom == atom.Caption {
				r.heading = clean(textOf(c))
			}
		}
		if t := r.table(n); t.Header != nil || len(t.Rows) > 0 {
			r.tables = append(r.tables, t)
		}
		r.nested(n)
		return
	}
	if unseen[n.DataAtom] {
		return
	}
	for c := range n.ChildNodes() {
		r.walk(c)
	}
}

// table lays the cells of a table out on a grid.
func (r *htmlReader) table(n *html.Node) Table {
	t := Table{Section: sectionOf(r.heading), Heading: r.heading}
	grid := spans{}
	for tr := range n.Descendants() {
		if tr.DataAtom != atom.Tr || nearestTable(tr) != n || len(t.Rows) > maxRows {
			continue
		}
		doubts, shown := rowMarks(tr)
		if !shown {
			continue
		}
		cells, titles, merged := grid.row(tr)
		switch {
		case blank(cells):
		case t.Header == nil && len(t.Rows) == 0 && (titles || isHeader(cells)):
			t.Header = cells
		default:
			t.Rows = append(t.Rows, Row{Line: r.lines[tr], Cells: cells, Merged: merged, Doubts: doubts})
		}
	}
	return t
}

// nested reads the tables inside the cells of a table.
func (r *htmlReader) nested(n *html.Node) {
	for c := range n.Descendants() {
		if c.DataAtom == atom.Table && nearestTable(c) == n {
			r.walk(c)
		}
	}
}

// nearestTable returns the table that a row belongs to: tables nest.
func nearestTable(n *html.Node) *html.Node {
	for n = n.Parent; n != nil && n.DataAtom != atom.Table; n = n.Parent {
	}
	return n
}

// spans holds, for each column, the cell from above that still covers it.
type spans struct {
	text map[int]string
	left map[int]int // number of further rows that the cell covers
}

// row returns the cells of one row, whether all cells of the row itself are header
// cells, and whether a cell covers several rows or columns.
func (s *spans) row(tr *html.Node) (cells []string, titles, merged bool) {
	if s.text == nil {
		s.text, s.left = map[int]string{}, map[int]int{}
	}
	above := func() {
		for s.left[len(cells)] > 0 {
			s.left[len(cells)]--
			merged = true
			cells = append(cells, s.text[len(cells)])
		}
	}
	own, heads := 0, 0
	for td := range tr.ChildNodes() {
		if td.DataAtom != atom.Td && td.DataAtom != atom.Th || len(cells) >= maxColumns {
			continue
		}
		above()
		own++
		if td.DataAtom == atom.Th {
			heads++
		}
		text, down := textOf(td), span(td, "rowspan")
		across := min(span(td, "colspan"), maxColumns)
		merged = merged || across > 1 || down > 1
		for range across {
			s.text[len(cells)], s.left[len(cells)] = text, down-1
			cells = append(cells, text)
		}
	}
	above()
	return cells, own > 0 && heads == own, merged
}

// span reads a rowspan or colspan. It returns 1 if the attribute is absent or is not a
// number.
func span(n *html.Node, key string) int {
	for _, a := range n.Attr {
		if a.Key == key {
			if v, err := strconv.Atoi(strings.TrimSpace(a.Val)); err == nil && v > 1 {
				return min(v, maxSpan)
			}
		}
	}
	return 1
}
