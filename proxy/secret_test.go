// Secret tests: no password, path or query of a SOCKS5 request gets into the journal as part of
// an unreadable text.

package proxy

import (
	"io"
	"strings"
	"testing"

	"sallyport/rules"
)

func TestSOCKSKeepsNoSecret(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"user:hunter2@a.example", ""},
		{"a.example?token=hunter2", "a.example"},
		{"a.example:443", "a.example:443"},
	} {
		w := newWorld(t, nil)
		conn := w.dial(w.socks)
		io.WriteString(conn, greeting+nameRequest(1, c[0], 443))
		io.Copy(io.Discard, conn)
		if a := w.wantOne(rules.Deny, rules.MalformedName).a; string(a.Raw) != c[1] || strings.Contains(a.Detail, "hunter2") {
			t.Errorf("%q: kept %q, detail %q; want %q", c[0], a.Raw, a.Detail, c[1])
		}
	}
}
