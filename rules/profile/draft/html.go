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
	r := htmlReader{lines: newRowLines(data)}
	r.walk(root)
	return r.tables, nil
}

// htmlReader collects tables in the order of the page.
type htmlReader struct {
	tables  []Table
	section string
	lines   *rowLines
}

func (r *htmlReader) walk(n *html.Node) {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Caption:
		r.section = sectionOf(clean(textOf(n)))
	case atom.Table:
		for c := range n.Descendants() {
			if c.DataAtom == atom.Caption {
				r.section = sectionOf(clean(textOf(c)))
			}
		}
		r.tables = append(r.tables, r.table(n))
		return
	case atom.Script, atom.Style, atom.Template:
		return
	}
	for c := range n.ChildNodes() {
		r.walk(c)
	}
}

// table lays the cells of a table out on a grid.
func (r *htmlReader) table(n *html.Node) Table {
	t := Table{Section: r.section}
	grid := spans{}
	for tr := range n.Descendants() {
		if tr.DataAtom != atom.Tr || nearestTable(tr) != n || len(t.Rows) > maxRows {
			continue
		}
		line := r.lines.next()
		cells, titles := grid.row(tr)
		switch {
		case blank(cells):
		case t.Header == nil && len(t.Rows) == 0 && (titles || isHeader(cells)):
			t.Header = cells
		default:
			t.Rows = append(t.Rows, Row{Line: line, Cells: cells})
		}
	}
	return t
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

// row returns the cells of one row, and whether all cells of the row itself are
// header cells.
func (s *spans) row(tr *html.Node) (cells []string, titles bool) {
	if s.text == nil {
		s.text, s.left = map[int]string{}, map[int]int{}
	}
	above := func() {
		for s.left[len(cells)] > 0 {
			s.left[len(cells)]--
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
		for range min(span(td, "colspan"), maxColumns) {
			s.text[len(cells)], s.left[len(cells)] = text, down-1
			cells = append(cells, text)
		}
	}
	above()
	return cells, own > 0 && heads == own
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

// textOf returns the text of a node; a line break or a paragraph ends a line.
func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.DataAtom == atom.Script, n.DataAtom == atom.Style:
			return
		case n.DataAtom == atom.Br, n.DataAtom == atom.P, n.DataAtom == atom.Li, n.DataAtom == atom.Div:
			b.WriteByte('\n')
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(n)
	return strings.TrimSpace(b.String())
}

// rowLines holds the line of the page on which each <tr> begins. The parser's tree does
// not keep these lines.
type rowLines struct {
	at []int
}

func newRowLines(data []byte) *rowLines {
	l := &rowLines{}
	z := html.NewTokenizer(bytes.NewReader(data))
	line := 1
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return l
		}
		raw := z.Raw()
		if name, _ := z.TagName(); kind == html.StartTagToken && string(name) == "tr" {
			l.at = append(l.at, line)
		}
		line += bytes.Count(raw, []byte("\n"))
	}
}

// next returns the line of the next row. It returns 0 if the page has no more <tr>,
// because a page may leave <tr> out.
func (l *rowLines) next() int {
	if len(l.at) == 0 {
		return 0
	}
	line := l.at[0]
	l.at = l.at[1:]
	return line
}
