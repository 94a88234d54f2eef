// Login tests: users who log in to the HTTP proxy and to SOCKS5.

package proxy

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sallyport/proxy/proof"
	"sallyport/rules"
	"sallyport/rules/site"
)

const loginConfig = `
[[client]]
name       = "people"
sources    = ["127.0.0.1"]
users_file = "users"
profiles   = []

[[client]]
name     = "hosts"
sources  = ["127.0.0.2"]
profiles = []

[[rule]]
id     = "web"
client = "people"
to     = ["a.example"]
tcp    = [80, 443, 5000]
reason = "test"
`

// usersFile is a disk with one users_file.
type usersFile string

func (f usersFile) Read(string, int) ([]byte, error)      { return []byte(f), nil }
func (f usersFile) List(string, string) ([]string, error) { return nil, nil }

// users puts a users_file with these users in force.
func (w *world) users(config string, logins ...string) {
	w.t.Helper()
	var b strings.Builder
	for _, l := range logins {
		user, password, _ := strings.Cut(l, ":")
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s:%s\n", user, h)
	}
	c, problems := site.Parse("test.toml", site.Disk{Files: usersFile(b.String())}, []byte(config), nil)
	if c == nil {
		w.t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, w.own, time.Now())
	w.live.Swap(&rules.Generation{Policy: p, Identities: &proof.Book{Passwords: c.Passwords}})
}

func newLogins(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, nil)
	w.users(loginConfig, "alice:open sesame", "jörg:pässwörd")
	return w
}

func basicOf(login string) string {
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(login)) + "\r\n"
}

// A request without the right password gets 407 with a challenge, is recorded, and opens nothing; the
// secret is in no record and no answer.
func TestHTTPLogin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fields string
		status       string
		reason       rules.Reason
	}{
		{"none", "", "407", rules.Unauthenticated},
		{"right", basicOf("alice:open sesame"), "200", rules.ReasonNone},
		{"UTF-8", basicOf("jörg:pässwörd"), "200", rules.ReasonNone},
		{"wrong", basicOf("alice:guessed-secret"), "407", rules.Unauthenticated},
		{"unknown user", basicOf("mallory:guessed-secret"), "407", rules.Unauthenticated},
		{"NUL", basicOf("alice:open sesame\x00guessed-secret"), "407", rules.Unauthenticated},
		{"no colon", basicOf("alice"), "407", rules.Unauthenticated},
		{"another scheme", "Proxy-Authorization: NTLM TlRMTVNTUAAB\r\n", "407", rules.Unauthenticated},
		{"two fields", basicOf("alice:open sesame") + basicOf("alice:guessed-secret"), "400", rules.MalformedRequest},
		{"two fields, the first empty", "Proxy-Authorization:\r\n" + basicOf("alice:open sesame"), "400", rules.MalformedRequest},
		{"two fields, the same", basicOf("alice:open sesame") + basicOf("alice:open sesame"), "400", rules.MalformedRequest},
	} {
		for _, method := range []string{"CONNECT", "GET"} {
			w := newLogins(t)
			o := w.origin("8.8.8.8:5000", nil)
			w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
				r.Read(make([]byte, 4096))
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				io.Copy(io.Discard, r)
			})
			conn := w.dial(w.http)
			if method == "CONNECT" {
				io.WriteString(conn, "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n"+c.fields+"\r\n\x01hello")
				conn.CloseWrite()
			} else {
				io.WriteString(conn, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n"+c.fields+"\r\n")
			}
			b, _ := io.ReadAll(conn)
			answer := string(b)
			if !strings.HasPrefix(answer, "HTTP/1.1 "+c.status) {
				t.Errorf("%s, %s: %.60q, want %s", method, c.name, answer, c.status)
			}
			if c.reason == rules.ReasonNone {
				if r := w.wantOne(rules.Allow, rules.ReasonNone); r.a.Identity == nil || r.a.Identity.User != strings.SplitN(map[bool]string{true: "jörg:", false: "alice:"}[c.name == "UTF-8"], ":", 2)[0] || r.d.Client.Name != "people" {
					t.Errorf("%s, %s: %+v", method, c.name, r.a.Identity)
				}
				continue
			}
			r := w.wantOne(rules.Deny, c.reason)
			if c.status == "407" != strings.Contains(answer, "\r\nProxy-Authenticate: Basic realm=\"sallyport\", charset=\"UTF-8\"\r\n") {
				t.Errorf("%s, %s: %q", method, c.name, answer)
			}
			if text := fmt.Sprintf("%+v %s", r, answer); strings.Contains(text, "guessed-secret") || strings.Contains(text, "sesame") || r.a.Identity != nil {
				t.Errorf("%s, %s: a secret, or an identity without proof: %s", method, c.name, text)
			}
			if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 || o.received() != "" {
				t.Errorf("%s, %s: looked up %v, dialed %v", method, c.name, w.lookedUp(), w.dialed())
			}
		}
	}
}

// Where nobody can log in, credentials mean nothing, right or wrong, and never travel on.
func TestLoginWhereNoneIsAsked(t *testing.T) {
	t.Parallel()
	w := newLogins(t)
	w.policy(worldConfig)
	o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		r.Read(make([]byte, 4096))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	conn := w.dial(w.http)
	io.WriteString(conn, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n"+basicOf("alice:guess")+"\r\n")
	b, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(b), "HTTP/1.1 200") || strings.Contains(strings.ToLower(o.received()), "authorization") {
		t.Errorf("%.40q; the origin got %q", b, o.received())
	}
	if r := w.wantOne(rules.Allow, rules.ReasonNone); r.a.Identity != nil {
		t.Errorf("%+v", r.a.Identity)
	}
}

// Each request of a kept connection proves itself, and a user that a reload takes away is denied.
func TestLoginOfEachRequest(t *testing.T) {
	t.Parallel()
	w := newLogins(t)
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		for b := make([]byte, 4096); ; {
			if _, err := r.Read(b); err != nil {
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	conn := w.dial(w.http)
	ask := func(fields string) string {
		io.WriteString(conn, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"+fields+"\r\n")
		b := make([]byte, 1024)
		n, _ := conn.Read(b)
		return string(b[:min(n, 12)])
	}
	for range 2 {
		if got := ask(basicOf("alice:open sesame")); got != "HTTP/1.1 200" {
			t.Errorf("%q", got)
		}
	}
	w.users(loginConfig, "bob:open sesame")
	if got := ask(basicOf("alice:open sesame")); got != "HTTP/1.1 407" {
		t.Errorf("after the reload: %q", got)
	}
}

// A tunnel ends when a reload takes its user away.
func TestTunnelOfARemovedUser(t *testing.T) {
	t.Parallel()
	w := newLogins(t)
	w.origin("8.8.8.8:5000", echo)
	conn := w.dial(w.http)
	io.WriteString(conn, "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n"+basicOf("alice:open sesame")+"\r\n\x01hello")
	b := make([]byte, 1024)
	for got := ""; !strings.HasSuffix(got, "\x01hello"); {
		n, err := conn.Read(b)
		if got += string(b[:n]); err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	w.users(loginConfig, "alice:another password")
	if n := w.p.Recheck(); n != 0 {
		t.Errorf("a changed password closed %d tunnels", n)
	}
	w.users(loginConfig, "bob:open sesame")
	if n := w.p.Recheck(); n != 1 {
		t.Errorf("%d tunnels closed", n)
	}
}

// After ten wrong passwords the answer is 503, whatever the next password is.
func TestHTTPLoginPauses(t *testing.T) {
	t.Parallel()
	w := newLogins(t)
	ask := func(login string) string {
		conn := w.dial(w.http)
		io.WriteString(conn, "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n"+basicOf(login)+"\r\n")
		b, _ := io.ReadAll(conn)
		return string(b[:min(len(b), 12)])
	}
	for i := range 10 {
		if got := ask(fmt.Sprintf("alice:%d", i)); got != "HTTP/1.1 407" {
			t.Errorf("guess %d: %q", i, got)
		}
	}
	if got := ask("alice:open sesame"); got != "HTTP/1.1 503" {
		t.Errorf("after ten: %q", got)
	}
	if ds := w.journal.decisions(); ds[len(ds)-1].d.Why() != rules.Limit || ds[len(ds)-1].a.Detail != pausedLogin {
		t.Errorf("%v %q", ds[len(ds)-1].d.Why(), ds[len(ds)-1].a.Detail)
	}
}
