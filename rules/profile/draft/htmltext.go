// HTML text: what a reader of a page sees of a cell, with marks for what is raised, struck
// out or hidden.

package draft

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// unseen are the elements whose content a browser does not show as text of the page.
var unseen = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Template: true, atom.Noscript: true, atom.Iframe: true, atom.Noembed: true,
	atom.Noframes: true, atom.Object: true, atom.Textarea: true, atom.Select: true, atom.Datalist: true, atom.Head: true,
	atom.Audio: true, atom.Video: true, atom.Svg: true, atom.Canvas: true, atom.Rp: true, atom.Rt: true,
}

// lines are the elements that begin on a line of their own, and end it.
var lines = map[atom.Atom]bool{
	atom.Br: true, atom.P: true, atom.Li: true, atom.Ul: true, atom.Ol: true, atom.Div: true, atom.Dl: true, atom.Dt: true,
	atom.Dd: true, atom.Hr: true, atom.Pre: true, atom.Blockquote: true, atom.Section: true, atom.Article: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Table: true,
	atom.Details: true, atom.Summary: true, atom.Address: true,
}

// Styles and classes by which an element itself says that it is hidden, struck out or
// raised. Style sheets are not read.
var (
	hiddenStyle = regexp.MustCompile(`(?i)display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0(?:\.0*)?\s*(?:;|!|$)|font-size\s*:\s*0[a-z]*\s*(?:;|!|$)`)
	struckStyle = regexp.MustCompile(`(?i)line-through`)
	raisedStyle = regexp.MustCompile(`(?i)vertical-align\s*:\s*(?:super|sub|top|text-top)`)

	hiddenClasses = []string{"hidden", "d-none", "hide", "is-hidden", "invisible", "sr-only", "visually-hidden"}
	struckClasses = []string{"line-through", "strikethrough", "strike", "deleted", "removed"}
)

// attribute returns an attribute, and whether the element has it.
func attribute(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

// hasClass reports whether an element has one of the classes.
func hasClass(n *html.Node, classes []string) bool {
	class, _ := attribute(n, "class")
	return slices.ContainsFunc(strings.Fields(strings.ToLower(class)), func(c string) bool { return slices.Contains(classes, c) })
}

func isHidden(n *html.Node) bool {
	style, _ := attribute(n, "style")
	_, hidden := attribute(n, "hidden")
	return hidden || hiddenStyle.MatchString(style) || hasClass(n, hiddenClasses)
}

func isStruck(n *html.Node) bool {
	style, _ := attribute(n, "style")
	return n.DataAtom == atom.S || n.DataAtom == atom.Del || n.DataAtom == atom.Strike || struckStyle.MatchString(style) || hasClass(n, struckClasses)
}

// rowMarks returns the doubts of a row that is hidden or struck out, or stands in a part
// of the page that is. shown is false if the row is no part of the page: a template.
func rowMarks(tr *html.Node) (doubts []string, shown bool) {
	hidden, struck := false, false
	for n := tr; n != nil; n = n.Parent {
		if unseen[n.DataAtom] {
			return nil, false
		}
		hidden, struck = hidden || isHidden(n), struck || isStruck(n)
	}
	if hidden {
		doubts = append(doubts, "the row is hidden in the page")
	}
	if struck {
		doubts = append(doubts, "the row is struck out in the document")
	}
	return doubts, true
}

// textOf returns the text of a node. A line break, and the beginning and the end of a
// block, end a line.
func textOf(n *html.Node) string {
	var w textWriter
	w.node(n)
	return strings.TrimSpace(w.String())
}

// textWriter collects the text of a cell.
type textWriter struct {
	strings.Builder

	ended bool // an element ended, and no text has followed it
}

func (w *textWriter) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		w.WriteString(w.spaced(n))
		w.ended = w.ended && n.Data == ""
		return
	case n.Type == html.CommentNode, unseen[n.DataAtom]:
		return
	case n.DataAtom == atom.Table && n.Parent != nil && nearestTable(n) != nil:
		w.WriteByte('\n') // a table inside a cell is read by itself
		return
	case n.DataAtom == 0 && n.Type == html.ElementNode && !strings.Contains(n.Data, "-"):
		w.WriteString("<" + markText(n.Data) + ">") // "<region>.x.example"
	case lines[n.DataAtom]:
		w.WriteByte('\n')
		defer w.WriteByte('\n')
	case w.ended && n.Type == html.ElementNode && n.DataAtom != atom.Sup && n.DataAtom != atom.Sub:
		w.WriteByte(' ') // "<code>a.example</code><code>b.example</code>"
	}
	w.element(n)
	w.ended = n.Type == html.ElementNode
}

// spaced returns the text of a text node. The end of a line in the source is a space on the
// page, except in <pre>.
func (w *textWriter) spaced(n *html.Node) string {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.DataAtom == atom.Pre {
			return n.Data
		}
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(n.Data)
}

// element writes the content of an element, with its mark.
func (w *textWriter) element(n *html.Node) {
	mark := w.markOf(n)
	if mark == nil {
		w.content(n)
		return
	}
	var inner textWriter
	inner.content(n)
	if text := clean(inner.String()); text != "" {
		w.WriteString(mark(text))
	}
}

// content writes the children of a node.
func (w *textWriter) content(n *html.Node) {
	w.ended = false
	for c := range n.ChildNodes() {
		w.node(c)
	}
}

// markOf returns how to write an element that is hidden, struck out or raised; nil: its
// text is part of the value.
func (w *textWriter) markOf(n *html.Node) func(string) string {
	style, _ := attribute(n, "style")
	switch {
	case isHidden(n):
		return asHidden
	case isStruck(n):
		return asStruck
	case n.DataAtom == atom.Sup, n.DataAtom == atom.Sub:
		return asMark
	}
	cell := n.DataAtom == atom.Td || n.DataAtom == atom.Th || n.DataAtom == atom.Tr
	to, _ := attribute(n, "href")
	raised := n.DataAtom == atom.Small || n.DataAtom == atom.A && strings.Contains(to, "#") || raisedStyle.MatchString(style)
	if raised && !cell && strings.TrimSpace(w.String()) != "" {
		var inner textWriter
		inner.content(n)
		if isMarkText(clean(inner.String())) {
			return asMark
		}
	}
	return nil
}

// rowLines returns the line of the page on which each <tr> begins, which the parser's
// tree does not keep. It returns nil if the page leaves tags out, because then no line is
// certain.
func rowLines(data []byte, root *html.Node) map[*html.Node]int {
	var at []int
	z := html.NewTokenizer(bytes.NewReader(data))
	line := 1
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		raw := z.Raw()
		begin := line
		line += bytes.Count(raw, []byte("\n"))
		if name, _ := z.TagName(); kind == html.StartTagToken && string(name) == "tr" {
			at = append(at, begin)
		}
	}
	of := map[*html.Node]int{}
	n := 0
	for tr := range root.Descendants() {
		if tr.DataAtom == atom.Tr && tr.Type == html.ElementNode {
			if n < len(at) {
				of[tr] = at[n]
			}
			n++
		}
	}
	if n != len(at) {
		return nil
	}
	return of
}
