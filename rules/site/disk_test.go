// Tests of the files that a configuration names: which file is read, and the error
// for a file that cannot be read.

package site

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// memory is a disk with these files, by path. A text that begins with "!" stands for an error.
type memory map[string]string

func (m memory) Read(path string, limit int) ([]byte, error) {
	text, ok := m[path]
	err := map[string]error{"!perm": fs.ErrPermission, "!large": ErrTooLarge, "!other": errors.New("input/output error")}[text]
	switch {
	case !ok:
		err = syscall.ENOENT
	case err == nil && len(text) > limit:
		err = ErrTooLarge
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return []byte(text), nil
}

func (m memory) List(dir, suffix string) ([]string, error) {
	if text, isFile := m[dir]; isFile {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: map[bool]error{true: fs.ErrPermission, false: syscall.ENOTDIR}[text == "!perm"]}
	}
	var names []string
	found := false
	for path := range m {
		if filepath.Dir(path) != filepath.Clean(dir) {
			continue
		}
		found = true
		if name := filepath.Base(path); strings.HasSuffix(name, suffix) && name[0] != '.' {
			names = append(names, name)
		}
	}
	if !found {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOENT}
	}
	slices.Sort(names)
	return names, nil
}

func TestInputs(t *testing.T) {
	disk := Disk{Dir: "/etc/sallyport", Files: memory{
		"/etc/sallyport/a.txt": "ab", "/srv/b.txt": "b", "/etc/sallyport/secret": "!perm", "/etc/sallyport/broken": "!other",
	}}
	for _, c := range []struct {
		disk              Disk
		name, path, wrong string
	}{
		{disk, "a.txt", "/etc/sallyport/a.txt", ""},
		{disk, "/srv/b.txt", "/srv/b.txt", ""},
		{disk, "../../srv/b.txt", "/srv/b.txt", ""},
		{disk, "none", "/etc/sallyport/none", "no such file or directory: create it, or correct the path; relative paths begin at the directory of the configuration"},
		{disk, "secret", "/etc/sallyport/secret", "permission denied: the user of sallyport must be able to read it"},
		{disk, "broken", "/etc/sallyport/broken", "input/output error"},
		{Disk{Dir: "/x"}, "a.txt", "/x/a.txt", "files are not read here"},
		{Disk{}, "a.txt", "a.txt", "files are not read here"},
	} {
		var cfg Config
		path, data, err := cfg.read(c.disk, Input{Key: "[profiles] paths", Line: 7, Path: c.name}, 2)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if path != c.path || !strings.HasPrefix(got, c.wrong) || c.wrong == "" && (err != nil || len(data) == 0) || c.wrong != "" && data != nil {
			t.Errorf("%q: %q, %q, %q, want %q, %q", c.name, path, data, got, c.path, c.wrong)
		}
		if want := (Input{Key: "[profiles] paths", Line: 7, Path: c.path}); len(cfg.Inputs) != 1 || cfg.Inputs[0] != want {
			t.Errorf("%q: inputs %v, want %v: also a file that cannot be read is watched", c.name, cfg.Inputs, want)
		}
	}
	var cfg Config
	if _, _, err := cfg.read(disk, Input{Key: "k", Path: "a.txt"}, 1); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file above the limit: %v", err)
	}
	if path, names, err := cfg.list(disk, Input{Key: "k", Path: "/etc/sallyport/"}, ".txt"); err != nil || path != "/etc/sallyport/" || !slices.Equal(names, []string{"a.txt"}) {
		t.Errorf("the directory: %q %q %v", path, names, err)
	}
	if _, _, err := cfg.list(disk, Input{Key: "k", Path: "a.txt"}, ".toml"); err == nil || err.Error() != "is not a directory, and the path of a file ends in .toml" {
		t.Errorf("a file as a directory: %v", err)
	}
}

// The revision names the content of every input: a changed profile or list is another
// configuration.
func TestRevisionCoversInputs(t *testing.T) {
	revision := func(files memory, names ...string) string {
		var cfg Config
		for _, name := range names {
			if _, _, err := cfg.read(Disk{Files: files}, Input{Key: "k", Path: name}, 9); err != nil {
				t.Fatal(err)
			}
		}
		return cfg.revision([]byte("text"))
	}
	files := memory{"a": "1", "b": "2"}
	seen := map[string]string{}
	for what, r := range map[string]string{
		"no input": revision(files), "a": revision(files, "a"), "b": revision(files, "b"), "a and b": revision(files, "a", "b"),
		"a changed": revision(memory{"a": "3"}, "a"),
	} {
		if len(r) != 12 || seen[r] != "" {
			t.Errorf("%s: revision %q, also of %q", what, r, seen[r])
		}
		seen[r] = what
	}
}
