// JSON: the one way in which an answer is printed as JSON. What a terminal
// might obey or hide is escaped, wherever the text came from.

package text

import (
	"bytes"
	"encoding/json"
	"io"

	"sallyport/denials/journal"
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
	_, err := w.Write(journal.EscapeJSON(b.String()))
	return err
}

// writeJSON writes one value on one line.
func writeJSON(w io.Writer, v any) error { return WriteJSON(w, v, "") }
