// JSON: writes all JSON answers, with all characters escaped that a terminal
// might obey or hide.

package text

import (
	"bytes"
	"encoding/json"
	"io"

	"sallyport/denials/journal"
)

// WriteJSON writes a value and a newline, on one line or indented.
// encoding/json leaves C1 controls, DEL, bidirectional and other format
// characters as they are. WriteJSON escapes them as the journal does; a JSON
// reader gets the same text back.
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
