// Tests of upstream "system" while its file changes.

package gateway

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemGateway returns a gateway with upstream "system". Its file is
// etc/resolv.conf in the returned directory, a link to run/a.
func systemGateway(t *testing.T) (g *Gateway, log *safeBuffer, dir string, put func(name, text string)) {
	t.Helper()
	g, log, write := readyGateway(t)
	dir = t.TempDir()
	put = func(name, text string) { // like programs do: write a new file, then rename it
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(at+".new", at); err != nil {
			t.Fatal(err)
		}
	}
	put("run/a", "nameserver 192.0.2.1\n")
	put("etc/placeholder", "")
	if err := os.Symlink("../run/a", filepath.Join(dir, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	g.system = newSystemServers(filepath.Join(dir, "etc/resolv.conf"))
	write(strings.Replace(readySite, `upstreams = ["udp://127.0.0.1:9"]`, `upstreams = ["system"]`, 1))
	g.Reload("test")
	if g.reloadErr != nil || serverList(g.system.last) != "192.0.2.1:53" {
		t.Fatalf("%v: %s", g.reloadErr, serverList(g.system.last))
	}
	return g, log, dir, put
}

// TestSystemServersFollow checks that a changed resolv.conf takes effect without a
// signal, also if a link changes. If the file cannot be used, the servers stay, and
// /readyz and the log report that; a reload does not change that.
func TestSystemServersFollow(t *testing.T) {
	g, log, dir, put := systemGateway(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.watchSystem(ctx) }()
	defer func() { cancel(); <-done }()
	servers := func() (string, bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		return serverList(g.system.last), g.system.err != nil
	}
	for _, c := range []struct {
		what    string
		change  func()
		servers string
		broken  string
	}{
		{"the file that the link leads to is replaced", func() { put("run/a", "# by hand\nnameserver 192.0.2.2\nnameserver 2001:db8::53\n") }, "192.0.2.2:53, [2001:db8::53]:53", ""},
		{"the link leads elsewhere", func() {
			put("run/b/resolv.conf", "nameserver 192.0.2.3\n")
			if err := os.Symlink("../run/b/resolv.conf", filepath.Join(dir, "etc/new")); err != nil {
				t.Error(err)
			}
			if err := os.Rename(filepath.Join(dir, "etc/new"), filepath.Join(dir, "etc/resolv.conf")); err != nil {
				t.Error(err)
			}
		}, "192.0.2.3:53", ""},
		{"it has no server", func() { put("run/b/resolv.conf", "") }, "192.0.2.3:53", "lists no nameserver"},
		{"it is gone", func() {
			if err := os.Remove(filepath.Join(dir, "run/b/resolv.conf")); err != nil {
				t.Error(err)
			}
		}, "192.0.2.3:53", "no such file"},
		{"it is back as it was", func() { put("run/b/resolv.conf", "nameserver 192.0.2.3\n") }, "192.0.2.3:53", ""},
		{"the link is replaced by a file", func() { put("etc/resolv.conf", "nameserver 192.0.2.4\n") }, "192.0.2.4:53", ""},
	} {
		c.change()
		deadline := time.Now().Add(20 * time.Second)
		for {
			got, broken := servers()
			_, ready := g.readyz()
			if got == c.servers && broken == (c.broken != "") && strings.Contains(ready, c.broken) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: asked are %s, broken %t; want %s", c.what, got, broken, c.servers)
			}
			time.Sleep(10 * time.Millisecond)
		}
		code, ready := g.readyz()
		if c.broken == "" && strings.Contains(ready, "the system's earlier resolvers") || c.broken != "" && (code != 503 || !strings.Contains(ready, c.broken)) {
			t.Errorf("%s: /readyz %d\n%s", c.what, code, ready)
		}
		if c.broken != "" && !strings.Contains(log.String(), c.broken) {
			t.Errorf("%s: logged %s", c.what, log.String())
		}
		if g.Reload("meanwhile"); g.reloadErr != nil {
			t.Errorf("%s: a reload is refused: %v", c.what, g.reloadErr)
		}
		if got, _ := servers(); got != c.servers {
			t.Errorf("%s: after a reload %s", c.what, got)
		}
	}
}

// TestSystemServersSame checks that a file with the same servers keeps the cache.
func TestSystemServersSame(t *testing.T) {
	g, _, _, put := systemGateway(t)
	before := g.live.Load()
	put("run/a", "# again\nnameserver 192.0.2.1\n")
	if g.systemChanged(); g.live.Load() != before {
		t.Error("another generation")
	}
	put("run/a", "nameserver 192.0.2.9\n")
	if g.systemChanged(); g.live.Load() == before || g.live.Load().Policy == nil {
		t.Error("no other generation")
	}
}

// TestSystemServersAtTheStart checks that sallyport does not start without a server.
func TestSystemServersAtTheStart(t *testing.T) {
	s := newSystemServers(filepath.Join(t.TempDir(), "resolv.conf"))
	if ups, err := s.upstreams(nil); err == nil {
		t.Errorf("asked are %v", ups)
	}
}
