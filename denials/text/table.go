// Table: aligned columns for a terminal, with all texts from clients escaped.

package text

import (
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/denials/journal"
)

// A table collects rows and writes them aligned. It cuts cells at cellMax,
// except in the last column.
type table struct {
	color  bool
	right  int // number of leading columns that are aligned to the right
	rows   [][]string
	widths []int
}

const cellMax = 64 // width in characters

func newTable(color bool, head ...string) *table {
	t := &table{color: color, widths: make([]int, len(head))}
	for i := range head {
		head[i] = strings.ToUpper(head[i])
	}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		c = journal.Visible(c)
		if n := utf8.RuneCountInString(c); i < len(cells)-1 && n > cellMax {
			c = string([]rune(c)[:cellMax-1]) + "…"
		}
		cells[i] = c
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
	}
	t.rows = append(t.rows, cells)
}

// drop removes a column if no row has a text in it.
func (t *table) drop(name string) {
	i := slices.Index(t.rows[0], strings.ToUpper(name))
	if i < 0 || slices.ContainsFunc(t.rows[1:], func(row []string) bool { return row[i] != "" }) {
		return
	}
	for j := range t.rows {
		t.rows[j] = slices.Delete(t.rows[j], i, i+1)
	}
	t.widths = slices.Delete(t.widths, i, i+1)
}

func (t *table) write(w io.Writer) {
	var b strings.Builder
	for i, row := range t.rows {
		b.Reset()
		for j, c := range row {
			pad := strings.Repeat(" ", t.widths[j]-utf8.RuneCountInString(c))
			switch {
			case j < t.right:
				b.WriteString(pad + c)
			case j == len(row)-1:
				b.WriteString(c)
			default:
				b.WriteString(c + pad)
			}
			if j < len(row)-1 {
				b.WriteString("  ")
			}
		}
		text := strings.TrimRight(b.String(), " ")
		if t.color && i == 0 {
			text = "\x1b[1m" + text + "\x1b[0m"
		}
		_, _ = io.WriteString(w, text+"\n") // the caller flushes and gets the error
	}
}

// when returns a time with its zone. For a time of today, it leaves out the date.
func (o *Options) when(t time.Time) string {
	if o.Now.IsZero() {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	t = t.In(o.Now.Location())
	y, m, d := t.Date()
	if yn, mn, dn := o.Now.Date(); y == yn && m == mn && d == dn {
		return t.Format("15:04:05 MST")
	}
	return t.Format("2006-01-02 15:04:05 MST")
}
