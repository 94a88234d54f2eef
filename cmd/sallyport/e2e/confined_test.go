//go:build linux

// Confined: the running gateway has given up what it does not need, and does
// all of its work nevertheless: reloads, rotates, resolves, dials, cleans up.

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
	"syscall"
	"testing"
	"time"
)

// confinedTop keeps configuration, journal, flows and admin socket apart, so
// that each is granted for itself.
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

// newConfined lays out directories that belong to a user, and others that do
// not; the configuration is mounted as Kubernetes does it, behind two links.
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
		must(os.WriteFile(filepath.Join(g.dir, file), []byte("0123456789abcdef0123456789abcdef"), 0o644))
	}
	must(os.Symlink("..data/site.toml", filepath.Join(g.dir, "etc/site.toml")))
	return g
}

// mount replaces the configuration as Kubernetes does: another directory, and a
// link to it that is renamed into its place.
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

// edit replaces it as an editor does.
func (g *gateway) edit(t *testing.T, config string) {
	t.Helper()
	file := filepath.Join(g.dir, "etc/site.toml")
	if err := os.WriteFile(file+"~", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
}

// ask asks the admin socket.
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

// readiness is what /readyz says to programs.
type readiness struct {
	Ready     bool
	Problems  []string
	Policy    string
	Hardening []struct{ Step, State, Detail string }
}

// waitState waits until /readyz says yes or no, and text.
func (g *gateway) waitState(t *testing.T, ready bool, text string) (r readiness) {
	t.Helper()
	eventually(t, 15*time.Second, fmt.Sprintf("ready %v, saying %q", ready, text), func() error {
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

// unprivileged reads the kernel's word for every thread.
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

func TestConfinedGatewayWorks(t *testing.T) {
	need(t, "curl")
	for name, uid := range map[string]uint32{"as a user": sallyportUser, "as root": 0} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			g := newConfined(t, l, uid)
			plain := fleet[0]
			plain.features = nil
			overTCP, overUDP := fmt.Sprintf(confinedTop, "tcp://45.83.0.1:53"), fmt.Sprintf(confinedTop, "udp://45.83.0.1:53")
			full := strings.Repeat(`{"schema":1}`+"\n", 1<<20/13+1) // due for rotation
			log := filepath.Join(g.dir, "log/denials.jsonl")
			if err := os.WriteFile(log, []byte(full), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(log, int(uid), int(uid)); err != nil {
				t.Fatal(err)
			}
			g.mount(t, "..1", configurationOf(overTCP, fleet))
			g.start(t, "run", "--config", "etc/site.toml")
			r := g.waitState(t, true, "")
			var steps []string
			for _, s := range r.Hardening {
				steps = append(steps, s.Step+" "+s.State)
			}
			if got := strings.Join(steps, ", "); got != "capabilities on, no_new_privs on, landlock_files on, landlock_tcp_bind on, landlock_scopes on, no_mptcp on" {
				t.Errorf("hardening: %s", got)
			}
			g.unprivileged(t)
			if _, metrics, err := g.ask("/metrics"); err != nil || lacks(metrics, "process_resident_memory_bytes ", "process_start_time_seconds ", `sallyport_hardening_info{state="on",step="landlock_files"} 1`) != nil {
				t.Errorf("metrics: %v\n%s", err, metrics)
			}

			permitted := func() error {
				return lacks(l.curl(t, fleet[0], "-x", httpDoor, "http://clt.sangfor.com/").stdout, "origin ")
			}
			if err := permitted(); err != nil {
				t.Errorf("resolved over TCP, and dialed: %v", err)
			}
			rotates(t, l, g)

			g.mount(t, "..2", configurationOf(overTCP, append([]client{plain}, fleet[1:]...)))
			eventually(t, 10*time.Second, "the mounted policy denies", func() error {
				return lacks(l.curl(t, fleet[0], "-x", httpDoor, "http://clt.sangfor.com/").stdout, "feature_off")
			})
			g.edit(t, configurationOf(overUDP, fleet))
			eventually(t, 10*time.Second, "the edited policy permits, resolved over UDP", permitted)

			g.edit(t, configurationOf(overUDP, append([]client{plain}, fleet[1:]...), "[admin]\ntoken_file = \"../beyond/token\"\n"))
			g.waitState(t, false, "needs a restart")
			if err := permitted(); err != nil {
				t.Errorf("a refused reload changed the policy: %v", err)
			}
			g.edit(t, configurationOf(overUDP, fleet, "[admin]\ntoken_file = \"token\"\n"))
			g.waitState(t, true, "[admin] takes effect at the next start")

			g.signal(t, syscall.SIGTERM)
			if code := g.waitExit(t, 10*time.Second); code != 0 {
				t.Errorf("exit %d", code)
			}
			if _, err := os.Lstat(filepath.Join(g.dir, "run/admin.sock")); !os.IsNotExist(err) {
				t.Errorf("the socket is left behind: %v", err)
			}
			for _, file := range []string{"log/denials.jsonl.usage.json", "flows/flows.jsonl"} {
				if st, err := os.Stat(filepath.Join(g.dir, file)); err != nil || st.Size() == 0 {
					t.Errorf("%s: %v", file, err)
				}
			}
			if out := g.out.String(); lacks(out, "hardening   on: capabilities, no_new_privs, landlock_files") != nil || strings.Contains(out, "level=ERROR msg=journal") {
				t.Errorf("it said:\n%s", out)
			}
		})
	}
}

// rotates demands that a full journal is put away and compressed, and that one
// that logrotate has moved is begun anew.
func rotates(t *testing.T, l *lab, g *gateway) {
	t.Helper()
	dir := journal(filepath.Join(g.dir, "log/denials.jsonl"))
	if err := l.deny("rotated.evil.example"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the full journal is compressed", func() error {
		old, err := filepath.Glob(filepath.Join(g.dir, "log/denials-*.gz"))
		if err != nil || len(old) != 1 {
			return errorf("%q %v", old, err)
		}
		return nil
	})
	dir.mustDeny(t, 0, denial{host: "rotated.evil.example", reason: "not_listed"})
	if err := os.Rename(string(dir), string(dir)+".1"); err != nil {
		t.Fatal(err)
	}
	g.signal(t, syscall.SIGHUP)
	eventually(t, 10*time.Second, "the journal is there again", func() error { _, err := os.Stat(string(dir)); return err })
	if err := l.deny("reopened.evil.example"); err != nil {
		t.Fatal(err)
	}
	dir.mustDeny(t, 0, denial{host: "reopened.evil.example", reason: "not_listed"})
}

// A configuration from standard input and a journal to standard output name no
// file at all.
func TestConfinedWithoutFiles(t *testing.T) {
	need(t)
	l := newLab(t)
	g := newConfined(t, l, sallyportUser)
	top := strings.NewReplacer("../log/denials.jsonl", "-", "../flows/flows.jsonl", "", "../run", "run").Replace(fmt.Sprintf(confinedTop, "udp://45.83.0.1:53"))
	g.stdin = configurationOf(top, fleet)
	g.start(t, "run", "--config", "-")
	g.waitState(t, true, "")
	if err := l.deny("to-stdout.evil.example"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the denial is on standard output", func() error {
		return lacks(g.out.String(), `"host":"to-stdout.evil.example"`)
	})
	g.unprivileged(t)
	g.signal(t, syscall.SIGHUP)
	g.waitState(t, false, "came from standard input")
	if err := l.deny("after-sighup.evil.example"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the next one, too", func() error { return lacks(g.out.String(), `"host":"after-sighup.evil.example"`) })
}

// What cannot be given up keeps it from starting, unless that is permitted; what
// the kernel has not does not, and is said.
func TestHardeningThatFails(t *testing.T) {
	need(t)
	l := newLab(t)
	config := func(hardening string) string {
		return configurationOf(fmt.Sprintf(confinedTop, "udp://45.83.0.1:53"), fleet, "[process]\nhardening = \""+hardening+"\"\n")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(t *testing.T, g *gateway, landlock syscall.Errno) {
		t.Helper()
		if landlock == 0 {
			g.start(t, "run", "--config", "etc/site.toml")
			return
		}
		g.startCommand(t, "env", fmt.Sprintf("%s=%d", oldKernel, landlock), self, builtBinary(t), "run", "--config", "etc/site.toml")
	}
	t.Run("a filter of system calls", func(t *testing.T) {
		g := newConfined(t, l, 0)
		g.mount(t, "..1", config("required"))
		start(t, g, syscall.EPERM)
		g.mustHaveRefused(t, "SystemCallFilter")
		if err := lacks(g.out.String(), `hardening = "best-effort"`, "landlock_files failed"); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(filepath.Join(g.dir, "run/admin.sock")); !os.IsNotExist(err) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	for _, c := range []struct {
		name, hardening string
		landlock        syscall.Errno
		want            string
	}{
		{"best effort", "best-effort", syscall.EPERM, "capabilities on, no_new_privs on, landlock_files failed, landlock_tcp_bind failed, landlock_scopes failed, no_mptcp on"},
		{"an old kernel", "required", syscall.ENOSYS, "capabilities on, no_new_privs on, landlock_files absent, landlock_tcp_bind absent, landlock_scopes absent, no_mptcp on"},
		{"off", "off", 0, "capabilities off, no_new_privs off, landlock_files off, landlock_tcp_bind off, landlock_scopes off, no_mptcp on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newConfined(t, l, 0)
			g.mount(t, "..1", config(c.hardening))
			start(t, g, c.landlock)
			var steps []string
			for _, s := range g.waitState(t, true, "").Hardening {
				steps = append(steps, s.Step+" "+s.State)
			}
			if got := strings.Join(steps, ", "); got != c.want {
				t.Errorf("hardening: %s, want %s", got, c.want)
			}
			if out := g.out.String(); lacks(out, "level=WARN msg=\"hardening") != nil {
				t.Errorf("nothing is said of it:\n%s", out)
			}
		})
	}
	t.Run("root and another's journal", func(t *testing.T) {
		g := newConfined(t, l, 0)
		if err := os.Chown(filepath.Join(g.dir, "log"), sallyportUser, sallyportUser); err != nil {
			t.Fatal(err)
		}
		g.mount(t, "..1", config("required"))
		start(t, g, 0)
		g.mustHaveRefused(t, fmt.Sprintf("belongs to uid %d", sallyportUser))
	})
}
