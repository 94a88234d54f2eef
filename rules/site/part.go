// Parts of a configuration: commands next to a running sallyport need a few settings,
// although the rest of the file may have errors.

package site

import (
	"errors"
	"fmt"
	"strings"

	"sallyport/rules/tomldoc"
)

// AdminOf reads [listen] admin and [admin], and nothing else. It also works for a text
// with other errors, even syntax errors, because the running process stays healthy while
// an operator edits its file.
func AdminOf(file, dir string, data []byte) (string, Admin, error) {
	var c Config
	doc, top := parsePart(file, data, "listen", "admin")
	if top == nil {
		return "", Admin{}, doc.Problems().Err()
	}
	c.Listen.Admin = top.Sub("listen").Str("admin")
	c.readAdmin(top, dir)
	if c.Listen.Admin == "" {
		return "", Admin{}, errors.Join(fmt.Errorf("%s: the configuration has no [listen] admin to ask", file), doc.Problems().Err())
	}
	return c.Listen.Admin, c.Admin, nil
}

// JournalOf reads [journal] path in the same way. It returns the default if the text does
// not have the key.
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

// ListenOf reads [listen] in the same way, for the process that holds the sockets.
func ListenOf(file string, data []byte) (Listen, error) {
	var c Config
	doc, top := parsePart(file, data, "listen")
	if top == nil {
		return Listen{}, doc.Problems().Err()
	}
	c.readListen(top.Sub("listen"))
	return c.Listen, nil
}

// parsePart parses data. If that fails, it parses only the tables of these names.
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

// tablesOf returns the lines of the tables of these names. The other lines become empty, so
// that lines keep their numbers.
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
