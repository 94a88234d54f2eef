//go:build linux

// Host, installed: from the release to the units, again for an upgrade, and then
// removed.

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// releaseArchive builds a release with the steps of docs/operations.md. It builds only
// once, and only for this machine.
func releaseArchive(t *testing.T) string {
	t.Helper()
	dist := filepath.Join(workDir, "dist")
	if _, err := os.Stat(filepath.Join(dist, "SHA256SUMS")); err == nil {
		return dist
	}
	cmd := exec.Command("sh", "-c", readGuide(t, "docs/operations.md").command(t, "make release"))
	cmd.Dir = repositoryFile(t, ".")
	cmd.Env = append(os.Environ(), "ARCHES="+runtime.GOARCH, "DIST="+dist)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make release: %v\n%s", err, out)
	}
	return dist
}

// install follows the steps up to the installation, before systemd runs.
func (h *host) install(t *testing.T) {
	t.Helper()
	dist := releaseArchive(t)
	copied := exec.Command("sh", "-c", `cp "$0"/*.tar.gz "$0"/SHA256SUMS "$1"`, dist, filepath.Join(h.root, "root"))
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const site = "/etc/sallyport/sallyport.toml"
	step := func(dir, block string) result {
		t.Helper()
		r := h.work(t, "cd "+dir+"\n"+strings.ReplaceAll(block, "linux-amd64", "linux-"+runtime.GOARCH))
		if r.code != 0 {
			t.Fatalf("%v", r)
		}
		return r
	}
	step("/root", h.page.block(t, "apt-get install"))
	h.intoRoot(t)
	// Without a configuration the script enables no unit.
	const unpacked = "/root/sallyport-*/"
	if r := step(unpacked, "./install.sh --dry-run"); !strings.Contains(r.stdout, "Nothing was started") || h.exists("/usr/local/bin/sallyport") {
		t.Errorf("dry: %v", r)
	}
	step(unpacked, h.page.block(t, "install -d"))
	if r := step(unpacked, "./install.sh"); !strings.Contains(r.stdout, "Nothing was started") || h.exists("/etc/systemd/system/multi-user.target.wants/sallyport.service") {
		t.Errorf("with the bare example: %v", r)
	}
	manager := fleet[0]
	h.edit(t, site, `"10.20.30.40", "fd00:20::40"`, fmt.Sprintf("%q, %q", manager.v4(), manager.v6()), "udp://10.0.0.53", "udp://"+resolver4)
	// A mistake changes nothing.
	good := h.get(t, site)
	h.put(t, site, good+"\n[limits]\nidle = 1\n")
	if r := h.work(t, "cd "+unpacked+"\n./install.sh"); r.code != 1 || !strings.Contains(r.all(), fmt.Sprintf("sallyport.toml:%d: ", strings.Count(good, "\n")+3)) || !strings.Contains(r.stderr, "nothing was changed") {
		t.Errorf("with a mistake: %v", r)
	}
	h.put(t, site, good)
	if r := step(unpacked, h.page.block(t, "./sallyport check")); !strings.Contains(r.stdout, "table inet sallyport") || strings.Contains(r.all(), "warning") {
		t.Errorf("%v", r)
	}
	if r := step(unpacked, h.page.block(t, "./install.sh")); !strings.Contains(r.stdout, "They start with the next boot") {
		t.Errorf("%v", r)
	}
	if h.get(t, site) != good {
		t.Error("the configuration was overwritten")
	}
	if r := step(unpacked, "./install.sh"); strings.Contains(r.stdout, "  /usr/local") {
		t.Errorf("twice is not once: %v", r)
	}
	// systemd itself verifies the units, with its generators. The man page and the
	// completion are installed.
	verify := step("/", "systemd-analyze verify --man=no --generators=yes sallyport.service sallyport.socket sallyport-dns.socket sallyport-nft.service")
	if strings.Contains(verify.all(), "sallyport") {
		t.Errorf("%v", verify)
	}
	if !h.exists("/usr/local/share/man/man1/sallyport-explain.1") || !h.exists("/usr/local/share/bash-completion/completions/sallyport") {
		t.Error("no man page, or no completion")
	}
}

// intoRoot installs into a directory, as the maker of an image does, and
// removes everything again.
func (h *host) intoRoot(t *testing.T) {
	t.Helper()
	before := h.work(t, "find / -xdev | grep sallyport || true").stdout
	site := filepath.Join(t.TempDir(), "site.toml")
	script, err := filepath.Glob(filepath.Join(h.root, "root", "sallyport-*", "install.sh"))
	if err != nil || len(script) != 1 {
		t.Fatalf("unpacked: %q %v", script, err)
	}
	example, err := os.ReadFile(filepath.Join(filepath.Dir(script[0]), "gateway.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(site, append(example, "# of this site\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(script[0], append(args, "--root", h.root)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("install.sh %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	// The README's configuration is the configuration of a proxy. It installs no
	// packet filter, because the filter could not start.
	proxy := filepath.Join(t.TempDir(), "proxy.toml")
	if err := os.WriteFile(proxy, []byte(readGuide(t, "README.md").block(t, "[listen]")), 0o644); err != nil {
		t.Fatal(err)
	}
	const wanted = "/etc/systemd/system/multi-user.target.wants/"
	if out := run("--config", proxy); !strings.Contains(out, "A proxy only") || !h.exists(wanted+"sallyport.service") || h.exists(wanted+"sallyport-nft.service") {
		t.Errorf("a proxy alone:\n%s", out)
	}
	run("--uninstall", "--purge")
	run("--config", site)
	for _, path := range []string{"/usr/local/bin/sallyport", "/var/log/sallyport", "/etc/sallyport/sallyport.toml",
		wanted + "sallyport.service", wanted + "sallyport-nft.service"} {
		if !h.exists(path) {
			t.Errorf("--root does not install %s", path)
		}
	}
	if passwd := h.get(t, "/etc/passwd"); !strings.Contains(passwd, "\nsallyport:") {
		t.Errorf("--root makes no user:\n%s", passwd)
	}
	run("--uninstall", "--purge")
	if after := h.work(t, "find / -xdev | grep sallyport || true").stdout; after != before {
		t.Errorf("before --root\n%s\nafterwards\n%s", before, after)
	}
}

func (h *host) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(h.root, path))
	return err == nil
}

// upgrade installs again while sallyport runs.
func (h *host) upgrade(t *testing.T) {
	t.Helper()
	h.underLoad(t, func() {
		pid := h.show(t, "sallyport", "MainPID")
		if out := h.must(t, "cd /root/sallyport-*/\n./install.sh"); !strings.Contains(out, "Running: ") {
			t.Errorf("%s", out)
		}
		if now := h.show(t, "sallyport", "MainPID"); now == pid {
			t.Error("an upgrade that restarts nothing")
		}
	})
}

// uninstall removes the installed files and keeps the site's files. The packet
// filter stays loaded, so no packet gets out.
func (h *host) uninstall(t *testing.T) {
	t.Helper()
	out := h.must(t, "cd /root/sallyport-*/\n./install.sh --uninstall")
	if !strings.Contains(out, "packet filter is still loaded") {
		t.Errorf("%s", out)
	}
	if left := h.must(t, "find /usr/local /etc/systemd -name '*sallyport*'"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	if !h.exists("/etc/sallyport/sallyport.toml") || !h.exists("/var/log/sallyport/denials.jsonl") {
		t.Error("the site's own is gone")
	}
	h.nothingGetsOut(t)
	h.must(t, "cd /root/sallyport-*/\n./install.sh --uninstall --purge")
	if h.exists("/etc/sallyport") || h.exists("/var/log/sallyport") || strings.Contains(h.get(t, "/etc/passwd"), "sallyport") {
		t.Error("--purge leaves the site's own")
	}
}
