// Notes: the comments of a profile that begin with NOTE, which are rows of the document without
// a decision.

package profile

import (
	"bytes"
	"strings"

	"sallyport/rules"
)

// Beside begins a comment that is about the rule below it, as sallyport profiles import writes
// one for each finding of sallyport profiles check. It is no row without a decision: the rule is
// there, and check goes on to report the finding until the rule's note explains it.
const Beside = "NOTE beside the rule: "

// readNotes returns the blocks of comments that begin with NOTE, as sallyport profiles import
// writes them: the open question, the row of the document, and the rule that the row may become.
// A block ends before the next NOTE, and before a line that is no comment.
func readNotes(data []byte) (out []rules.Note) {
	if !bytes.Contains(data, []byte("NOTE")) {
		return nil
	}
	open := false
	for i, line := range strings.Split(string(data), "\n") {
		text, comment := strings.CutPrefix(strings.TrimSpace(line), "#")
		text = strings.Join(strings.Fields(text), " ")
		switch rest, begins := strings.CutPrefix(text, "NOTE"); {
		case !comment, strings.HasPrefix(text, strings.TrimSpace(Beside)):
			open = false
		case begins:
			open = true
			out = append(out, rules.Note{Line: i + 1, Why: question(rest)})
		case open:
			addToNote(&out[len(out)-1], text)
		}
	}
	return out
}

// question returns the open question of a NOTE, without the place of its row: the place changes
// with each row that a vendor adds above.
func question(text string) string {
	text = strings.TrimSpace(strings.TrimPrefix(text, ":"))
	if _, why, ok := strings.Cut(text, " is no rule yet: "); ok {
		return why
	}
	return text
}

// addToNote adds a further line of the block: the row, a footnote, or a line of the possible
// feature and rule. The id of that rule and the name of the feature say nothing of their own,
// because import makes them of the destination or the place.
func addToNote(n *rules.Note, text string) {
	key, _, _ := strings.Cut(text, " ")
	switch {
	case strings.HasPrefix(text, "Also in the row:"), strings.HasPrefix(text, "proposal:"), strings.HasPrefix(text, "Protocol:"): // they say nothing more than the row
	case n.Rule == "" && strings.HasPrefix(text, "footnote "):
		n.Footnotes = strings.TrimSpace(n.Footnotes + "\n" + text)
	case n.Rule == "" && !strings.HasPrefix(text, "[["):
		n.Row = strings.TrimSpace(n.Row + " " + text)
	case (key == "id" || key == "name" || key == "when") && strings.Contains(text, "="):
	default:
		n.Rule = strings.TrimSpace(n.Rule + "\n" + text)
	}
}
