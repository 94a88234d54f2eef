// Markdown: the tables of GitHub-flavoured Markdown.

package draft

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// readMarkdown reads the tables of GitHub-flavoured Markdown. The lines of a table have
// cells between bars, and the second line is a row of dashes. Only headings in ATX form
// count (CommonMark 4.2).
func readMarkdown(data []byte) []Table {
	var out []Table
	var section, heading string
	var head []string // cells of the last line, which may be a header
	inside := false
	line := 0
	for text := range strings.Lines(unseenInMarkdown(string(data))) {
		line++
		text = strings.TrimSpace(text)
		if h := strings.TrimLeft(text, "#"); len(h) < len(text) && strings.HasPrefix(h, " ") {
			heading = clean(strings.Trim(h, "# "))
			section, inside, head = sectionOf(heading), false, nil
			continue
		}
		if !strings.Contains(text, "|") {
			inside, head = false, nil
			continue
		}
		cells := barCells(text)
		switch {
		case inside:
			out[len(out)-1].Rows = append(out[len(out)-1].Rows, Row{Line: line, Cells: cells})
		case dashes(cells) && len(head) == len(cells):
			out = append(out, Table{Section: section, Heading: heading, Header: head})
			inside = true
		default:
			head = cells
		}
	}
	return out
}

// barCells splits a line at its bars. A bar after a backslash is text.
func barCells(line string) []string {
	const bar = "\x00"
	line = strings.ReplaceAll(line, `\|`, bar)
	line = strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|")
	// "\*" is a star that is not emphasis.
	marks := strings.NewReplacer(bar, "|", "`", "", "<br>", "\n", "<br/>", "\n", "<br />", "\n", `\*`, "*", "**", "")
	cells := strings.Split(line, "|")
	for i, c := range cells {
		cells[i] = htmlInMarkdown(strings.TrimSpace(marks.Replace(c)))
	}
	return cells
}

// Parts of a Markdown document that a reader does not see, and tags in a cell that
// change its meaning.
var (
	unseenParts = regexp.MustCompile(`(?is)<!--.*?(?:-->|$)|<(?:script|style|template)\b.*?(?:</(?:script|style|template)\s*>|$)`)
	meaningful  = regexp.MustCompile(`(?i)</?(?:sup|sub|s|del|strike|ins|span|small|p|div|li|ul|a)(?:\s[^<>]*)?>`)
)

// unseenInMarkdown removes comments and scripts, and keeps their line ends.
func unseenInMarkdown(text string) string {
	return unseenParts.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) })
}

// htmlInMarkdown reads the HTML in a cell. A cell without a tag that import knows stays
// as it is: "<region>.x.example" has a part to be filled in.
func htmlInMarkdown(cell string) string {
	if !meaningful.MatchString(cell) {
		return cell
	}
	nodes, err := html.ParseFragment(strings.NewReader(cell), &html.Node{Type: html.ElementNode, Data: "td", DataAtom: atom.Td})
	if err != nil {
		return cell
	}
	var w textWriter
	for _, n := range nodes {
		w.node(n)
	}
	return strings.TrimSpace(w.String())
}

// dashes reports whether the cells are the cells of a delimiter row.
func dashes(cells []string) bool {
	for _, c := range cells {
		if c = strings.Trim(c, ": "); c == "" || strings.Trim(c, "-") != "" {
			return false
		}
	}
	return len(cells) > 0
}

// sectionOf returns the number that a heading begins with. If there is no number, it
// returns the heading.
func sectionOf(heading string) string {
	number, _, ok := strings.Cut(heading, " ")
	if ok && strings.Trim(number, "0123456789.") == "" && strings.Trim(number, ".") != "" {
		return strings.Trim(number, ".")
	}
	return heading
}
