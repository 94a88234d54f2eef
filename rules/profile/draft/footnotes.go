// Footnotes: the text below a table that a mark in a cell refers to.

package draft

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxFootnote is how many characters of a footnote a draft quotes.
const maxFootnote = 400

// footnoteLine is a line that begins with a mark: "[^1] If …", "[1] If …", "[^1]: If …",
// "¹ If …", "* If …".
var footnoteLine = regexp.MustCompile(`^\s*((?:\[\^[^\]]{1,8}\])|\[(?:[0-9]{1,3}|[A-Za-z]|\*+)\]|\^[0-9]{1,3}\^?|[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}|[†‡§※]{1,3}|\*{1,3}(?:\s|[:)]))[:.)]?\s*(\S.*)$`)

// footnotesOf returns the footnotes of a text, by their marks. The first line with a mark
// counts.
func footnotesOf(text string) map[string]string {
	notes := map[string]string{}
	for line := range strings.Lines(text) {
		m := footnoteLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		if key := markKey(m[1]); notes[key] == "" {
			notes[key] = shortened(clean(m[2]))
		}
	}
	return notes
}

// shortened cuts a long footnote.
func shortened(s string) string {
	if r := []rune(s); len(r) > maxFootnote {
		return string(r[:maxFootnote]) + " …"
	}
	return s
}

// markKey returns a mark in one form: "1" for "[^1]", "[1]", "^1^", "(1)" and "¹".
func markKey(mark string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		switch r {
		case '[', ']', '(', ')', '^', ':', ' ', '\t':
			return -1
		case '¹':
			return '1'
		case '²':
			return '2'
		case '³':
			return '3'
		case '⁰', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹':
			return r - '⁰' + '0'
		}
		return r
	}, mark))
}

// marksOf returns the footnote marks of a cell.
func marksOf(cell string) (keys []string) {
	cell = strings.Map(plainSpace, cell)
	for _, form := range []*regexp.Regexp{footnoteForm, bracketForm} {
		for _, m := range form.FindAllString(cell, -1) {
			keys = appendNew(keys, markKey(m))
		}
		cell = form.ReplaceAllString(cell, "")
	}
	for _, m := range starForm.FindAllString(cell, -1) {
		keys = appendNew(keys, m[1:])
	}
	raised := ""
	for _, r := range cell + " " {
		switch {
		case isMarkRune(r):
			raised += string(r)
		case raised != "":
			keys, raised = appendNew(keys, markKey(raised)), ""
		}
	}
	return keys
}

// footnotes quotes the footnotes that the marks of a row refer to.
func (e *Entry) footnotes(cells []string, notes map[string]string) {
	if len(notes) == 0 {
		return
	}
	for _, c := range cells {
		for _, key := range marksOf(c) {
			if text := notes[key]; text != "" {
				e.Footnotes = appendNew(e.Footnotes, fmt.Sprintf("footnote %s: %s", key, text))
			}
		}
	}
}

// footnotesOfPage returns the footnotes of a page: its lines outside of tables, the cells that
// cover a whole row, and the elements that a raised link leads to.
func footnotesOfPage(root *html.Node, tables []Table) map[string]string {
	targets := map[string]string{} // id of an element -> mark
	var b strings.Builder
	for n := range root.Descendants() {
		to, _ := attribute(n, "href")
		if id, is := strings.CutPrefix(to, "#"); is && id != "" && n.DataAtom == atom.A {
			if mark := clean(textOf(n)); isMarkText(strings.Trim(mark, "^")) && targets[id] == "" {
				targets[id] = mark
			}
		}
		if lines[n.DataAtom] && n.DataAtom != atom.Table && nearestTable(n) == nil && !holdsBlock(n) {
			b.WriteString(strings.Map(plainSpace, textOf(n)) + "\n")
		}
	}
	for _, t := range tables {
		for _, r := range t.Rows {
			if title := r.title(); title != "" {
				b.WriteString(title + "\n")
			}
		}
	}
	notes := footnotesOf(b.String())
	for n := range root.Descendants() {
		id, _ := attribute(n, "id")
		mark := markKey(targets[id])
		if id == "" || mark == "" || notes[mark] != "" {
			continue
		}
		text, _ := unmark(textOf(n))
		text = clean(strings.TrimPrefix(strings.Trim(clean(text), "↩↑^ "), mark))
		if !isMarkText(text) && text != "" {
			notes[mark] = shortened(text)
		}
	}
	return notes
}

// holdsBlock reports whether an element has an element in it that begins a line of its own: that
// element is read by itself.
func holdsBlock(n *html.Node) bool {
	for c := range n.Descendants() {
		if lines[c.DataAtom] && c.DataAtom != atom.Br {
			return true
		}
	}
	return false
}
