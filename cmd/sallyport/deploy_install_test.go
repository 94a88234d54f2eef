// Tests of deploy/install.sh with a temporary root directory.

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// releaseDirectory makes an unpacked release with the binary of the test.
func releaseDirectory(t *testing.T) string {
	t.Helper()
	dir, _ := writeManual(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "sallyport")); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string, mode fs.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("install.sh", deployed(t, "deploy/install.sh"), 0o755)
	put("gateway.toml", deployed(t, "deploy/gateway.toml"), 0o644)
	put("sidecar.toml", deployed(t, "deploy/sidecar.toml"), 0o644)
	for _, name := range releasedPapers(t) {
		put(name, deployed(t, name), 0o644)
	}
	units, _ := filepath.Glob("../../deploy/systemd/*")
	for _, unit := range units {
		name := "systemd/" + filepath.Base(unit)
		put(name, deployed(t, "deploy/"+name), 0o755)
	}
	return dir
}

// emptyRoot makes a root directory with only the files that install.sh needs.
func emptyRoot(t *testing.T) string {
	t.Helper()
	needsTools(t, "systemctl", "useradd")
	if os.Geteuid() != 0 {
		if os.Getenv("SALLYPORT_E2E") == "required" {
			t.Fatal("SALLYPORT_E2E=required, but install.sh needs root")
		}
		t.Skip("skipped: install.sh needs root")
	}
	root := t.TempDir()
	for path, text := range map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n",
		"usr/sbin/nft": "", "usr/sbin/sysctl": "", "usr/sbin/useradd": "", "usr/bin/systemctl": ""} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// On many hardened hosts the umask of root is 077. The service can still read its
// configuration, and every user can read the manual.
func TestInstallWithAnyUmask(t *testing.T) {
	t.Parallel()
	release, root := releaseDirectory(t), emptyRoot(t)
	out, err := exec.Command("sh", "-c", `umask 077; exec "$0/install.sh" --no-enable --root "$1"`, release, root).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := 0
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(path, "/etc/sallyport") && !strings.Contains(path, root+"/usr/local") {
			return err
		}
		found++
		if st, err := e.Info(); err != nil || st.Mode().Perm()&0o044 != 0o044 || st.IsDir() && st.Mode().Perm()&0o011 != 0o011 {
			t.Errorf("%s is %v %v", path, st.Mode(), err)
		}
		return nil
	})
	if err != nil || found < 30 {
		t.Errorf("%d files, %v", found, err)
	}
	if st, err := os.Stat(filepath.Join(root, "var/log/sallyport")); err != nil || st.Mode().Perm() != 0o750 {
		t.Errorf("the journal's directory: %v %v", st, err)
	}
}

// --root refuses the root directory of this host, and an empty value, such as that
// of a variable that is not set. It accepts a relative path.
func TestInstallRoot(t *testing.T) {
	t.Parallel()
	release, root := releaseDirectory(t), emptyRoot(t)
	install := func(dir, root string) (string, error) {
		cmd := exec.Command(filepath.Join(release, "install.sh"), "--no-enable", "--dry-run", "--root", root)
		if dir != "" {
			cmd.Args = slices.DeleteFunc(cmd.Args, func(a string) bool { return a == "--dry-run" })
		}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, own := range []string{"", "/", "//", "/etc/.."} {
		if out, err := install("", own); err == nil || !strings.Contains(out, "install.sh: --root") {
			t.Errorf("--root %q: %v\n%s", own, err, out)
		}
	}
	if out, err := install(filepath.Dir(root), filepath.Base(root)); err != nil {
		t.Errorf("a relative root: %v\n%s", err, out)
	}
	if passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd")); err != nil || !strings.Contains(string(passwd), "\nsallyport:") {
		t.Errorf("no user: %v\n%s", err, passwd)
	}
}

// For a sidecar, install.sh refuses a configuration that redirects no traffic, and
// installs nothing. Without a configuration it installs the example of the guide and
// prints the next step.
func TestInstallSidecar(t *testing.T) {
	t.Parallel()
	release, root := releaseDirectory(t), emptyRoot(t)
	install := func(args ...string) (string, error) {
		out, err := exec.Command(filepath.Join(release, "install.sh"), append([]string{"--sidecar", "--no-enable", "--root", root}, args...)...).CombinedOutput()
		return string(out), err
	}
	proxy := filepath.Join(t.TempDir(), "proxy.toml")
	if err := os.WriteFile(proxy, []byte("[listen]\nhttp = [\"127.0.0.1:3128\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := install("--config", proxy); err == nil || !strings.Contains(out, "transparent is empty") {
		t.Errorf("a proxy alone: %v\n%s", err, out)
	}
	if left, _ := filepath.Glob(root + "/usr/local/*"); len(left) > 0 {
		t.Errorf("installed all the same: %q", left)
	}
	out, err := install()
	if err != nil || !strings.Contains(out, "sallyport check --mode sidecar --config") {
		t.Errorf("%v\n%s", err, out)
	}
	if got, _ := os.ReadFile(filepath.Join(root, "etc/sallyport/sallyport.toml")); string(got) != deployed(t, "deploy/sidecar.toml") {
		t.Errorf("the example is\n%s", got)
	}
	for _, drop := range []string{"sallyport", "sallyport-nft"} {
		if _, err := os.Stat(filepath.Join(root, "usr/local/lib/systemd/system", drop+".service.d/50-sidecar.conf")); err != nil {
			t.Error(err)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(root, "usr/local/lib/systemd/system/nftables.service.d/00-sallyport.conf")); string(got) != deployed(t, "deploy/systemd/nftables-sidecar.conf") {
		t.Errorf("nftables.service is told\n%s", got)
	}
}
