// TOML documents: values from the library, lines from a scan of our own.
//
// The library reports no position for unknown keys and none but a text for
// wrong types. So it parses into plain maps, and a scan that knows only where
// statements begin lends each key its line.

package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// A tomlDoc is a parsed file that problems can point into.
type tomlDoc struct {
	file     string
	lines    []string
	at       map[string]int // path of a key -> line
	top      *table         // the whole file; nil until it is parsed
	problems Problems
}

// parseTOML parses data. Syntax errors, duplicate keys included, end in a
// problem and a nil table.
func parseTOML(file string, data []byte) (*tomlDoc, *table) {
	d := &tomlDoc{file: file, lines: strings.Split(string(data), "\n"), at: map[string]int{}}
	var m map[string]any
	md, err := toml.Decode(string(data), &m)
	if err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			d.add(pe.Position.Line, "%s", pe.Message)
		} else {
			d.add(0, "%v", err)
		}
		return d, nil
	}
	d.locate(md.Keys())
	d.top = &table{doc: d, m: m, used: map[string]bool{}}
	return d, d.top
}

func (d *tomlDoc) add(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (d *tomlDoc) warn(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...), Warning: true})
}

// locate gives every key its line. The library lists keys in the order of the
// document; statements are found in the same order. A key without a statement
// of its own, in an inline table, is where the last one was.
func (d *tomlDoc) locate(keys []toml.Key) {
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
				d.at[at] = line // the tables that a dotted key makes, too
			}
		}
	}
}

// indexed writes a key as a path with the index of the element that each
// array table is at now: "client[1].addresses.".
func (d *tomlDoc) indexed(k toml.Key, counts map[string]int) string {
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

// A Statement is the beginning of one line of TOML that names a key or a table.
type Statement struct {
	Line   int      // from 1
	Last   int      // the line on which its value ends
	Text   string   // the key as written there, dotted, without brackets and quotes
	Path   []string // the key from the top of the document
	Header bool     // it opens a table
	Array  bool     // [[…]]
}

// Statements finds where statements begin: table headers and key = value,
// skipping the inside of multi-line arrays and strings.
func Statements(lines []string) []Statement {
	var out []Statement
	var header []string
	depth, quote := 0, ""
	for i, line := range lines {
		t := strings.TrimSpace(line)
		if depth == 0 && quote == "" && t != "" && t[0] != '#' {
			if t[0] == '[' {
				array := strings.HasPrefix(t, "[[")
				header, _ = scanKey(strings.TrimLeft(t, "["))
				out = append(out, Statement{i + 1, i + 1, strings.Join(header, "."), header, true, array})
				continue
			}
			key, value := scanKey(t)
			out = append(out, Statement{i + 1, i + 1, strings.Join(key, "."), slices.Concat(header, key), false, false})
			t = value
		}
		if depth > 0 || quote != "" {
			out[len(out)-1].Last = i + 1
		}
		depth, quote, _ = scanValue(t, depth, quote)
	}
	return out
}

// scanKey reads a key, dotted or not, bare or in quotes, up to "=" or "]", and
// returns its parts and what comes behind.
func scanKey(t string) (parts []string, rest string) {
	for {
		t = strings.TrimLeft(t, " \t")
		part := t
		if t != "" && (t[0] == '"' || t[0] == '\'') {
			q := t[:1]
			end := 1
			for end < len(t) && t[end:end+1] != q {
				if t[end] == '\\' && q == `"` {
					end++
				}
				end++
			}
			end = min(end+1, len(t))
			part, t = strings.Trim(t[:end], q), t[end:]
			if u, err := strconv.Unquote(q + part + q); err == nil && q == `"` {
				part = u
			}
		} else if end := strings.IndexAny(t, ".=] \t"); end >= 0 {
			part, t = t[:end], t[end:]
		} else {
			t = ""
		}
		parts = append(parts, part)
		t = strings.TrimLeft(t, " \t")
		if t == "" {
			return parts, ""
		}
		if t[0] != '.' {
			return parts, t[1:]
		}
		t = t[1:]
	}
}

// CommentAt tells where the comment behind a value of one line begins; -1:
// there is none.
func CommentAt(value string) int {
	_, _, at := scanValue(value, 0, "")
	return at
}

// scanValue follows brackets and quotes over one line of a value, and tells
// where a comment begins; -1: nowhere.
func scanValue(t string, depth int, quote string) (int, string, int) {
	for i := 0; i < len(t); i++ {
		if quote != "" {
			if t[i] == '\\' && quote[0] == '"' {
				i++
			} else if strings.HasPrefix(t[i:], quote) {
				i += len(quote) - 1
				quote = ""
			}
			continue
		}
		switch t[i] {
		case '#':
			return depth, quote, i
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '"', '\'':
			quote = t[i : i+1]
			if triple := strings.Repeat(quote, 3); strings.HasPrefix(t[i:], triple) {
				quote = triple
			}
			i += len(quote) - 1
		}
	}
	if len(quote) == 1 {
		quote = "" // a one-line string ends with its line
	}
	return depth, quote, -1
}
