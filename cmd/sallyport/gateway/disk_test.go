// Tests of reading the files that a configuration names.

package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/rules/site"
)

func TestHostFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"a.toml": "0123456789", ".hidden.toml": "h", "b.toml~": "b", "..data/a.toml": "x", "empty.toml": ""} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(in(name)), 0o755), os.WriteFile(in(name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("..data/a.toml", in("linked.toml")), os.Mkdir(in("dir.toml"), 0o755), syscall.Mkfifo(in("pipe.toml"), 0o600)); err != nil {
		t.Fatal(err)
	}
	files := hostFiles{}
	names, err := files.List(dir, ".toml")
	if want := []string{"a.toml", "dir.toml", "empty.toml", "linked.toml", "pipe.toml"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, want %q", names, err, want)
	}
	if _, err := files.List(in("a.toml"), ".toml"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file as a directory: %v", err)
	}
	for _, c := range []struct {
		name  string
		limit int
		want  string
		err   error
	}{
		{"a.toml", 10, "0123456789", nil},
		{"a.toml", 100, "0123456789", nil},
		{"a.toml", 9, "", site.ErrTooLarge},
		{"linked.toml", 10, "x", nil},
		{"empty.toml", 10, "", nil},
		{"none.toml", 10, "", os.ErrNotExist},
		{"dir.toml", 10, "", errIrregular},
		{"pipe.toml", 10, "", errIrregular},
	} {
		before := time.Now()
		data, err := files.Read(in(c.name), c.limit)
		if string(data) != c.want || !errors.Is(err, c.err) || time.Since(before) > 5*time.Second {
			t.Errorf("%s, at most %d bytes: %q, %v, want %q, %v", c.name, c.limit, data, err, c.want, c.err)
		}
	}
	// A file of /proc says that it has no bytes, and is read to its end all the same.
	if data, err := files.Read("/proc/self/status", 1<<20); err != nil || !strings.Contains(string(data), "Threads:") {
		t.Errorf("a file without a size: %q, %v", data, err)
	}
	if _, err := files.Read("/proc/self/status", 20); !errors.Is(err, site.ErrTooLarge) {
		t.Errorf("a file without a size, above the limit: %v", err)
	}
}
