// Direction: which side opens the connection, as the document says it.

package draft

import (
	"fmt"
	"strings"
)

// A direction is a set of the ways of a connection, seen from the role.
type direction struct{ in, out bool }

// directionWords are the words of a direction column in some languages. A word that is
// not here is a doubt.
var directionWords = map[string]direction{
	"in": {in: true}, "inbound": {in: true}, "incoming": {in: true}, "ingress": {in: true}, "listen": {in: true},
	"listening": {in: true}, "receive": {in: true}, "eingehend": {in: true}, "ein": {in: true}, "entrant": {in: true},
	"entrante": {in: true}, "wejście": {in: true}, "przychodzący": {in: true}, "входящий": {in: true},
	"входящие": {in: true}, "入站": {in: true}, "入方向": {in: true}, "入向": {in: true}, "受信": {in: true},
	"←": {in: true}, "<-": {in: true}, "⇐": {in: true}, "<=": {in: true}, "<": {in: true},
	"out": {out: true}, "outbound": {out: true}, "outgoing": {out: true}, "egress": {out: true}, "send": {out: true},
	"ausgehend": {out: true}, "aus": {out: true}, "sortant": {out: true}, "saliente": {out: true}, "uscente": {out: true},
	"wyjście": {out: true}, "wychodzący": {out: true}, "исходящий": {out: true}, "исходящие": {out: true},
	"出站": {out: true}, "出方向": {out: true}, "出向": {out: true}, "送信": {out: true},
	"→": {out: true}, "->": {out: true}, "⇒": {out: true}, "=>": {out: true}, ">": {out: true},
	"both": {true, true}, "bidirectional": {true, true}, "bi-directional": {true, true}, "two-way": {true, true},
	"inout": {true, true}, "beide": {true, true}, "bidirektional": {true, true}, "bidirectionnel": {true, true},
	"bidireccional": {true, true}, "双向": {true, true}, "雙向": {true, true}, "↔": {true, true}, "<->": {true, true},
	"⇔": {true, true}, "<=>": {true, true}, "<>": {true, true}, "⇄": {true, true}, "⇆": {true, true},
}

// directionOf reads a text that consists of words of direction. ok is false if it has
// another word, or no word.
func directionOf(text string) (d direction, ok bool) {
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" \t\n/,&+();:", r) }) {
		one, known := directionWords[w]
		switch {
		case known:
			d.in, d.out, ok = d.in || one.in, d.out || one.out, true
		case w == "and" || w == "or" || w == "und" || w == "only" || w == "nur" || w == "traffic" || w == "directions":
		default:
			return direction{}, false
		}
	}
	return d, ok
}

// mentions returns the directions that a title or a heading names among other words.
// Some words do not count: "in" and "both" are words of many sentences.
func mentions(title string) direction {
	var d direction
	for _, w := range strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return strings.ContainsRune(" \t\n/,&+();:", r) }) {
		one, ok := directionWords[w]
		if !ok {
			one = directionWords[strings.TrimSuffix(w, "e")] // "eingehende"
		}
		switch w {
		case "in", "out", "ein", "aus", "listen", "send", "receive", "both", "beide", "<", ">":
		default:
			d.in, d.out = d.in || one.in, d.out || one.out
		}
	}
	return d
}

// doubt says why a row with this direction is no rule: a rule permits what its role opens.
func (d direction) doubt(text string) []string {
	switch {
	case d.in && d.out:
		return []string{fmt.Sprintf("the direction is %q: a rule permits only what the role opens; keep the row if the role opens these connections", clean(text))}
	case d.in:
		return []string{fmt.Sprintf("the direction is %q: the other side opens these connections, and a rule permits only what the role opens", clean(text))}
	}
	return nil
}

// directionDoubts reads the direction of a row: of its own column, of a cell that holds
// nothing else, of the title of the columns, or of the heading. inbound reports whether the
// other side alone opens the connections.
func (f *fields) directionDoubts(cells []string, heading string) (doubts []string, inbound bool) {
	if f.hasDirection {
		text, marks := unmark(f.direction)
		d, ok := directionOf(text)
		switch {
		case len(marks) > 0:
			return marks, false
		case clean(text) == "":
			return []string{"the direction is missing: the column of directions is empty in this row"}, false
		case !ok:
			return []string{fmt.Sprintf("the direction %q is not understood: outbound, inbound or both", clean(text))}, false
		}
		return d.doubt(text), d.in && !d.out
	}
	for _, cell := range cells {
		text, _ := unmark(cell)
		switch d, ok := directionOf(text); strings.ToLower(clean(text)) {
		case "both", "beide", "send", "receive", "listen": // of something else, perhaps
		default:
			if ok && d.in {
				return d.doubt(text), d.in && !d.out
			}
		}
	}
	for _, title := range []string{f.titles, heading} {
		if d := mentions(title); d.in {
			return d.doubt(title), d.in && !d.out
		} else if d.out {
			return nil, false
		}
	}
	return nil, false
}

// sourceDoubts compares the party in the source column with the role.
func (f *fields) sourceDoubts(role string) []string {
	text, marks := unmark(f.source)
	text = clean(text)
	switch low := strings.ToLower(text); {
	case !f.hasSource:
		return nil
	case len(marks) > 0:
		return marks
	case text == "":
		return []string{"the source is missing: the column of sources is empty in this row"}
	case ruleID(text) == role || low == "any" || low == "all" || low == "*":
		return nil
	}
	return []string{fmt.Sprintf("the source is %q, and the role of this import is %q", text, role)}
}
