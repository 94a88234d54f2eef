// End to end: a parent on the gateway's host that has a name is no destination by any address of
// that host, and explain answers as the gateway does.

package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestParentHereIsNoDestination(t *testing.T) {
	need(t, "curl")
	l := newLab(t)
	listener, err := l.gateway.listen("0.0.0.0:3140")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var asked atomic.Int64
	serveEach(listener, &all, func(conn net.Conn) {
		defer conn.Close()
		asked.Add(1)
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
	})
	defer func() { listener.Close(); all.Wait() }()
	g := l.behindParent(t, login, withParent("url = \"http://parent.site.example:3140\"\n", systemResolver+
		"[hosts]\n\"parent.site.example\" = \"127.0.0.1\"\n\"alias.site.example\" = \""+gateway4+"\"\n")+`
[[rule]]
id     = "here"
client = "es-manager"
to     = ["0.0.0.0/0", "127.0.0.0/8", "10.0.0.0/8", "alias.site.example", "parent.site.example"]
tcp    = "all"
reason = "T-1"
`)
	denials := 0
	for _, to := range []string{"127.0.0.1", "127.0.0.2", "0.0.0.0", gateway4, outside4, "alias.site.example", "parent.site.example"} {
		for what, args := range map[string][]string{
			"absolute-form": {"-x", viaHTTP}, "CONNECT": {"-x", viaHTTP, "-p"}, "SOCKS5": {"-x", viaSOCKS},
		} {
			r := l.curl(t, named("es-manager"), append(args, "-v", "http://"+to+":3140/")...)
			if what == "SOCKS5" && r.code == 0 || what != "SOCKS5" && !strings.Contains(r.stderr, "X-Sallyport-Reason: self") {
				t.Errorf("%s to %s: %v", what, to, r)
			}
			denials++
		}
		r := l.gateway.run(t, g.dir, "", builtBinary(t), "explain", "--config", "sallyport.toml", "tcp", to, "3140")
		if r.code != 1 || !strings.HasPrefix(r.stdout, "deny: self\n") || !strings.Contains(r.stdout, "the parent proxy corporate") {
			t.Errorf("explain %s: %v", to, r)
		}
	}
	eventually(t, longestWait, fmt.Sprint(denials, " denials as self"), func() error {
		if n := g.journal().reasons()["self"]; n != denials {
			return errorf("%d of them", n)
		}
		return nil
	})
	if n := asked.Load(); n != 0 {
		t.Errorf("the parent was asked %d times", n)
	}
}
