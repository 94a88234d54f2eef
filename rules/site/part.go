// Parts of a configuration: what commands beside a running sallyport need of a
// file that may be broken elsewhere.

package site

import (
	"errors"
	"fmt"
	"strings"

	"sallyport/rules/tomldoc"
)

// AdminOf reads where the admin listener is and how to ask it, and nothing
// else: the process that serves is well even while somebody edits its file. It
// finds [listen] and [admin] in a text with other mistakes, syntax included.
func AdminOf(file, dir string, data []byte) (string, AdminConfig, error) {
	var c Config
	doc, top := parsePart(file, data, "listen", "admin")
	if top == nil {
		return "", AdminConfig{}, doc.Problems().Err()
	}
	c.Listen.Admin = top.Sub("listen").Str("admin")
	c.readAdmin(top, dir)
	if c.Listen.Admin == "" {
		return "", AdminConfig{}, errors.Join(fmt.Errorf("%s: the configuration has no [listen] admin to ask", file), doc.Problems().Err())
	}
	return c.Listen.Admin, c.Admin, nil
}

// JournalOf reads [journal] path in the same way; the default is returned
// where the text says nothing.
func JournalOf(file, dir string, data []byte) (string, error) {
	var c Config
	doc, top := parsePart(file, data, "journal")
	if top == nil {
		return "", doc.Problems().Err()
	}
	c.readJournal(top.Sub("journal"), dir)
	if c.Journal.Path == "" {
		return "", doc.Problems().Err()
	}
	return c.Journal.Path, nil
}

// ListenOf reads [listen] in the same way, for whoever holds its sockets.
func ListenOf(file string, data []byte) (Listen, error) {
	var c Config
	doc, top := parsePart(file, data, "listen")
	if top == nil {
		return Listen{}, doc.Problems().Err()
	}
	c.readListen(top.Sub("listen"))
	return c.Listen, nil
}

// parsePart parses data, or where that cannot be done the tables of these
// names in it.
func parsePart(file string, data []byte, names ...string) (*tomldoc.Document, *tomldoc.Table) {
	doc, top := tomldoc.Parse(file, data)
	if top != nil {
		return doc, top
	}
	if _, part := tomldoc.Parse(file, []byte(tablesOf(string(data), names))); part != nil {
		return part.Doc, part
	}
	return doc, nil
}

// tablesOf returns the lines of [name] for each of names, from the header to
// the next one. The others are left empty, so that lines keep their numbers.
func tablesOf(text string, names []string) string {
	var b strings.Builder
	wanted := false
	for line := range strings.SplitSeq(text, "\n") {
		if header, ok := strings.CutPrefix(strings.TrimSpace(line), "["); ok {
			name, _, _ := strings.Cut(header, "]")
			wanted = false
			for _, n := range names {
				wanted = wanted || strings.TrimSpace(name) == n
			}
		}
		if wanted {
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
