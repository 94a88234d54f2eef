// Write: parts that several commands use for their output.

package text

import (
	"bufio"
	"strings"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// query turns the options of a command into a query.
func (o *Options) query() denials.Query {
	return denials.Query{Files: o.Files, Filter: o.filter(), Cure: o.Cure, Sort: o.Sort, New: o.New, Offset: o.Offset, Site: o.Site, Progress: o.Progress}
}

// indented writes a text with every line indented.
func indented(w *bufio.Writer, by, text string) {
	for line := range strings.Lines(text) {
		_, _ = w.WriteString(by + journal.Visible(strings.TrimRight(line, "\n")) + "\n")
	}
}

// labelled writes "  label  text" for a text that is not empty.
func labelled(w *bufio.Writer, label, text string) {
	if text != "" {
		_, _ = w.WriteString("  " + label + strings.Repeat(" ", max(13-len(label), 1)) + journal.Visible(text) + "\n")
	}
}
