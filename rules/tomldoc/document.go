// Package tomldoc reads TOML documents strictly: every problem has its line,
// all problems are reported at once, and a key that was not read is a problem.
//
// The values come from the TOML library, which gives no position for a key. So a
// second scan finds where each statement begins, and gives every key its line.
package tomldoc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"sallyport/rules"
)

// A Document is a parsed file with its problems.
type Document struct {
	file     string
	lines    []string
	at       map[string]int         // path of a key -> line
	top      *Table                 // the whole file; nil until it is parsed
	quoted   map[int]map[string]int // line of a key -> text in quotes -> its first line, from there on
	problems rules.Problems
}

// Parse parses data. If there is a syntax error or a duplicate key, the table is nil
// and the document has one problem.
func Parse(file string, data []byte) (*Document, *Table) {
	d := &Document{file: file, lines: strings.Split(string(data), "\n"), at: map[string]int{}}
	if line := tooDeep(d.lines); line > 0 {
		d.Errorf(line, "keys or brackets are nested more than %d levels deep: no key of sallyport needs this; is it the right file?", maxNesting)
		return d, nil
	}
	var m map[string]any
	md, err := toml.Decode(string(data), &m)
	if err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			d.Errorf(pe.Position.Line, "%s", syntaxProblem(d.lines, pe))
		} else {
			d.Errorf(0, "%v", err)
		}
		return d, nil
	}
	d.locate(md.Keys())
	d.top = &Table{Doc: d, m: m, used: map[string]bool{}}
	return d, d.top
}

// Errorf adds an error on a line; line 0 means the whole file.
func (d *Document) Errorf(line int, format string, args ...any) {
	d.problems = append(d.problems, rules.Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// Warnf adds a warning on a line; line 0 means the whole file.
func (d *Document) Warnf(line int, format string, args ...any) {
	d.problems = append(d.problems, rules.Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...), Warning: true})
}

// WarnToServe adds a warning that is an error for a process that serves.
func (d *Document) WarnToServe(line int, format string, args ...any) {
	d.problems = append(d.problems, rules.Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...), Warning: true, Serving: true})
}

// Report adds problems of other files.
func (d *Document) Report(problems ...rules.Problem) { d.problems = append(d.problems, problems...) }

// File returns the name of the file, as problems give it.
func (d *Document) File() string { return d.file }

// Problems returns all errors and warnings, in the order of the lines.
func (d *Document) Problems() rules.Problems {
	return slices.DeleteFunc(slices.Clone(d.problems), func(p rules.Problem) bool { return p.Text == "" }).Sorted()
}

// locate gives every key its line. The library lists keys in the order of the document, and
// Statements returns statements in the same order. A key of an inline table has no
// statement of its own: it has the line of the last statement.
func (d *Document) locate(keys []toml.Key) {
	statements := Statements(d.lines)
	counts := map[string]int{} // array table path -> elements so far
	line := 0
	for _, k := range keys {
		if len(statements) > 0 && slices.Equal(statements[0].Path, k) {
			s := statements[0]
			statements = statements[1:]
			line = s.Line
			if s.Array {
				counts[d.indexed(k[:len(k)-1], counts)+k[len(k)-1]]++
			}
		}
		for n := 1; n <= len(k); n++ {
			at := strings.TrimSuffix(d.indexed(k[:n], counts), ".")
			if _, known := d.at[at]; !known || n == len(k) {
				d.at[at] = line // also the tables that a dotted key makes
			}
		}
	}
}

// quote fills quoted for the value that begins on a line. A value ends before the next line
// with a "=" outside of quotes.
func (d *Document) quote(from int) {
	if d.quoted == nil {
		d.quoted = map[int]map[string]int{}
	}
	found := map[string]int{}
	d.quoted[from] = found
	for i := max(from, 1); i <= len(d.lines); i++ {
		l := d.lines[i-1]
		for _, q := range []byte{'"', '\''} {
			for at, rest := strings.IndexByte(l, q), l; at >= 0; at = strings.IndexByte(rest, q) {
				rest = rest[at+1:]
				end := strings.IndexByte(rest, q)
				if end < 0 {
					break
				}
				if _, earlier := found[rest[:end]]; !earlier {
					found[rest[:end]] = i
				}
			}
		}
		if i > from && strings.Contains(l, "=") && setsKey(l) {
			break
		}
	}
}

// setsKey reports whether a line has an equals sign outside of quotes.
func setsKey(line string) bool {
	var quote rune
	for _, r := range line {
		switch {
		case quote == 0 && r == '=':
			return true
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case r == quote:
			quote = 0
		}
	}
	return false
}

// indexed returns a key as a path with the current index of each array of tables:
// "client[1].addresses.".
func (d *Document) indexed(k toml.Key, counts map[string]int) string {
	var b strings.Builder
	for _, part := range k {
		b.WriteString(part)
		if n := counts[b.String()]; n > 0 {
			b.WriteString("[" + strconv.Itoa(n-1) + "]")
		}
		b.WriteByte('.')
	}
	return b.String()
}
