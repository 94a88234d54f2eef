// Lookalike tests: bytes that a lenient server reads as TLS or HTTP, and bytes of other
// protocols.

package head

import "testing"

func TestLookalike(t *testing.T) {
	for _, c := range []struct {
		first string
		want  Likeness
	}{
		{"\x14\x03\x01\x00\x01\x01", Alike},
		{"\x14\x03", Alike},
		{"\x15\x03\x01\x00\x02\x01\x5a", Alike},
		{"\x15\x03\x09", Alike},
		{"\x15\x00\x01\x00\x02\x01\x5a", Alike}, // Go takes every version of an alert below 0x1000
		{"\x15\x0f\xff\x00\x02\x01\x5a", Alike},
		{"\x17\x03\x01\x00\x00", Alike},
		{"\x18\x03\x03", Alike},
		{"\x80\x2e\x01\x03\x01", Alike},
		{"\x80\x2e\x01\x00\x02", Alike},
		{"\xb0\x00\x01\x03\x03", Alike},
		{"PROXY TCP4 ", Alike},
		{"\r\n\r\n\x00\r\nQUIT\n\x21", Alike},

		{"\x14", Perhaps},
		{"\x15\x00", Perhaps},
		{"\x15\x00\x01\x00", Perhaps},
		{"\x80", Perhaps},
		{"\x80\x2e\x01", Perhaps},

		{"\x14\x01", Unlike},
		{"\x17\x00\x00\x01", Unlike},
		{"\x15\x10\x01\x00\x02", Unlike},
		{"\x15\x01\x00\x00\x07\x00", Unlike}, // other protocols have such a length
		{"\x80\x00\x00", Unlike},
		{"\x80\x2e\x01\x00\x03", Unlike},
		{"\xff\xfd\x01", Unlike}, // telnet
		{"PROXIMA", Unlike},
		{"\r\n\r\n\x00", Unlike}, // not yet; see Line
		{"\r\n\r\nQUIT", Unlike},
		{"\x00", Unlike},
	} {
		if got, detail := Lookalike([]byte(c.first)); got != c.want || got == Alike && detail == "" {
			t.Errorf("%q: %d (%s), want %d", c.first, got, detail, c.want)
		}
	}
}
