// Tests of who else can change a configuration and read a secret.

package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sallyport/rules"
	"sallyport/rules/site"
)

// keptTree makes conf/site.toml and conf/token with correct modes, and links of each
// usual kind.
func keptTree(t *testing.T) (string, func(string) string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Chmod(dir, 0o755),
		os.MkdirAll(in("conf/..1"), 0o755),
		os.WriteFile(in("conf/site.toml"), nil, 0o644),
		os.WriteFile(in("conf/..1/site.toml"), nil, 0o644),
		os.WriteFile(in("conf/token"), []byte(strings.Repeat("k", 40)), 0o640),
		os.Symlink("..1", in("conf/..data")),
		os.Symlink("..data/site.toml", in("conf/mounted.toml")), // as Kubernetes mounts
		os.Symlink(in("conf"), in("current")),
		os.Mkdir(in("shared"), 0o755),
		os.Symlink(in("conf/site.toml"), in("shared/link.toml")),
		syscall.Mkfifo(in("conf/pipe"), 0o666),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, in
}

// Everything on the path to a file that others can write is found, with the remedy.
// Safe cases are not reported.
func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		what   string
		modes  map[string]os.FileMode
		file   string
		secret bool
		want   string // with DIR for the tree; "": nothing is wrong
	}{
		{"as it should be", nil, "conf/site.toml", false, ""},
		{"through links", nil, "current/mounted.toml", false, ""},
		{"others may write the file", map[string]os.FileMode{"conf/site.toml": 0o646}, "conf/site.toml", false, "every user of this host can write it, because DIR/conf/site.toml has mode 0646: chmod go-w DIR/conf/site.toml"},
		{"a group may", map[string]os.FileMode{"conf/site.toml": 0o664}, "conf/site.toml", false, " can write it, because DIR/conf/site.toml has mode 0664: chmod go-w DIR/conf/site.toml"},
		{"what a link leads to", map[string]os.FileMode{"conf/..1/site.toml": 0o666}, "current/mounted.toml", false, "every user of this host can write it, because DIR/conf/..1/site.toml has mode 0666"},
		{"others may replace it", map[string]os.FileMode{"conf": 0o777}, "conf/site.toml", false, "every user of this host can replace it, because DIR/conf has mode 0777: chmod go-w DIR/conf"},
		{"a group may", map[string]os.FileMode{"conf": 0o775}, "conf/site.toml", false, " can replace it, because DIR/conf has mode 0775"},
		{"others may replace what a link leads to", map[string]os.FileMode{"conf/..1": 0o777}, "conf/mounted.toml", false, "every user of this host can replace it, because DIR/conf/..1 has mode 0777"},
		{"others may turn the link", map[string]os.FileMode{"shared": 0o777}, "shared/link.toml", false, "every user of this host can replace it, because DIR/shared has mode 0777"},
		{"others may replace the directory", map[string]os.FileMode{".": 0o777}, "conf/site.toml", false, "every user of this host can replace it, because DIR has mode 0777"},
		{"a directory like /tmp", map[string]os.FileMode{"shared": 0o777 | os.ModeSticky}, "shared/link.toml", false, ""},
		{"a pipe", nil, "conf/pipe", false, ""},
		{"no file", nil, "conf/none.toml", false, ""},
		{"a link that leads to itself", nil, "conf/loop", false, ""},
		{"a secret for its group", nil, "conf/token", true, ""},
		{"a secret for everybody", map[string]os.FileMode{"conf/token": 0o644}, "conf/token", true, "every user of this host can read this secret, because DIR/conf/token has mode 0644: chmod o-rwx DIR/conf/token"},
		{"no secret, for everybody", map[string]os.FileMode{"conf/token": 0o644}, "conf/token", false, ""},
		{"both", map[string]os.FileMode{"conf/token": 0o666}, "conf/token", true, "every user of this host can read this secret, because DIR/conf/token has mode 0666: chmod o-rwx DIR/conf/token; in Kubernetes, defaultMode: 0440 and an fsGroup\nevery user of this host can write it"},
	} {
		dir, in := keptTree(t)
		if err := os.Symlink("loop", in("conf/loop")); err != nil {
			t.Fatal(err)
		}
		for name, mode := range c.modes {
			if err := os.Chmod(in(name), mode); err != nil {
				t.Fatal(err)
			}
		}
		k := Keeper{uid: os.Geteuid()}
		got := strings.ReplaceAll(strings.Join(k.faults(in(c.file), false, c.secret), "\n"), dir, "DIR")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// A file, a directory, or a link in a directory such as /tmp that belongs to another
// user is a fault. Files of root are no fault.
func TestPermissionsOfOwners(t *testing.T) {
	_, in := keptTree(t)
	me := os.Geteuid()
	other := Keeper{uid: me + 1}
	if me != 0 {
		if got := other.faults(in("conf/site.toml"), false, false); len(got) < 2 || !strings.Contains(strings.Join(got, "\n"), "must be root's or user "+fmt.Sprint(me+1)+"'s") {
			t.Errorf("of another user: %q", got)
		}
		return
	}
	if got := other.faults(in("conf/site.toml"), false, false); len(got) != 0 {
		t.Errorf("root's: %q", got)
	}
	for _, c := range []struct{ of, file string }{
		{"conf/site.toml", "conf/site.toml"}, {"conf", "conf/site.toml"}, {"conf/..1", "current/mounted.toml"}, {"shared/link.toml", "shared/link.toml"},
	} {
		if err := os.Chmod(in("shared"), 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(in(c.of), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(Keeper{}.faults(in(c.file), false, false), "\n")
		if want := in(c.of) + " belongs to user nobody, and must be root's: chown root " + in(c.of); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", c.of, got, want)
		}
		if got := (Keeper{uid: 65534}).faults(in(c.file), false, false); len(got) != 0 {
			t.Errorf("%s, the user's own: %q", c.of, got)
		}
		if err := os.Lchown(in(c.of), 0, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// A group with this user as its only member adds no writers.
func TestPermissionsOfPrivateGroup(t *testing.T) {
	_, in := keptTree(t)
	if err := os.Chmod(in("conf/site.toml"), 0o664); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(in("conf/site.toml"), &st); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		k    Keeper
		good bool
	}{
		{Keeper{uid: os.Geteuid(), group: st.Gid, private: true}, true},
		{Keeper{uid: os.Geteuid(), group: st.Gid}, false},
		{Keeper{uid: os.Geteuid(), group: st.Gid + 1, private: true}, false},
	} {
		if got := c.k.faults(in("conf/site.toml"), false, false); (len(got) == 0) != c.good {
			t.Errorf("%+v: %q", c.k, got)
		}
	}
	if k := ThisKeeper(); k.uid != os.Geteuid() || k.uid == 0 && k.private {
		t.Errorf("%+v: root has no group of its own", k)
	}
}

// Files in a read-only mount of a container are exempt, except for readable secrets.
// Files that only systemd made read-only are not exempt.
func TestPermissionsOfMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: mounting needs root")
	}
	_, in := keptTree(t)
	for name, mode := range map[string]os.FileMode{"conf": 0o777, "conf/site.toml": 0o666, "conf/token": 0o644} {
		if err := os.Chmod(in(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount(in("conf"), in("conf"), "", unix.MS_BIND, ""); err != nil {
		t.Skipf("skipped: mounting needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(in("conf"), 0); err != nil {
			t.Error(err)
		}
	})
	if got := (Keeper{}).faults(in("conf/site.toml"), false, false); len(got) != 2 {
		t.Errorf("mounted for writing: %q", got)
	}
	if err := unix.Mount("", in("conf"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if got := (Keeper{}).faults(in("conf/site.toml"), false, false); len(got) != 0 {
		t.Errorf("mounted read-only: %q", got)
	}
	if got := (Keeper{}).faults(in("conf/token"), false, true); len(got) != 1 || !strings.Contains(got[0], "can read this secret") {
		t.Errorf("a secret mounted read-only: %q", got)
	}
}

// Every file that a configuration names is checked and reported with its key; a
// reload checks again.
func TestPermissionsOfAConfiguration(t *testing.T) {
	_, in := keptTree(t)
	for _, name := range []string{"conf/site.toml", "conf/token", "conf/..1/site.toml"} {
		if err := os.Chmod(in(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	k := Keeper{uid: os.Geteuid()}
	cfg := &site.Config{Spec: rules.Spec{File: "c.toml"}, Inputs: []site.Input{{Key: "[admin] token_file", Line: 7, Path: in("conf/token"), Secret: true},
		{Key: "[admin] tls_key", Line: 8, Path: in("conf/..1/site.toml"), Secret: true}, {Key: "[admin] tls_cert", Line: 9, Path: in("conf/mounted.toml")}}}
	var got []string
	for _, p := range k.CheckPermissions(cfg, in("conf/site.toml")) {
		key, _, _ := strings.Cut(strings.TrimPrefix(p.String(), "c.toml:"), "every user")
		got = append(got, key)
		if p.Warning {
			t.Errorf("no error: %v", p)
		}
	}
	if want := []string{" ", "7: [admin] token_file: ", "7: [admin] token_file: ", "8: [admin] tls_key: ", "8: [admin] tls_key, [admin] tls_cert: "}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := k.CheckPermissions(&site.Config{}, "-"); len(got) != 0 {
		t.Errorf("standard input: %v", got)
	}
}

// One directory that others can write is one line with one command, however many files are in it.
func TestPermissionsOfOneDirectory(t *testing.T) {
	_, in := keptTree(t)
	if err := os.Chmod(in("conf"), 0o777); err != nil {
		t.Fatal(err)
	}
	cfg := &site.Config{Spec: rules.Spec{File: "c.toml"}, Inputs: []site.Input{{Key: "[admin] tls_cert", Line: 3, Path: in("conf/..1/site.toml")},
		{Key: "[profiles] paths", Line: 5, Path: in("conf"), Dir: true}, {Key: "[profiles] paths", Line: 5, Path: in("conf/site.toml")}}}
	got := Keeper{uid: os.Geteuid()}.CheckPermissions(cfg, in("conf/site.toml"))
	want := fmt.Sprintf("c.toml: this file, [admin] tls_cert, [profiles] paths: every user of this host can put files there, as %s has mode 0777: chmod go-w %[1]s", in("conf"))
	if len(got) != 1 || got[0].String() != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// At a start and a reload, a directory that others can write is a warning, and a
// file that others can write is an error.
func TestRunPermissions(t *testing.T) {
	_, in := keptTree(t)
	k := Keeper{uid: os.Geteuid()}
	if err := os.Chmod(in("conf"), 0o777); err != nil {
		t.Fatal(err)
	}
	cfg := &site.Config{Spec: rules.Spec{File: "c.toml"}}
	got := k.RunPermissions(cfg, in("conf/site.toml"))
	if len(got) != 1 || !got[0].Warning || !strings.Contains(got[0].String(), "can replace it") {
		t.Errorf("a directory that others can write: %v", got)
	}
	if err := os.Chmod(in("conf/site.toml"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got = k.RunPermissions(cfg, in("conf/site.toml")); len(got) != 2 || got.Err() == nil {
		t.Errorf("and the file: %v", got)
	}
	if err := k.CheckPermissions(cfg, in("conf/site.toml")).Err(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("check: %v", err)
	}
}
