// Undecided: the rows of the document that are still a NOTE. The profile permits nothing for
// them, although the document has them.

package lint

import (
	"fmt"
	"strconv"
	"strings"

	"sallyport/rules"
)

// mostUndecided is the number of lines that the finding lists. A list for machines can have 200,000
// rows.
const mostUndecided = 200

// undecided finds the comments that begin with NOTE, as sallyport profiles import writes them. They
// are one finding of the profile.
func (c *checker) undecided() {
	notes := c.profile.Notes
	if len(notes) == 0 {
		return
	}
	var lines []string
	for _, n := range notes[:min(len(notes), mostUndecided)] {
		lines = append(lines, strconv.Itoa(n.Line))
	}
	if more := len(notes) - mostUndecided; more > 0 {
		lines = append(lines, fmt.Sprintf("%d more: grep -n '^# NOTE: ' %s", more, c.profile.File))
	}
	last := len(lines) - 1
	where := lines[last]
	if last > 0 {
		where = strings.Join(lines[:last], ", ") + " and " + where
	}
	c.report(notes[0].Line, Undecided, fmt.Sprintf("%s not decided: read the NOTE on %s %s",
		rules.Counted(len(notes), "row is", "rows are"), rules.Noun(len(notes), "line", "lines"), where))
}
