// Nesting: refuses a text whose keys or values are nested deeper than any configuration,
// before the TOML library reads it.

package tomldoc

import "strings"

// maxNesting is the number of levels that a text may have: the parts of a dotted key, and
// the brackets of a value. The deepest key of a configuration has three. The time and
// memory of the TOML library grow with the square of the depth.
const maxNesting = 16

// tooDeep returns the first line, from 1, on which keys or brackets are nested deeper than
// maxNesting; 0 if there is none.
func tooDeep(lines []string) int {
	depth, quote := 0, ""
	for i, line := range lines {
		var deepest, parts int
		depth, quote, deepest, parts = measure(line, depth, quote)
		if deepest > maxNesting || parts > maxNesting {
			return i + 1
		}
	}
	return 0
}

// measure follows brackets and quotes through one line. It returns the depth of brackets and
// the open quote at the end of the line, the deepest level of brackets, and the most parts
// of a dotted key. A line that is no valid TOML may be measured wrongly: then the library
// refuses it, and a wrong depth that stays low costs no more than its own line.
func measure(t string, depth int, quote string) (end int, open string, deepest, parts int) {
	deepest, parts = depth, 1
	dots := 0
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
			return depth, quote, deepest, parts
		case '[', '{':
			depth++
			deepest, dots = max(deepest, depth), 0
		case ']', '}':
			depth--
		case ',', '=':
			dots = 0
		case '.':
			dots++
			parts = max(parts, dots+1)
		case '"', '\'':
			quote = t[i : i+1]
			if triple := strings.Repeat(quote, 3); strings.HasPrefix(t[i:], triple) {
				quote = triple
			}
			i += len(quote) - 1
		}
	}
	if len(quote) == 1 {
		quote = ""
	}
	return depth, quote, deepest, parts
}
