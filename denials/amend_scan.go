// Amend scan: where the statements of a TOML text begin and end.

package denials

import "strings"

// A statement is the beginning of one line that names a key or a table.
type statement struct {
	line   int    // from 1
	text   string // the key or the table as written, without brackets
	header bool
	array  bool // [[…]]
}

// statementLines finds where statements begin: table headers and key = value,
// skipping the inside of arrays and strings of many lines.
func statementLines(lines []string) []statement {
	var out []statement
	depth, quote := 0, ""
	for i, line := range lines {
		t := strings.TrimSpace(line)
		if depth == 0 && quote == "" && t != "" && t[0] != '#' {
			if t[0] == '[' {
				name, _, _ := strings.Cut(strings.TrimLeft(t, "["), "]")
				out = append(out, statement{i + 1, strings.TrimSpace(name), true, strings.HasPrefix(t, "[[")})
				continue
			}
			key, value, _ := strings.Cut(t, "=")
			out = append(out, statement{line: i + 1, text: strings.TrimSpace(key)})
			t = value
		}
		depth, quote, _ = scanValue(t, depth, quote)
	}
	return out
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

// commentOf returns the comment behind a value of one line, with a space.
func commentOf(value string) string {
	if _, _, at := scanValue(value, 0, ""); at >= 0 {
		return " " + strings.TrimRight(value[at:], " \t\r")
	}
	return ""
}
