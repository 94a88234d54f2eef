// Statements: where each key and table header of a TOML text begins.

package tomldoc

import (
	"slices"
	"strconv"
	"strings"
)

// A Statement is the beginning of one line of TOML that names a key or a table.
type Statement struct {
	Line   int      // from 1
	Last   int      // the line on which its value ends
	Text   string   // the key as it is written, dotted, without brackets and quotes
	Path   []string // the key from the top of the document
	Header bool     // it opens a table
	Array  bool     // [[…]]
}

// Statements returns the statements of a text, which are table headers and "key = value".
// It skips the inside of arrays and strings of several lines.
func Statements(lines []string) []Statement {
	var out []Statement
	var header []string
	var value scan
	for i, line := range lines {
		t := strings.TrimSpace(line)
		if !value.open() && t != "" && t[0] != '#' {
			if t[0] == '[' {
				array := strings.HasPrefix(t, "[[")
				header, _ = scanKey(strings.TrimLeft(t, "["))
				out = append(out, Statement{i + 1, i + 1, strings.Join(header, "."), header, true, array})
				continue
			}
			key, rest := scanKey(t)
			out = append(out, Statement{i + 1, i + 1, strings.Join(key, "."), slices.Concat(header, key), false, false})
			t = rest
		}
		if value.open() {
			out[len(out)-1].Last = i + 1
		}
		value.line(t)
	}
	return out
}

// scanKey scans a key, dotted or not, bare or in quotes, up to "=" or "]". It returns its
// parts and the rest of the text.
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

// CommentAt returns where the comment after a value of one line begins; -1 if there is
// none.
func CommentAt(value string) int {
	var s scan
	return s.line(value)
}

// A scan follows brackets and quotes through the lines of TOML values. Its zero value stands
// before the first value. A text that is no valid TOML may be scanned wrongly: the library
// refuses it anyway.
type scan struct {
	depth   int    // of the brackets that are open
	quote   string // the quote that is open; "" if none is
	deepest int    // the greatest depth so far
	parts   int    // the most parts of a dotted key so far
}

// open reports whether a value goes on in the next line.
func (s *scan) open() bool { return s.depth > 0 || s.quote != "" }

// line reads one line. It returns where a comment begins; -1 if there is none.
func (s *scan) line(t string) (comment int) {
	dots := 0
	for i := 0; i < len(t); i++ {
		if s.quote != "" {
			if t[i] == '\\' && s.quote[0] == '"' {
				i++
			} else if strings.HasPrefix(t[i:], s.quote) {
				i += len(s.quote) - 1
				s.quote = ""
			}
			continue
		}
		switch t[i] {
		case '#':
			return i
		case '[', '{':
			s.depth++
			s.deepest, dots = max(s.deepest, s.depth), 0
		case ']', '}':
			s.depth--
		case ',', '=':
			dots = 0
		case '.':
			dots++
			s.parts = max(s.parts, dots+1)
		case '"', '\'':
			s.quote = t[i : i+1]
			if triple := strings.Repeat(s.quote, 3); strings.HasPrefix(t[i:], triple) {
				s.quote = triple
			}
			i += len(s.quote) - 1
		}
	}
	if len(s.quote) == 1 {
		s.quote = "" // a one-line string ends with its line
	}
	return -1
}
