// Escape: makes text from clients safe for a terminal or a browser.

package journal

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns s with all characters escaped that a terminal might obey or
// hide.
func Visible(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// EscapeJSON returns JSON with all characters escaped that a terminal might
// obey or hide, as in the journal. A JSON reader gets the same values.
func EscapeJSON(text string) []byte {
	l := line{b: make([]byte, 0, len(text))}
	for s := text; s != ""; {
		i := strings.IndexFunc(s, hidden)
		if i < 0 {
			l.b = append(l.b, s...)
			break
		}
		l.b = append(l.b, s[:i]...)
		s = s[i+l.hide(s[i:]):]
	}
	return l.b
}

// hidden reports whether a terminal might obey or hide r.
func hidden(r rune) bool { return r >= utf8.RuneSelf && !unicode.IsPrint(r) || r == 0x7f }

// hide writes the first character of v escaped and returns its length.
func (l *line) hide(v string) int {
	if v[0] == 0x7f {
		l.unicode(0x7f)
		return 1
	}
	return l.rune(v)
}
