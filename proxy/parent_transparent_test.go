// Tests of redirected flows through a parent.

package proxy

import (
	"io"
	"strings"
	"testing"

	"sallyport/rules"
)

func TestRedirectedThroughParent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, keys, original, send, asked, by string
		mismatch                              bool
	}{
		{"TLS, by address", "", "8.8.8.8:443", "", "CONNECT 8.8.8.8:443 ", "address", false},
		{"TLS, by address, elsewhere", "", unlisted + ":443", "", "CONNECT 8.8.8.8:443 ", "address", true},
		{"TLS, by name", `by = "name"`, unlisted + ":443", "", "CONNECT a.example:443 ", "name", true},
		{"HTTP goes by CONNECT", "", "8.8.8.8:80", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "CONNECT 8.8.8.8:80 ", "address", false},
	} {
		w := newRedirectWorld(t, nil)
		w.parented(parentKeys + c.keys)
		parent := w.origin(parentAt, saying(accepted))
		send := c.send
		if send == "" {
			send = string(helloFor(t, "a.example"))
		}
		conn := w.to(c.original)
		io.WriteString(conn, send)
		w.eventually("the client's bytes at the parent", func() bool {
			_, rest, _ := strings.Cut(parent.received(), "\r\n\r\n")
			return strings.HasPrefix(parent.received(), c.asked) && strings.HasPrefix(rest, send[:16])
		})
		got := w.wantOne(rules.Allow, rules.ReasonNone)
		if got.a.DialedBy() != c.by || got.a.Parent.Name != "corporate" || got.a.Mismatch != c.mismatch {
			t.Errorf("%s: parent %v by %q, mismatch %t", c.what, got.a.Parent, got.a.DialedBy(), got.a.Mismatch)
		}
		w.onlyTo(parentAt)
		conn.Close()
	}
}

// A connection that was redirected on its way to the parent is a loop around sallyport: denied.
func TestRedirectedToTheParent(t *testing.T) {
	t.Parallel()
	w := newRedirectWorld(t, nil)
	w.parented(parentKeys)
	conn := w.to(parentAt)
	io.WriteString(conn, "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n")
	w.wantOne(rules.Deny, rules.Self)
	if len(w.dialed()) > 0 {
		t.Errorf("dialed %v", w.dialed())
	}
}

// A synthetic address stands for its name also where the parent resolves it: no mismatch, and
// nothing is looked up.
func TestSyntheticThroughParentByName(t *testing.T) {
	t.Parallel()
	w := newSyntheticWorld(t)
	w.policy("strict_destination = true\n" + strings.ReplaceAll(parentKeys, "auth_file = \"login\"\n", "") + "by = \"name\"\n" + syntheticConfig)
	parent := w.origin(parentAt, saying(accepted))
	conn := w.to(w.at("a.example", "443"))
	hello := string(helloFor(t, "a.example"))
	io.WriteString(conn, hello)
	w.eventually("the hello at the parent", func() bool { return strings.HasSuffix(parent.received(), hello) })
	if got := w.wantOne(rules.Allow, rules.ReasonNone).a; got.Mismatch || got.DialedBy() != "name" || !strings.HasPrefix(parent.received(), "CONNECT a.example:443 ") || len(w.lookedUp()) > 0 {
		t.Errorf("mismatch %t, by %q, looked up %v, the parent got %.40q", got.Mismatch, got.DialedBy(), w.lookedUp(), parent.received())
	}
}
