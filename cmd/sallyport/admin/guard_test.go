// Tests of the admin listener's guard: names, tokens, logins, forms.

package admin

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport/rules/site"
)

const rightToken = "0123456789abcdef0123456789abcdef"

// A clock that a test sets.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func guarded(secure bool) (*guard, *clock) {
	c := &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	g := newGuard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("inside")) }), secure, c.now)
	g.hasToken, g.token = true, sha256.Sum256([]byte(rightToken))
	return g, c
}

// login sends the form as a browser does, changed by change.
func login(g http.Handler, token string, change func(*http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
	r.Host = "localhost:9180"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://localhost:9180")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result()
}

// visit requests a page with header fields, and returns the status.
func visit(g http.Handler, path string, fields ...string) int {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "localhost:9180"
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Code
}

func TestLoopbackHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "localhost:9180": true, "127.0.0.1": true, "127.0.0.1:9180": true, "127.8.9.1": true,
		"[::1]": true, "[::1]:9180": true, "[::ffff:127.0.0.1]:1": true,
		"": false, ":9180": false, "[::1": false, "::1]": false, "::1": false, "::1:80": false, "[::1%25lo]": false, "[::1%lo]:80": false,
		"localhost:evil": false, "localhost:": false, "localhost:0": false, "localhost:65536": false, "localhost:+80": false, "localhost:80:80": false,
		"127.0.0.1:x": false, "127.0.0.1:": false, "[127.0.0.1]": false, "[127.0.0.1]:80": false, "127.1": false, "0x7f000001": false, "2130706433": false,
		"localhost.": false, "localhost.evil.example": false, "evil.example": false, "evil.example:9180": false, "127.0.0.1.evil.example": false,
		"[localhost]": false, "[::1]x": false, "[::1]]": false, "[[::1]]": false, "0.0.0.0": false, "[::]": false, "10.0.0.1": false, "localhost@evil.example": false,
		"localhost ": false, " localhost": false, "localhost:080000": false,
	} {
		if got := loopbackHost(host); got != want {
			t.Errorf("Host %q: %v, want %v", host, got, want)
		}
	}
}

// A web page whose name was changed to 127.0.0.1 gets no answer, also with a token.
func TestDNSRebindingIsRefused(t *testing.T) {
	g, _ := guarded(false)
	for _, path := range []string{"/", "/login", "/style.css", "/metrics"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = "evil.example:9180"
		r.Header.Set("Authorization", "Bearer "+rightToken)
		w := httptest.NewRecorder()
		if g.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

func TestProgramsSendTheToken(t *testing.T) {
	g, _ := guarded(false)
	for _, c := range []struct {
		fields []string
		want   int
	}{
		{nil, http.StatusUnauthorized},
		{[]string{"Accept", "text/html,*/*"}, http.StatusSeeOther},
		{[]string{"Authorization", "Bearer " + rightToken}, http.StatusOK},
		{[]string{"Authorization", rightToken}, http.StatusUnauthorized},
		{[]string{"Authorization", "Basic " + rightToken}, http.StatusUnauthorized},
		{[]string{"Authorization", "Bearer " + rightToken[1:]}, http.StatusUnauthorized},
		{[]string{"Cookie", sessionCookie + "=" + rightToken}, http.StatusUnauthorized},
	} {
		if got := visit(g, "/metrics", c.fields...); got != c.want {
			t.Errorf("%q: status %d, want %d", c.fields, got, c.want)
		}
	}
	if got := visit(g, "/style.css"); got != http.StatusOK {
		t.Errorf("the form's style: status %d", got)
	}
}

func TestLogin(t *testing.T) {
	for _, secure := range []bool{false, true} {
		g, c := guarded(secure)
		scheme, prefix := "http", ""
		if secure {
			scheme, prefix = "https", "__Host-"
		}
		resp := login(g, rightToken, func(r *http.Request) { r.Header.Set("Origin", scheme+"://localhost:9180") })
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || len(resp.Cookies()) != 1 {
			t.Fatalf("secure %v: status %d, %v", secure, resp.StatusCode, resp.Header)
		}
		k := resp.Cookies()[0]
		if k.Name != prefix+sessionCookie || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Secure != secure || k.Path != "/" ||
			k.Domain != "" || k.MaxAge != 12*3600 || len(k.Value) < 26 || strings.Contains(k.Value, rightToken) {
			t.Errorf("secure %v: %+v", secure, k)
		}
		again := login(g, rightToken, func(r *http.Request) { r.Header.Set("Origin", scheme+"://localhost:9180") })
		if again.Cookies()[0].Value == k.Value {
			t.Error("two sessions have one name")
		}
		cookie := k.Name + "=" + k.Value
		if got := visit(g, "/", "Cookie", cookie); got != http.StatusOK {
			t.Errorf("with the cookie: status %d", got)
		}
		if got := visit(g, "/", "Cookie", cookie+"x"); got != http.StatusUnauthorized {
			t.Errorf("with another: status %d", got)
		}
		c.t = c.t.Add(sessionLife)
		if got := visit(g, "/", "Cookie", cookie); got != http.StatusUnauthorized {
			t.Errorf("after its life: status %d", got)
		}
	}
}

// Only a form from a page of this origin logs in.
func TestLoginIsNotForged(t *testing.T) {
	for what, change := range map[string]func(*http.Request){
		"no origin":      func(r *http.Request) { r.Header.Del("Origin") },
		"null":           func(r *http.Request) { r.Header.Set("Origin", "null") },
		"another host":   func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		"another port":   func(r *http.Request) { r.Header.Set("Origin", "http://localhost:80") },
		"another scheme": func(r *http.Request) { r.Header.Set("Origin", "https://localhost:9180") },
		"same site":      func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"cross site":     func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		g, _ := guarded(false)
		if resp := login(g, rightToken, change); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) != 0 {
			t.Errorf("%s: status %d, %v", what, resp.StatusCode, resp.Cookies())
		}
	}
	g, _ := guarded(false)
	if got := visit(g, "/login?token="+rightToken); got != http.StatusOK {
		t.Errorf("the form: status %d", got)
	}
	r := httptest.NewRequest(http.MethodGet, "/login?token="+rightToken, nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	if g.ServeHTTP(w, r); len(w.Result().Cookies()) != 0 {
		t.Error("a GET logs in")
	}
	if resp := login(g, "", func(r *http.Request) { r.URL.RawQuery = "token=" + rightToken }); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the address: status %d", resp.StatusCode)
	}
}

// After five wrong tokens within a minute, an address has no sixth try, even with the
// right token. Other addresses can still log in.
func TestWrongTokensAreLimited(t *testing.T) {
	g, c := guarded(false)
	from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
	for i := range triesMax {
		if resp := login(g, "wrong", from("192.0.2.9:"+strconv.Itoa(i+1))); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("try %d: status %d", i, resp.StatusCode)
		}
	}
	if resp := login(g, rightToken, from("192.0.2.9:99")); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the sixth: status %d", resp.StatusCode)
	}
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Host, r.RemoteAddr = "localhost", "192.0.2.9:5"
	r.Header.Set("Authorization", "Bearer "+rightToken)
	w := httptest.NewRecorder()
	if g.ServeHTTP(w, r); w.Code != http.StatusTooManyRequests {
		t.Errorf("the same by a bearer token: status %d", w.Code)
	}
	if resp := login(g, rightToken, from("192.0.2.10:1")); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("another address: status %d", resp.StatusCode)
	}
	c.t = c.t.Add(triesEvery)
	if resp := login(g, rightToken, from("192.0.2.9:99")); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("a minute later: status %d", resp.StatusCode)
	}
	for i := range triesMax {
		login(g, "wrong", from("[2001:db8::"+strconv.Itoa(i+1)+"]:1"))
	}
	if resp := login(g, rightToken, from("[2001:db8::99]:1")); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("addresses of one IPv6 network: status %d", resp.StatusCode)
	}
}

// A program that shares the gateway's loopback cannot block others by wrong tokens if
// the right token is too long to be guessed.
func TestWrongTokensDoNotBlockOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	healthy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	for token, want := range map[string]int{rightToken: http.StatusOK, rightToken[:31]: http.StatusTooManyRequests} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var cfg site.Config
		cfg.Listen.Admin, cfg.Admin.TokenFile = "127.0.0.1:9180", file
		s, err := New(healthy, &cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		handler := s.(*server).http.Handler
		ask := func(token, from string) int {
			r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
			r.Host, r.RemoteAddr = "localhost", from
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Code
		}
		for i := range triesMax {
			ask("wrong", "127.0.0."+strconv.Itoa(2+i)+":5") // one host, whatever address of loopback it takes
		}
		if got := ask("wrong", "127.0.0.1:5"); got != http.StatusTooManyRequests {
			t.Errorf("one wrong token too many: %d", got)
		}
		if got := ask(token, "127.0.0.1:5"); got != want {
			t.Errorf("the right token of %d characters: %d, want %d", len(token), got, want)
		}
	}
}

// Logins and wrong tokens use limited memory.
func TestLoginsAreBounded(t *testing.T) {
	g, c := guarded(false)
	var first string
	for i := range 3 * sessionsMax {
		k := g.logins.begin()
		c.t = c.t.Add(time.Second)
		if i == 0 {
			first = k.Name + "=" + k.Value
		}
	}
	if n := len(g.logins.sessions); n != sessionsMax {
		t.Errorf("%d sessions", n)
	}
	if got := visit(g, "/", "Cookie", first); got != http.StatusUnauthorized {
		t.Errorf("the oldest still has its session: status %d", got)
	}
	for i := range 2 * addressesMax {
		login(g, "wrong", func(r *http.Request) {
			r.RemoteAddr = "10.1." + strconv.Itoa(i/250) + "." + strconv.Itoa(i%250) + ":1"
		})
	}
	if n := len(g.logins.tries); n > addressesMax+1 {
		t.Errorf("%d addresses are remembered", n)
	}
	if resp := login(g, "", func(r *http.Request) { r.Body = http.NoBody; r.RemoteAddr = "10.9.9.9:1" }); resp.StatusCode == http.StatusSeeOther {
		t.Error("no token logs in")
	}
}
