// SOCKS5 login tests: RFC 1929, and the choice of the method.

package proxy

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"sallyport/rules"
)

func socksLogin(user, password string) string {
	return "\x01" + string(rune(len(user))) + user + string(rune(len(password))) + password
}

func TestSOCKSLogin(t *testing.T) {
	t.Parallel()
	request := nameRequest(1, "a.example", 5000)
	const asked, right, wrong, none = "\x05\x02", "\x01\x00", "\x01\x01", "\x05\xff"
	for _, c := range []struct {
		name, from, sent, answer string
		reason                   rules.Reason
		user                     string
	}{
		{"right", "127.0.0.1", "\x05\x02\x00\x02" + socksLogin("alice", "open sesame") + request, asked + right + reply(0), rules.ReasonNone, "alice"},
		{"right, only passwords", "127.0.0.1", "\x05\x01\x02" + socksLogin("alice", "open sesame") + request, asked + right + reply(0), rules.ReasonNone, "alice"},
		{"wrong", "127.0.0.1", "\x05\x02\x00\x02" + socksLogin("alice", "guess") + request, asked + wrong, rules.Unauthenticated, ""},
		{"unknown", "127.0.0.1", "\x05\x01\x02" + socksLogin("mallory", "open sesame") + request, asked + wrong, rules.Unauthenticated, ""},
		{"no user", "127.0.0.1", "\x05\x01\x02" + socksLogin("", "x") + request, asked + wrong, rules.Unauthenticated, ""},
		{"no password", "127.0.0.1", "\x05\x01\x02" + socksLogin("alice", "") + request, asked + wrong, rules.Unauthenticated, ""},
		{"NUL", "127.0.0.1", "\x05\x01\x02" + socksLogin("alice", "open sesame\x00") + request, asked + wrong, rules.Unauthenticated, ""},
		{"offers none alone", "127.0.0.1", greeting + request, none, rules.Unauthenticated, ""},
		{"offers GSSAPI", "127.0.0.1", "\x05\x01\x01", none, rules.MalformedRequest, ""},
		{"no login after the choice", "127.0.0.1", "\x05\x02\x00\x02" + request, asked, rules.MalformedRequest, ""},
		{"half a login", "127.0.0.1", "\x05\x01\x02\x01\x05ali", asked, rules.MalformedRequest, ""},
		{"elsewhere nobody logs in", "127.0.0.2", "\x05\x02\x00\x02" + request, "\x05\x00" + reply(2), rules.NotListed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newLogins(t)
			w.origin("8.8.8.8:5000", nil)
			conn := w.dialFrom(c.from, w.socks)
			io.WriteString(conn, c.sent)
			conn.CloseWrite()
			got, _ := io.ReadAll(conn)
			if string(got) != c.answer {
				t.Errorf("answer %x, want %x", got, c.answer)
			}
			if c.reason == rules.ReasonNone {
				if cl := w.wantClosed(); cl.Attempt.Identity == nil || cl.Attempt.Identity.User != c.user {
					t.Errorf("%+v", cl.Attempt.Identity)
				}
				return
			}
			if r := w.wantOne(rules.Deny, c.reason); r.a.Identity != nil || strings.Contains(fmt.Sprintf("%+v", r.a), "sesame") {
				t.Errorf("%+v", r.a)
			}
			if len(w.dialed()) > 0 {
				t.Errorf("dialed %v", w.dialed())
			}
		})
	}
}

func FuzzSOCKS5Login(f *testing.F) {
	for _, s := range []string{socksLogin("alice", "open sesame"), "\x01\x00\x00", "\x01\x05ali", "\x05\x01", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		user, password, n, fault := parseLogin(b)
		switch {
		case fault != nil:
			if n != 0 || fault.detail == "" {
				t.Fatalf("%x: %d, %v", b, n, fault)
			}
		case n == 0:
			if len(b) >= maxLogin {
				t.Fatalf("%d bytes and no answer", len(b))
			}
		case n > len(b) || n > maxLogin || n != 3+len(user)+len(password) || user != string(b[2:2+len(user)]):
			t.Fatalf("%x: %q, %q, %d", b, user, password, n)
		}
	})
}
