//go:build linux

// Bad input: with a wrong configuration sallyport does not start. It prints a message
// for each mistake and exits with 1.

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBadConfigurationDoesNotStart asserts that the message has the file and line, and
// that no listener opens.
func TestBadConfigurationDoesNotStart(t *testing.T) {
	need(t)
	ns := newNetns(t, "alone")
	good := `mode = "enforce"
[listen]
http = ["127.0.0.1:3128"]
[[client]]
name = "c"
sources = ["127.0.0.0/8"]
profiles = ["endpoint-secure-onprem"]
features = []
[dns]
upstreams = ["udp://127.0.0.1:53"]
`
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			panic(old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for _, tt := range []struct{ name, config, message string }{
		{"unknown key", swap("features", "featurs"), "sallyport.toml:8: "},
		{"unknown table", good + "[jornal]\n", "jornal"},
		{"case twin", swap("mode =", "Mode = \"audit\"\nmode ="), "Mode"},
		{"wrong type", swap(`http = ["127.0.0.1:3128"]`, "http = 3128"), "sallyport.toml:3: "},
		{"bad address", swap("127.0.0.1:3128", "localhost:3128"), "sallyport.toml:3: "},
		{"unknown profile", swap("endpoint-secure-onprem", "endpoint-secure"), "endpoint-secure"},
		{"unknown feature", swap("features = []", `features = ["neural"]`), "sallyport.toml:8: "},
		{"unknown role", swap("features = []", `role = "boss"`), "sallyport.toml:8: "},
		{"unknown mode", swap(`"enforce"`, `"open"`), "sallyport.toml:1: "},
		{"syntax", swap(`mode = "enforce"`, `mode = "enforce`), "sallyport.toml:1: "},
		{"no upstream", swap(`["udp://127.0.0.1:53"]`, "[]"), "upstream"},
		{"unreadable upstream", swap("udp://127.0.0.1:53", "udp://resolver"), "sallyport.toml:10: "},
		{"wildcard on a public suffix", good + "[[rule]]\nid = \"w\"\nclient = \"c\"\nto = [\"*.com\"]\ntcp = [443]\nreason = \"none\"\n", "*.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, ns)
			g.configure(t, tt.config)
			g.mustRefuse(t, tt.message, "run", "--config", "sallyport.toml")
			if r := ns.run(t, g.dir, "", builtBinary(t), "check", "--config", "sallyport.toml"); r.code != 1 || !strings.Contains(r.all(), tt.message) {
				t.Errorf("check should print the same message: %v", r)
			}
		})
	}
	t.Run("good", func(t *testing.T) {
		g := newGateway(t, ns)
		g.configure(t, good)
		if r := ns.run(t, g.dir, "", builtBinary(t), "check", "--config", "sallyport.toml"); r.code != 0 {
			t.Errorf("the configuration without a mistake is refused: %v", r)
		}
	})
}

// mustRefuse starts the binary. It asserts that the binary exits with 1, prints the
// message and opens no listener.
func (g *gateway) mustRefuse(t *testing.T, message string, args ...string) {
	t.Helper()
	g.start(t, args...)
	g.mustHaveRefused(t, message)
}

func (g *gateway) mustHaveRefused(t *testing.T, message string) {
	t.Helper()
	code := g.waitExit(t, 10*time.Second)
	if out := g.out.String(); code != 1 || !strings.Contains(out, message) || !strings.Contains(out, "sallyport: ") {
		t.Errorf("exit %d, want 1 and %q:\n%s", code, message, out)
	}
}

// sallyport reports what the machine lacks before it serves anything.
func TestBadMachineDoesNotStart(t *testing.T) {
	need(t, "unshare", "mount")
	ns := newNetns(t, "alone")
	t.Run("missing file", func(t *testing.T) {
		newGateway(t, ns).mustRefuse(t, "nowhere.toml", "run", "--config", "nowhere.toml")
	})
	t.Run("unreadable file", func(t *testing.T) {
		g := newGateway(t, ns)
		if err := os.Mkdir(filepath.Join(g.dir, "sallyport.toml"), 0o755); err != nil {
			t.Fatal(err)
		}
		g.mustRefuse(t, "sallyport.toml", "run", "--config", "sallyport.toml")
	})
	t.Run("port in use", func(t *testing.T) {
		l, err := ns.listen("127.0.0.1:1080")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		g := newGateway(t, ns)
		g.mustRefuse(t, "127.0.0.1:1080")
		if c, err := ns.dialBriefly("127.0.0.1:3128"); err == nil {
			c.Close()
			t.Error("the other listener is served although one failed")
		}
	})
	t.Run("DNS port in use", func(t *testing.T) {
		c, err := ns.listenPacket("127.0.0.1:5300")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		newGateway(t, ns).mustRefuse(t, "127.0.0.1:5300")
	})
	t.Run("no system resolver", func(t *testing.T) {
		g := newGateway(t, ns)
		empty := filepath.Join(g.dir, "resolv.conf")
		if err := os.WriteFile(empty, []byte("# none\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		g.startCommand(t, "unshare", "-m", "sh", "-c", `mount --bind "$1" /etc/resolv.conf && exec "$0"`, builtBinary(t), empty)
		g.mustHaveRefused(t, "upstream")
	})
	t.Run("no directory for the journal", func(t *testing.T) {
		g := newGateway(t, ns)
		g.configure(t, "[listen]\nhttp = [\"127.0.0.1:3128\"]\n[dns]\nupstreams = [\"udp://127.0.0.1:53\"]\n[journal]\npath = \"/proc/nowhere/denials.jsonl\"\n")
		g.mustRefuse(t, "/proc/nowhere", "run", "--config", "sallyport.toml")
	})
}

// With a full disk, sallyport still permits and denies as before, and /readyz reports
// the disk. Once the disk has space again, sallyport is ready and the counts include
// every denial.
func TestFullDisk(t *testing.T) {
	need(t, "curl", "unshare", "mount")
	for _, required := range []bool{false, true} {
		t.Run(fmt.Sprintf("required=%t", required), func(t *testing.T) { fullDisk(t, required) })
	}
}

func fullDisk(t *testing.T, required bool) {
	l := newLab(t)
	g := newGateway(t, l.gateway)
	config := strings.Replace(configuration(fleet), `"denials.jsonl"`, fmt.Sprintf("\"small/denials.jsonl\"\nrequired = %t", required), 1)
	g.configure(t, config)
	if err := os.Mkdir(filepath.Join(g.dir, "small"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.startCommand(t, "unshare", "-m", "sh", "-c",
		`mount -t tmpfs -o size=256k tmpfs small && exec "$0" run --config sallyport.toml`, builtBinary(t))
	g.waitReady(t)
	small := fmt.Sprintf("/proc/%d/root%s/small", g.cmd.Process.Pid, g.dir)
	_ = os.WriteFile(filepath.Join(small, "ballast"), make([]byte, 1<<20), 0o644) // this write fills the disk, and fails

	refused := 0
	eventually(t, 30*time.Second, "/readyz tells of the journal", func() error {
		if err := l.deny(fmt.Sprintf("disk-%d.evil.example", refused)); err != nil {
			t.Fatalf("with a full disk: %v", err)
		}
		refused++
		code, body, err := g.admin("/readyz")
		if err != nil || code == http.StatusOK {
			return errorf("%d %s %v after %d denials", code, body, err, refused)
		}
		return lacks(body, "journal")
	})
	r := l.curl(t, fleet[0], "-x", httpDoor, "http://upd.sangfor.com/")
	if want := map[bool]string{false: "origin ", true: "journal_unavailable"}[required]; !strings.Contains(r.stdout, want) {
		t.Errorf("a permitted request should get %q: %v", want, r)
	}
	if err := os.Remove(filepath.Join(small, "ballast")); err != nil {
		t.Fatal(err)
	}
	g.waitReady(t)
	if r := l.curl(t, fleet[0], "-x", httpDoor, "http://upd.sangfor.com/"); !strings.Contains(r.stdout, "origin ") {
		t.Errorf("after the disk has space again: %v", r)
	}
	j := journal(filepath.Join(small, "denials.jsonl"))
	eventually(t, 30*time.Second, "every denial is counted in the journal", func() error {
		if n := j.reasons()["not_listed"]; n != refused {
			return errorf("%d of %d", n, refused)
		}
		return nil
	})
}
