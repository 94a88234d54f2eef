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
	_, _, at := scanValue(value, 0, "")
	return at
}

// scanValue follows brackets and quotes through one line of a value. It returns the depth of
// brackets and the open quote at the end of the line, and where a comment begins; -1 if
// there is none.
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
