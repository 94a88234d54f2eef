//go:build linux

// Confined: the running gateway has given up the privileges that it does not need. It
// can still reload, rotate, resolve, dial and clean up.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestConfinedGatewayWorks(t *testing.T) {
	need(t, "curl")
	for name, uid := range map[string]uint32{"as a user": sallyportUser, "as root": 0} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			g := newConfined(t, l, uid)
			plain := fleet[0]
			plain.features = nil
			overTCP, overUDP := fmt.Sprintf(confinedTop, "tcp://45.83.0.1:53"), fmt.Sprintf(confinedTop, "udp://45.83.0.1:53")
			full := strings.Repeat(`{"schema":1}`+"\n", 1<<20/13+1) // large enough for rotation
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
				t.Errorf("resolve over TCP, and dial: %v", err)
			}
			rotates(t, l, g)

			g.mount(t, "..2", configurationOf(overTCP, append([]client{plain}, fleet[1:]...)))
			eventually(t, 30*time.Second, "the mounted policy denies", func() error {
				return lacks(l.curl(t, fleet[0], "-x", httpDoor, "http://clt.sangfor.com/").stdout, "feature_off")
			})
			g.edit(t, configurationOf(overUDP, fleet))
			eventually(t, 30*time.Second, "the edited policy permits, resolved over UDP", permitted)

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
				t.Errorf("the output:\n%s", out)
			}
		})
	}
}

// rotates asserts that sallyport rotates and compresses a full journal, and that it
// begins a new journal after logrotate has moved the old one.
func rotates(t *testing.T, l *lab, g *gateway) {
	t.Helper()
	dir := journal(filepath.Join(g.dir, "log/denials.jsonl"))
	if err := l.deny("rotated.evil.example"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the full journal is compressed", func() error {
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
	eventually(t, 30*time.Second, "the journal is there again", func() error { _, err := os.Stat(string(dir)); return err })
	if err := l.deny("reopened.evil.example"); err != nil {
		t.Fatal(err)
	}
	dir.mustDeny(t, 0, denial{host: "reopened.evil.example", reason: "not_listed"})

	// The process has no grant for another directory with the same path.
	log := filepath.Join(g.dir, "log")
	if err := os.Rename(log, log+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(log, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(log, int(g.uid), int(g.uid)); err != nil {
		t.Fatal(err)
	}
	g.waitState(t, false, "needs a restart")
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(log+".old", log); err != nil {
		t.Fatal(err)
	}
	g.waitState(t, true, "")
}

// With the configuration from standard input and the journal to standard output, the
// process needs no file.
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
	eventually(t, 30*time.Second, "the denial is on standard output", func() error {
		return lacks(g.out.String(), `"host":"to-stdout.evil.example"`)
	})
	g.unprivileged(t)
	g.signal(t, syscall.SIGHUP)
	g.waitState(t, false, "came from standard input")
	if err := l.deny("after-sighup.evil.example"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the next one, too", func() error { return lacks(g.out.String(), `"host":"after-sighup.evil.example"`) })
}
