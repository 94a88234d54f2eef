// JSON: the one way in which an answer is printed as JSON. What a terminal
// might obey or hide is escaped, wherever the text came from.

package denials

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// WriteJSON writes a value and a newline: on one line, or with an indent on
// several. encoding/json leaves C1 controls, DEL, bidirectional and other format
// characters as they are; here they are escaped as in the journal, and a reader
// gets the same text back.
func WriteJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	l := line{b: make([]byte, 0, b.Len())}
	for s := b.String(); s != ""; {
		i := strings.IndexFunc(s, hidden)
		if i < 0 {
			l.b = append(l.b, s...)
			break
		}
		l.b = append(l.b, s[:i]...)
		s = s[i+l.hide(s[i:]):]
	}
	_, err := w.Write(l.b)
	return err
}

// writeJSON writes one value on one line.
func writeJSON(w io.Writer, v any) error { return WriteJSON(w, v, "") }
