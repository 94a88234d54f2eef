// Tests of Pieces: how much of a chunked answer has arrived.

package head

import "testing"

// Pieces counts as available exactly what net/http's reader finds, however an answer is cut.
// The data stays the same.
func TestPiecesAreCounted(t *testing.T) {
	text := "5\r\nhello\r\n1;x=\"y\"\r\n,\r\n0006 \r\n world\r\n0\r\nX: y\r\n\r\n"
	for cut := range text {
		var s Pieces
		for _, part := range []string{text[:cut], text[cut:]} {
			s.Feed([]byte(part))
		}
		if s.place != placeOver || s.data != int64(len("hello, world")) {
			t.Errorf("cut after %d: place %d, %d bytes", cut, s.place, s.data)
		}
	}
	for at, head := 0, "HTTP/1.1 103 A\r\n\r\nHTTP/1.1 200 OK\nX: y\n\nbody"; at < len(head); at++ {
		var e Splitter
		if first := e.Cut([]byte(head[:at])); first < at && first != 18 && first != 40 {
			t.Errorf("%q is cut after %d", head[:at], first)
		}
	}
}
