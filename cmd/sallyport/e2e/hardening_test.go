//go:build linux

// Hardening: a step that fails keeps sallyport from starting; a step that the
// kernel does not have is only reported.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// sallyport does not start if a step of the hardening fails, unless the
// configuration permits that. It does start if the kernel lacks a step, and reports
// it.
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
