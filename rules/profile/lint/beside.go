// Beside: a draft with each finding as a comment beside its rule, so that a person who reads the
// draft needs no second list.

package lint

import (
	"fmt"
	"strings"

	"sallyport/rules/profile"
)

// Beside returns the text of a profile with the findings about its rules that no note explains:
// each is a comment above its rule. A missing section has none, because mostly all rules lack it. It also returns the number of rules that have such a comment.
func Beside(text []byte, findings []Finding) (out []byte, commented int) {
	above := map[int][]string{} // number of a line -> comments
	for _, f := range findings {
		if f.Rule == "" || f.Noted() || f.Check == Syntax || f.Check == Source {
			continue
		}
		said := strings.Join(strings.Fields(f.Text), " ")
		_, id, _ := strings.Cut(f.Rule, "/")
		said = strings.TrimPrefix(said, fmt.Sprintf("rule %q: ", id))
		above[f.Line] = append(above[f.Line], "# "+profile.Beside+said)
	}
	var lines []string
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "[[rule]]") && len(above[i+1]) > 0 {
			lines = append(lines, above[i+1]...)
			commented++
		}
		lines = append(lines, line)
	}
	return []byte(strings.Join(lines, "\n")), commented
}
