// Nesting: refuses a text whose keys or values are nested deeper than any configuration,
// before the TOML library reads it.

package tomldoc

// maxNesting is the number of levels that a text may have: the parts of a dotted key, and
// the brackets of a value. The deepest key of a configuration has three. The time and
// memory of the TOML library grow with the square of the depth.
const maxNesting = 16

// tooDeep returns the first line, from 1, on which keys or brackets are nested deeper than
// maxNesting; 0 if there is none.
func tooDeep(lines []string) int {
	var s scan
	for i, line := range lines {
		if s.line(line); s.deepest > maxNesting || s.parts > maxNesting {
			return i + 1
		}
	}
	return 0
}
