//go:build linux

// Tests of the grants that a file needs.

package confine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// grants formats a list of grants. Paths below dir are relative to dir.
func grants(dir string, list []Grant) (out []string) {
	for _, g := range list {
		rel := strings.TrimPrefix(g.Path, dir+"/")
		out = append(out, rel+" "+[...]string{"read", "list", "write", "change", "change links", "remove"}[g.Access])
	}
	return out
}

// siblingsOf returns the grants for other versions of a directory.
func siblingsOf(path string) (out []Grant) {
	for _, dir := range siblings(path) {
		out = append(out, Grant{dir, Read})
	}
	return out
}

func TestGrants(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"etc/..2026", "etc/app", "srv/releases/5", "srv/v5", "elsewhere", "log", "archive", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"etc/..data": "..2026", "etc/site.toml": "..data/site.toml", // as Kubernetes mounts
		"etc/app/key.pem": "../../archive/key1.pem", "log/linked.jsonl": "../archive/real.jsonl",
		"etc/loop": "loop", "srv/current": "releases/5", "srv/beside": "v5", "srv/away": "../elsewhere",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"etc/..2026/site.toml", "archive/key1.pem", "archive/real.jsonl", "log/denials.jsonl", "etc/plain.toml"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "run/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	for _, c := range []struct {
		what  string
		grant func(string) []Grant
		path  string
		want  []string
	}{
		{"a file may be replaced", ReadAgain, "etc/plain.toml", []string{"etc read", "etc/plain.toml read"}},
		{"the targets of its links may be replaced too", ReadAgain, "etc/site.toml", []string{"etc read", "etc/..2026 read", "etc/site.toml read"}},
		{"a link to another directory", ReadAgain, "etc/app/key.pem", []string{"etc/app read", "archive read", "etc/app/key.pem read"}},
		{"a missing file may be created later", ReadAgain, "etc/none.toml", []string{"etc read"}},
		{"a missing directory may not", ReadAgain, "none/none.toml", nil},
		{"a loop ends", ReadAgain, "etc/loop", slices.Repeat([]string{"etc read"}, 40)},
		{"a link to a directory may be turned to another version", ReadAgain, "srv/current/site.toml", []string{"srv/releases/5 read", "srv/releases read"}},
		{"also if the version is beside the link", ReadAgain, "srv/beside/site.toml", []string{"srv/v5 read", "srv read"}},
		{"but not to a directory elsewhere", ReadAgain, "srv/away/site.toml", []string{"elsewhere read"}},
		{"a system directory is no version", siblingsOf, "/var/run/none", nil},
		{"the root directory is never granted", ReadAgain, "/proc", []string{"/proc read"}},
		{"a journal rotates", WriteAgain, "log/denials.jsonl", []string{"log change"}},
		{"a new journal too", WriteAgain, "log/new.jsonl", []string{"log change"}},
		{"a link to a journal too", WriteAgain, "log/linked.jsonl", []string{"log change links", "archive change links"}},
		{"a pipe may be made again", WriteAgain, "run/pipe", []string{"run write"}},
		{"only the device is granted", WriteAgain, "/dev/full", []string{"/dev/full write"}},
		{"a socket is removed", RemoveLater, "run/admin.sock", []string{"run remove"}},
		{"but not from the root directory", RemoveLater, "/admin.sock", nil},
	} {
		if got := grants(dir, c.grant(at(c.path))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %s: got %q, want %q", c.what, c.path, got, c.want)
		}
	}
}

// A pipe without a name needs no grant.
func TestGrantsOfStandardOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if got := WriteAgain(fmt.Sprintf("/proc/self/fd/%d", w.Fd())); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// The status that the kernel reports is compared with the plan, field by field.
func TestStatusIsComparedWithThePlan(t *testing.T) {
	const status = "Name:\tsallyport\nCapPrm:\t0000000000001000\nNoNewPrivs:\t1\n"
	for _, c := range []struct {
		want map[string]uint64
		ok   bool
	}{
		{map[string]uint64{"CapPrm": 0x1000, "NoNewPrivs": 1}, true},
		{map[string]uint64{"CapPrm": 0}, false},
		{map[string]uint64{"NoNewPrivs": 0}, false},
	} {
		if err := hold(status, c.want); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.want, err)
		}
	}
	if err := hold("CapPrm:\tdamaged\n", map[string]uint64{"CapPrm": 0}); err == nil {
		t.Error("an unreadable status is accepted")
	}
}

func TestNothingIsConfinedYet(t *testing.T) {
	var c *Confinement
	if !c.Covers("/anything") || c.State(Files) != "" {
		t.Error("the nil Confinement restricts nothing")
	}
	s := Skipped()
	if !s.Covers("/anything") || s.State(Files) != Off || s.Err() != nil {
		t.Errorf("skipped: %v", s.Steps)
	}
}
