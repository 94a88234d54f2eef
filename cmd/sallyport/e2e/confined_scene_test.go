//go:build linux

// Confined scene: a gateway with separately granted directories, and its own reports
// about its state.

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// confinedTop keeps configuration, journal, flows and admin socket apart, so
// that the process gets a separate grant for each.
const confinedTop = `
[listen]
http  = ["10.77.0.1:3128"]
admin = "unix:../run/admin.sock"
[dns]
upstreams = ["%s"]
[journal]
path  = "../log/denials.jsonl"
flows = "../flows/flows.jsonl"
max_size_mib = 1
`

// newConfined makes directories that belong to a user, and directories that do
// not. The configuration is behind two links, as Kubernetes mounts it.
func newConfined(t *testing.T, l *lab, uid uint32) *gateway {
	t.Helper()
	g := newGateway(t, l.gateway)
	g.uid = uid
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(filepath.Dir(g.dir), 0o755))
	must(os.Chmod(workDir, 0o755))
	for _, dir := range []string{"etc", "log", "flows", "run", "beyond"} {
		must(os.Mkdir(filepath.Join(g.dir, dir), 0o755))
	}
	for _, dir := range []string{"log", "flows", "run"} {
		must(os.Chown(filepath.Join(g.dir, dir), int(uid), int(uid)))
	}
	for _, file := range []string{"etc/token", "beyond/token"} {
		must(os.WriteFile(filepath.Join(g.dir, file), []byte("0123456789abcdef0123456789abcdef"), 0o640))
		must(os.Chown(filepath.Join(g.dir, file), 0, int(uid)))
	}
	must(os.Symlink("..data/site.toml", filepath.Join(g.dir, "etc/site.toml")))
	return g
}

// mount replaces the configuration as Kubernetes does: it writes another directory and
// renames a link to it over the old link.
func (g *gateway) mount(t *testing.T, version, config string) {
	t.Helper()
	etc := filepath.Join(g.dir, "etc")
	for _, err := range []error{
		os.Mkdir(filepath.Join(etc, version), 0o755),
		os.WriteFile(filepath.Join(etc, version, "site.toml"), []byte(config), 0o644),
		os.Symlink(version, filepath.Join(etc, "..data.new")),
		os.Rename(filepath.Join(etc, "..data.new"), filepath.Join(etc, "..data")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// edit replaces the configuration file as an editor does.
func (g *gateway) edit(t *testing.T, config string) {
	t.Helper()
	replace(t, filepath.Join(g.dir, "etc/site.toml"), config)
}

// ask sends a request to the admin socket.
func (g *gateway) ask(path string) (code int, body string, err error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(g.dir, "run/admin.sock"))
	}
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	q, err := http.NewRequest("GET", "http://localhost"+path, nil)
	if err != nil {
		return 0, "", err
	}
	q.Header.Set("Accept", "application/json")
	resp, err := c.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// readiness is the JSON response of /readyz.
type readiness struct {
	Ready     bool
	Problems  []string
	Policy    string
	Hardening []struct{ Step, State, Detail string }
}

// waitState waits until /readyz reports the given readiness and text.
func (g *gateway) waitState(t *testing.T, ready bool, text string) (r readiness) {
	t.Helper()
	eventually(t, 30*time.Second, fmt.Sprintf("ready %v, saying %q", ready, text), func() error {
		select {
		case <-g.exited:
			t.Fatalf("sallyport ended by itself: %v", g.cmd.ProcessState)
		default:
		}
		code, body, err := g.ask("/readyz")
		if err != nil {
			return err
		}
		r = readiness{}
		if err := json.Unmarshal([]byte(body), &r); err != nil || (code == http.StatusOK) != r.Ready || r.Ready != ready {
			return errorf("%d %s %v", code, body, err)
		}
		return lacks(strings.Join(r.Problems, "\n")+"\n"+r.Policy, text)
	})
	return r
}

// unprivileged checks the privileges of every thread in /proc.
func (g *gateway) unprivileged(t *testing.T) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", g.cmd.Process.Pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("threads %q: %v", threads, err)
	}
	for _, thread := range threads {
		b, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		var want []string
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
			want = append(want, fmt.Sprintf("%s:\t%016x\n", set, 0))
		}
		if g.uid == 0 {
			want = append(want, fmt.Sprintf("CapBnd:\t%016x\n", 0))
		}
		if err := lacks(string(b), append(want, "NoNewPrivs:\t1\n")...); err != nil {
			t.Errorf("%s: %v\n%s", thread, err, b)
		}
	}
}
