// TOML documents: values from the library, lines from a scan of our own.
//
// The library reports no position for unknown keys and none but a text for
// wrong types. So it parses into plain maps, and a scan that knows only where
// statements begin lends each key its line.

package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// A tomlDoc is a parsed file that problems can point into.
type tomlDoc struct {
	file     string
	lines    []string
	at       map[string]int // path of a key -> line
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
	return d, &table{doc: d, m: m, used: map[string]bool{}}
}

func (d *tomlDoc) add(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (d *tomlDoc) warn(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...), Warning: true})
}

// locate gives every key its line. The library lists keys in the order of the
// document; statements are found in the same order.
func (d *tomlDoc) locate(keys []toml.Key) {
	lines := statementLines(d.lines)
	counts := map[string]int{} // array table path -> elements so far
	next, line := 0, 0
	for _, k := range keys {
		if s := next; s < len(lines) && statementNames(lines[s].text, k) {
			line = lines[s].line
			next++
			if lines[s].array {
				p := d.indexed(k[:len(k)-1], counts) + k[len(k)-1]
				counts[p]++
			}
		}
		d.at[strings.TrimSuffix(d.indexed(k, counts), ".")] = line
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

// statement is the beginning of one line that names a key or a table.
type statement struct {
	line  int
	text  string // the key as written: dotted, without brackets
	array bool   // [[…]]
}

// statementNames tells whether a statement's key ends in the last part of k.
func statementNames(text string, k toml.Key) bool {
	last := k[len(k)-1]
	i := strings.LastIndexByte(text, '.')
	return strings.Trim(strings.TrimSpace(text[i+1:]), `"'`) == last || strings.HasSuffix(strings.Trim(text, `"' `), last)
}

// statementLines finds where statements begin: table headers and key = value,
// skipping the inside of multi-line arrays and strings.
func statementLines(lines []string) []statement {
	var out []statement
	depth, quote := 0, ""
	for i, line := range lines {
		t := strings.TrimSpace(line)
		if depth == 0 && quote == "" && t != "" && t[0] != '#' {
			if key, ok := strings.CutPrefix(t, "[["); ok {
				key, _, _ = strings.Cut(key, "]]")
				out = append(out, statement{i + 1, key, true})
				continue
			} else if key, ok := strings.CutPrefix(t, "["); ok {
				key, _, _ = strings.Cut(key, "]")
				out = append(out, statement{i + 1, key, false})
				continue
			}
			key, value, _ := strings.Cut(t, "=")
			out = append(out, statement{i + 1, strings.TrimSpace(key), false})
			t = value
		}
		depth, quote = scanValue(t, depth, quote)
	}
	return out
}

// scanValue follows brackets and quotes over one line of a value.
func scanValue(t string, depth int, quote string) (int, string) {
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
			return depth, quote
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
	return depth, quote
}
