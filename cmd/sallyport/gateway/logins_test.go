// Logins: /readyz and the health page say how many users may log in and how their logins end, and
// show no name and no secret.

package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/proxy"
)

func TestLoginsAreDescribed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const hash = "$2a$10$vjkPiHBwtflq00.Pxt9y3OwU4CMRz6hucBzQb1WIisKEvAjDZMdu6" // of "open sesame"
	write("users", "alice:"+hash+"\nbob:"+hash+"\n")
	config := `
[journal]
path = "denials.jsonl"
[listen]
http  = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
[[client]]
name       = "people"
sources    = ["127.0.0.0/8"]
profiles   = []
users_file = "users"
`
	g, _ := openGateway(t, write("site.toml", config))
	ready := func() string {
		page := httptest.NewRecorder()
		g.serveReady(page, httptest.NewRequest("GET", "/readyz", nil))
		return page.Body.String()
	}
	if want := "logins: 2 users; 0 logins accepted, 0 refused (0 wrong, 0 from a paused source, 0 because of load); 0 sources paused now\n"; !strings.Contains(ready(), want) {
		t.Errorf("/readyz says %s", ready())
	}
	at := serveProxy(t, g)
	logIn(t, at, "alice:open sesame", "403 Forbidden") // no rule permits the destination
	for i := range 12 {                                // the tenth wrong password pauses the source
		want := "407 Proxy Authentication Required"
		if i >= 10 {
			want = "503 Service Unavailable"
		}
		logIn(t, at, fmt.Sprint("alice:guess", i), want)
	}
	const want = "2 users; 1 logins accepted, 12 refused (10 wrong, 2 from a paused source, 0 because of load); 1 source paused now"
	if got := ready(); !strings.Contains(got, "logins: "+want+"\n") {
		t.Errorf("/readyz says %s", got)
	}
	data, err := json.Marshal(g.readiness().Logins)
	if got := string(data); err != nil || got != `{"users":2,"proven":1,"wrong":10,"paused":2,"busy":0,"throttled_sources":1}` {
		t.Errorf("/readyz says in JSON %s", got)
	}
	if got := fmt.Sprint(g.health()); !strings.Contains(got, "{Logins true "+want+"}") {
		t.Errorf("the page says %s", got)
	}
	for _, text := range []string{ready(), fmt.Sprint(g.health())} {
		for _, secret := range []string{"alice", "bob", "guess", "sesame", hash[7:]} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
	}
	without := strings.Replace(config, "users_file", "# users_file", 1)
	g, _ = openGateway(t, write("without.toml", strings.Replace(without, "denials.jsonl", "others.jsonl", 1)))
	if g.readiness().Logins != nil || strings.Contains(ready(), "logins") || strings.Contains(fmt.Sprint(g.health()), "{Logins") {
		t.Errorf("without users: %s", ready())
	}
}

// serveProxy serves the HTTP proxy of a gateway until the test ends, and returns its address.
func serveProxy(t *testing.T, g *Gateway) string {
	t.Helper()
	l, err := proxy.Listen(t.Context(), "tcp", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.proxy.ServeHTTP(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// logIn asks for a tunnel with a login, and checks the status of the answer.
func logIn(t *testing.T, at, login, want string) {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic %s\r\n\r\n", base64.StdEncoding.EncodeToString([]byte(login)))
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 "+want+"\r\n") {
		t.Errorf("%s: %q", login, answer)
	}
}
