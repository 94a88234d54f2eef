//go:build linux

// Login: curl and Python log in to the HTTP proxy, and curl to SOCKS5.

package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// aliceHash is the bcrypt hash of "open sesame".
const aliceHash = "$2a$10$vjkPiHBwtflq00.Pxt9y3OwU4CMRz6hucBzQb1WIisKEvAjDZMdu6"

func TestLogins(t *testing.T) {
	need(t, "curl", "haproxy", "/usr/bin/python3")
	l := newLab(t)
	g := newGateway(t, l.gateway)
	users := filepath.Join(g.dir, "users")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("alice:" + aliceHash + "\n")
	people := strings.Replace(configuration(fleet[:1]), "[[client]]\n", "[[client]]\nusers_file = \"users\"\n", 1)
	people = strings.Replace(people, `http   = [`, `proxy_protocol_from = ["127.0.0.1"]`+"\n"+`http   = ["127.0.0.1:3128", `, 1)
	g.configure(t, people)
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitReady(t)
	manager := fleet[0]
	for _, door := range []string{httpDoor, socksDoor} {
		for _, url := range []string{"https://license.sangfor.com/", "http://upd.sangfor.com/"} {
			if r := l.curl(t, manager, "-x", door, "--proxy-user", "alice:open sesame", url); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
				t.Errorf("%v", r)
			}
		}
	}
	if r := l.tool(t, "/usr/bin/python3", "-c", `import urllib.request
p = urllib.request.ProxyHandler({"http": "http://alice:open%20sesame@`+gateway4+`:3128"})
print(urllib.request.build_opener(p).open("http://upd.sangfor.com/", timeout=20).read())`); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
		t.Errorf("%v", r)
	}
	l.overTLS(t, g)
	packets := l.rec.mark(t)
	for _, c := range []struct{ door, login, want string }{
		{httpDoor, "", "407"}, {httpDoor, "alice:guessed-secret", "407"}, {httpDoor, "mallory:guessed-secret", "407"},
		{socksDoor, "", ""}, {socksDoor, "alice:guessed-secret", ""},
	} {
		mark := g.journal().mark()
		args := []string{"-x", c.door}
		if c.login != "" {
			args = append(args, "--proxy-user", c.login)
		}
		if r := l.curl(t, manager, append(args, "https://license.sangfor.com/")...); r.code == 0 || !strings.Contains(r.all(), c.want) {
			t.Errorf("%v", r)
		}
		if r := g.journal().mustDeny(t, mark, denial{reason: "unauthenticated"}); strings.Contains(r.line, "guessed-secret") || r.Client != manager.v4() {
			t.Error(r.line)
		}
	}
	for _, p := range l.rec.since(t, packets) {
		if p.dst.Port() != 53 { // permitted names are looked up in advance
			t.Errorf("left the gateway: %v", p)
		}
	}
	if text := g.out.String(); strings.Contains(text, "guessed-secret") || strings.Contains(text, "sesame") || strings.Contains(text, aliceHash[7:]) {
		t.Errorf("a secret is in the log:\n%s", text)
	}
	write("bob:" + aliceHash + "\n")
	g.signal(t, syscall.SIGHUP)
	eventually(t, 30*time.Second, "alice is no user any more", func() error {
		return lacks(l.curl(t, manager, "-x", httpDoor, "--proxy-user", "alice:open sesame", "http://upd.sangfor.com/").all(), "unauthenticated")
	})
}

// overTLS logs in through HAProxy, which ends TLS and names the client.
func (l *lab) overTLS(t *testing.T, g *gateway) {
	t.Helper()
	cert, err := l.ca.issue(gateway4, -time.Hour, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, der := range cert.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	dir := t.TempDir()
	crt, cfg := filepath.Join(dir, "proxy.pem"), filepath.Join(dir, "haproxy.cfg")
	conf := "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n" +
		"listen secure\n    bind " + gateway4 + ":3129 ssl crt " + crt + "\n    server gate 127.0.0.1:3128 send-proxy-v2\n"
	for file, b := range map[string][]byte{crt: text, cfg: []byte(conf)} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ha := newGateway(t, l.gateway)
	ha.startCommand(t, "haproxy", "-db", "-f", cfg)
	ha.waitListening(t, gateway4+":3129")
	door := []string{"-x", "https://" + gateway4 + ":3129", "--proxy-cacert", l.ca.file}
	if r := l.curl(t, fleet[0], append(door, "--proxy-user", "alice:open sesame", "https://license.sangfor.com/")...); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
		t.Errorf("%v", r)
	}
	mark := g.journal().mark()
	if r := l.curl(t, fleet[0], append(door, "https://license.sangfor.com/")...); r.code == 0 || !strings.Contains(r.all(), "407") {
		t.Errorf("%v", r)
	}
	if r := g.journal().mustDeny(t, mark, denial{reason: "unauthenticated"}); r.Client != fleet[0].v4() {
		t.Error(r.line)
	}
}
