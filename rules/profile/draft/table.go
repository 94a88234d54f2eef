// Table: the rows of a document, whatever its format.

package draft

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Limits of a document. They bound the memory and the time of an import.
const (
	maxDocument = 16 << 20 // octets
	maxRows     = 200_000
	maxColumns  = 64
	maxSpan     = 1_000 // rows that one HTML cell covers
)

// A Table is one table of a document.
type Table struct {
	Section string   // number or text of the heading above it; "": it has none
	Heading string   // the whole heading, if Section is its number
	Header  []string // texts of the header cells; nil: it has none
	Rows    []Row

	Footnotes map[string]string // of the whole document, by their marks
}

// A Row is one row of a table.
type Row struct {
	Line  int // where it begins in the document, from 1
	Cells []string
	Loose bool // the columns of the cells are not certain: a PDF reader lost them

	Merged bool     // one of the cells covers several rows or columns
	Doubts []string // what the document says of the whole row: hidden, struck out
}

// title returns the text of a cell that covers the whole row; "": the row has several
// cells.
func (r Row) title() string {
	if !r.Merged || len(r.Cells) < 2 {
		return ""
	}
	for _, c := range r.Cells {
		if c != r.Cells[0] {
			return ""
		}
	}
	return clean(r.Cells[0])
}

// heading returns the text of the heading above a table.
func (t Table) heading() string {
	if t.Heading != "" {
		return t.Heading
	}
	return t.Section
}

// A Format is the file format of a document.
type Format string

// The formats of tables.
const (
	CSV      Format = "csv"
	TSV      Format = "tsv"
	Markdown Format = "markdown"
	HTML     Format = "html"
	Text     Format = "text"
)

// Formats lists the formats of tables.
func Formats() []Format { return []Format{CSV, TSV, Markdown, HTML, Text} }

// FormatOf returns the format of a document, judged by its name and its beginning.
func FormatOf(file string, data []byte) Format {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".csv":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".md", ".markdown":
		return Markdown
	case ".html", ".htm", ".xhtml":
		return HTML
	}
	begin := strings.ToLower(strings.TrimSpace(string(data[:min(len(data), 512)])))
	if strings.HasPrefix(begin, "<!doctype html") || strings.HasPrefix(begin, "<html") || strings.HasPrefix(begin, "<table") {
		return HTML
	}
	return Text
}

// Read returns the tables of a document. A document without a table is an error.
func Read(f Format, data []byte) ([]Table, error) {
	if len(data) > maxDocument {
		return nil, fmt.Errorf("the document is larger than %d MiB", maxDocument>>20)
	}
	data = []byte(strings.ToValidUTF8(strings.TrimPrefix(string(data), "\ufeff"), "\ufffd"))
	var tables []Table
	var err error
	switch f {
	case CSV:
		tables, err = readSeparated(data, ',')
	case TSV:
		tables, err = readSeparated(data, '\t')
	case Markdown:
		tables = readMarkdown(data)
	case HTML:
		tables, err = readHTML(data)
	case Text:
		tables = readText(data)
	default:
		return nil, fmt.Errorf("%q is not a format: %v", f, Formats())
	}
	if err != nil {
		return nil, err
	}
	if f != HTML {
		withFootnotes(tables, footnotesOf(string(data)))
	}
	rows := 0
	for _, t := range tables {
		rows += len(t.Rows)
	}
	switch {
	case rows == 0:
		return nil, errors.New("the document has no table")
	case rows > maxRows:
		return nil, fmt.Errorf("the document has %d rows, more than %d", rows, maxRows)
	}
	return tables, nil
}

// withFootnotes gives the footnotes of a document to its tables.
func withFootnotes(tables []Table, notes map[string]string) {
	for i := range tables {
		tables[i].Footnotes = notes
	}
}

// clean joins the words of a cell with single spaces.
func clean(s string) string { return strings.Join(strings.Fields(s), " ") }

// blank reports whether all cells are empty.
func blank(cells []string) bool { return strings.TrimSpace(strings.Join(cells, "")) == "" }
