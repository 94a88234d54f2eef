// Tests of deploy/systemd and its scripts: systemd finds no error in the units, and
// rates their exposure as low.

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unitDirectory makes a directory with every shipped unit, with the binary of the
// test as sallyport, and with the output of "sallyport sockets".
func unitDirectory(t *testing.T, config string) string {
	t.Helper()
	needsTools(t, "systemd-analyze", "nft", "sysctl")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, pattern := range []string{"*.service", "*.socket", "*.timer"} {
		files, _ := filepath.Glob(filepath.Join("..", "..", "deploy", "systemd", pattern))
		if len(files) < 1 {
			t.Fatalf("%s: %q", pattern, files)
		}
		for _, f := range files {
			text := strings.ReplaceAll(deployed(t, "deploy/systemd/"+filepath.Base(f)), "/usr/local/bin/sallyport", self)
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code, _, diag := command(t, config, "sockets", "--config", "-", "--write", dir); code != 0 {
		t.Fatal(diag)
	}
	return dir
}

// analyze runs systemd-analyze on the units of dir, and on no other units of
// this host.
func analyze(dir string, args ...string) (string, error) {
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":", "SYSTEMD_LOG_LEVEL=info", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestDeployUnitsVerify(t *testing.T) {
	t.Parallel()
	dir := unitDirectory(t, deployed(t, "deploy/gateway.toml"))
	for _, unit := range []string{"sallyport.service", "sallyport.socket", "sallyport-dns.socket", "sallyport-nft.service", "sallyport-drops.service", "sallyport-drops.timer"} {
		out, err := analyze(dir, "verify", "--man=no", "--recursive-errors=one", filepath.Join(dir, unit))
		if err != nil || strings.Contains(out, dir) {
			t.Errorf("verify %s: %v\n%s", unit, err, out)
		}
	}
	// systemd-analyze reports a socket unit that has no addresses.
	bare := unitDirectory(t, "mode = \"enforce\"\n")
	if out, err := analyze(bare, "verify", "--man=no", "--recursive-errors=one", filepath.Join(bare, "sallyport.socket")); err == nil {
		t.Errorf("a socket unit without a socket passes\n%s", out)
	}
	// It also reports an unknown key in a unit.
	odd := filepath.Join(dir, "sallyport-nft.service")
	if err := os.WriteFile(odd, []byte(deployed(t, "deploy/systemd/sallyport-nft.service")+"[Service]\nNoSuchKey=yes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _ := analyze(dir, "verify", "--man=no", "--recursive-errors=one", odd); !strings.Contains(out, "NoSuchKey") {
		t.Errorf("an unknown key passes\n%s", out)
	}
}

// Each service, with the capability for live sets too, is exposed to at most 2.0
// of 10.
func TestDeployUnitsExposure(t *testing.T) {
	dir := unitDirectory(t, deployed(t, "deploy/gateway.toml"))
	score := regexp.MustCompile(`Overall exposure level for (\S+): ([0-9.]+)`)
	measure := func(unit string) {
		t.Helper()
		out, err := analyze(dir, "security", "--offline=true", "--threshold=20", filepath.Join(dir, unit))
		m := score.FindStringSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
			return
		}
		t.Logf("%s: %s", unit, m[2])
	}
	measure("sallyport.service")
	measure("sallyport-nft.service")
	measure("sallyport-drops.service")
	drop := filepath.Join(dir, "sallyport.service.d", "live-sets.conf")
	if err := os.WriteFile(drop, []byte(deployed(t, "deploy/systemd/sallyport-live-sets.conf")), 0o644); err != nil {
		t.Fatal(err)
	}
	measure("sallyport.service")
}

// For TPROXY the service gets one capability, and opens the sockets itself. The unit is
// still exposed to at most 2.0 of 10.
func TestUnitsOfTPROXY(t *testing.T) {
	const config = "[listen]\ntproxy = [\"127.0.0.1:3130\"]\ndns = [\"[::]:5300\"]\n[[client]]\nname = \"c\"\nsources = [\"10.1.2.3\"]\nprofiles = []\n"
	_, out, _ := command(t, config, "sockets", "--config", "-")
	if strings.Contains(out, "3130") || !strings.Contains(out, "# sallyport.service.d/50-tproxy.conf\n") ||
		!strings.Contains(out, "[Service]\nAmbientCapabilities=CAP_NET_RAW\nCapabilityBoundingSet=CAP_NET_RAW\n") {
		t.Errorf("sockets prints\n%s", out)
	}
	dir := unitDirectory(t, config)
	unit := filepath.Join(dir, "sallyport.service")
	if out, err := analyze(dir, "verify", "--man=no", "--recursive-errors=one", unit); err != nil || strings.Contains(out, dir) {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := analyze(dir, "security", "--offline=true", "--threshold=20", unit)
	if err != nil || !strings.Contains(out, "CAP_NET_RAW") && !strings.Contains(out, "CAP_NET_(BIND_SERVICE|BROADCAST|RAW)") {
		t.Errorf("security: %v\n%s", err, out)
	}
}

// sallyport sockets prints each address of [listen] once, in the unit of its kind.
func TestSocketsOfConfiguration(t *testing.T) {
	const config = `
mode = "enforced"                # a mistake, elsewhere
[listen]
http        = ["10.20.30.1:3128", "[fd00::1]:3128"]
socks5      = ["127.0.0.1:0"]    # a port that the system chooses cannot be passed
transparent = ["[::]:3129"]
dns         = ["0.0.0.0:53"]
admin       = "127.0.0.1:9180"
`
	code, out, diag := command(t, config, "sockets", "--config", "-")
	var got []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			got = append(got, line)
		}
	}
	want := []string{
		"[Socket]", "ListenStream=10.20.30.1:3128", "ListenStream=[fd00::1]:3128", "ListenStream=[::]:3129", "ListenStream=0.0.0.0:53",
		"[Socket]", "ListenDatagram=0.0.0.0:53",
		"[Unit]", "PartOf=sallyport.socket", "[Service]", "Sockets=sallyport.socket sallyport-dns.socket",
	}
	if code != 0 || !slices.Equal(got, want) {
		t.Errorf("exit %d %s\n%s", code, diag, out)
	}
	if code, out, _ := command(t, "[listen]\nhttp = [\"127.0.0.1:3128\"]\n", "sockets", "--config", "-"); code != 0 || strings.Contains(out, "dns") {
		t.Errorf("without dns: exit %d\n%s", code, out)
	}
	if code, out, diag := command(t, "[listen]\nhttp = 127.0.0.1\n", "sockets", "--config", "-"); code != 1 || out != "" || diag == "" {
		t.Errorf("unreadable: exit %d %q %q", code, out, diag)
	}
	if code, _, diag := command(t, config, "sockets", "--config", "-", "--write", "/dev/null"); code != 1 || !strings.Contains(diag, "not a directory") {
		t.Errorf("not to be written: exit %d %q", code, diag)
	}
}

// Scripts are POSIX sh, and shellcheck prints no warning.
func TestDeployScripts(t *testing.T) {
	t.Parallel()
	needsTools(t, "shellcheck")
	for _, script := range []string{"deploy/install.sh", "deploy/reproduce", "deploy/vuln", "deploy/systemd/sallyport-generator",
		"deploy/compose/load-filter", "deploy/compose/hold-namespace"} {
		if !strings.HasPrefix(deployed(t, script), "#!/bin/sh\n") {
			t.Errorf("%s is for another shell", script)
		}
		if out, err := exec.Command("shellcheck", "--shell=sh", "--severity=style", filepath.Join("..", "..", script)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}

// The installed examples are the examples in the guides.
func TestDeployExample(t *testing.T) {
	for _, mode := range []string{"gateway", "sidecar"} {
		m := regexp.MustCompile("(?s)```toml\n(.*?)```").FindStringSubmatch(deployed(t, "deploy/"+mode+".md"))
		if m == nil {
			t.Fatalf("%s.md has no configuration", mode)
		}
		page := regexp.MustCompile(`(?m)^   `).ReplaceAllString(m[1], "")
		if example := deployed(t, "deploy/"+mode+".toml"); strings.TrimSpace(page) != strings.TrimSpace(example) {
			t.Errorf("the page has\n%s\nand %s.toml\n%s", page, mode, example)
		}
	}
}
