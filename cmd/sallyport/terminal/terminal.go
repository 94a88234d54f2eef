// Package terminal writes for people at a terminal: a progress bar while work
// takes long, and text that cannot control the terminal.
package terminal

import (
	"io"
	"os"
	"strings"
	"unicode"
)

// Is reports whether w is a terminal that can redraw a line.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// Color reports whether text on w may have colours.
func Color(w io.Writer) bool { return Is(w) && os.Getenv("NO_COLOR") == "" }

// Printable returns s on one line, with a space for every character that a
// terminal might not print.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
