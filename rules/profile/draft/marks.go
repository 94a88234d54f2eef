// Marks: footnote marks, struck-out text and hidden text, which are never part of a value.

package draft

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The readers of the formats write marks in these forms into the text of a cell:
// "[^1]" is a footnote mark, "~~80~~" is struck out, and "[hidden: 80]" is hidden.
var (
	footnoteForm = regexp.MustCompile(`\[\^[^\]]*\]|\^\(?[0-9A-Za-z*]{1,3}\)?\^?`)
	bracketForm  = regexp.MustCompile(`\[\s*(?:[0-9]{1,3}|[A-Za-z]|\*+|(?i:note|fn)\s*[0-9]*)\s*\]`)
	starForm     = regexp.MustCompile(`[0-9A-Za-z)]\*+`)
	struckForm   = regexp.MustCompile(`~+[^~]*~+`)
	hiddenForm   = regexp.MustCompile(`\[hidden: [^\]]*\]`)
)

// unmark removes every mark from a cell. It returns the rest and a doubt for each kind
// of mark: a footnote can change what the value means.
func unmark(cell string) (rest string, doubts []string) {
	cell = strings.Map(plainSpace, cell)
	rest = hiddenForm.ReplaceAllString(cell, " ")
	if rest != cell {
		doubts = append(doubts, fmt.Sprintf("hidden in the page: %q", clean(cell)))
	}
	if strings.Contains(rest, "~~") || struckForm.MatchString(rest) {
		doubts = append(doubts, fmt.Sprintf("struck out in the document: %q", clean(cell)))
		rest = strings.ReplaceAll(struckForm.ReplaceAllString(rest, " "), "~~", " ")
	}
	before := rest
	rest = footnoteForm.ReplaceAllString(rest, "")
	rest = cutAtEnd(rest, bracketForm, 0)
	rest = cutAtEnd(rest, starForm, 1)
	rest = strings.Map(func(r rune) rune {
		if isMarkRune(r) {
			return -1
		}
		return r
	}, rest)
	if rest != before {
		doubts = append(doubts, fmt.Sprintf("%q has a footnote mark: read the footnote", clean(before)))
	}
	return rest, doubts
}

// plainSpace makes a space of every other character that separates words in a line, such
// as the no-break space.
func plainSpace(r rune) rune {
	if unicode.Is(unicode.Zs, r) {
		return ' '
	}
	return r
}

// cutAtEnd removes the matches that end a word, but for their first keep octets. A match
// inside a word, such as "host[1].example", is a part to be filled in.
func cutAtEnd(s string, form *regexp.Regexp, keep int) string {
	var b strings.Builder
	from := 0
	for _, m := range form.FindAllStringIndex(s, -1) {
		next, _ := utf8.DecodeRuneInString(s[m[1]:])
		if m[1] < len(s) && !unicode.IsSpace(next) && !strings.ContainsRune(",;)[:|†‡", next) {
			continue
		}
		b.WriteString(s[from : m[0]+keep])
		from = m[1]
	}
	return b.String() + s[from:]
}

// isMarkRune reports whether r is a footnote mark by itself: a dagger, a raised, lowered
// or circled digit or letter. The rules for names (UTS 46) would make "1" of a raised 1.
func isMarkRune(r rune) bool {
	switch {
	case r < 0x80:
		return false
	case unicode.Is(unicode.No, r), strings.ContainsRune("†‡§¶※ªºⁱⁿ⁺", r):
		return true
	case 0x1d2c <= r && r <= 0x1d6a, 0x2090 <= r && r <= 0x209c, 0x24b6 <= r && r <= 0x24e9:
		return true
	}
	return false
}

// asMark writes the text of a raised element as a footnote mark.
func asMark(text string) string { return "[^" + markText(text) + "]" }

// asStruck writes struck-out text.
func asStruck(text string) string { return "~~" + markText(text) + "~~" }

// asHidden writes hidden text.
func asHidden(text string) string { return "[hidden: " + markText(text) + "]" }

// markText removes the characters that would end a mark.
func markText(text string) string {
	return clean(strings.NewReplacer("[", " ", "]", " ", "~", " ", "^", " ").Replace(text))
}

// isMarkText reports whether a short text reads as a footnote mark: "1", "[2]", "a", "*".
func isMarkText(text string) bool {
	text = strings.Trim(text, "[]() ")
	return len(text) == 1 || len(text) == 2 && strings.Trim(text, "0123456789*") == "" || strings.Trim(text, "*†‡") == ""
}
