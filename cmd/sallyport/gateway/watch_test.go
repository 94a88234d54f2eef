// Tests of watching a file and the links to it.

package gateway

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that changes during the start, after it was read, is put in force.
func TestWatchSeesAChangeDuringTheStart(t *testing.T) {
	g, log, write := readyGateway(t)
	write(strings.Replace(readySite, "10.77.0.10", "10.77.0.11", 1) + "# longer\n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.watch(ctx) }()
	defer func() { cancel(); <-done }()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(log.String(), "reloaded"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the old configuration stays in force: %s", log.String())
		}
	}
}

// fileState changes when the file is written, replaced or made unreadable, and when a
// link on the path, or its target, changes.
func TestWatchFileThroughLinks(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	var failed error
	try := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	put := func(name, text string) {
		try(os.MkdirAll(filepath.Dir(in(name)), 0o755))
		try(os.WriteFile(in(name+".new"), []byte(text), 0o644))
		try(os.Rename(in(name+".new"), in(name)))
	}
	link := func(name, to string) {
		try(os.Symlink(to, in(name+".new")))
		try(os.Rename(in(name+".new"), in(name)))
	}
	for _, v := range []string{"a/v1/f", "a/v2/f", "b/v1/f"} {
		put(v, "same length")
	}
	old := time.Now().Add(-time.Hour)
	for _, v := range []string{"a/v1/f", "a/v2/f", "b/v1/f"} {
		try(os.Chtimes(in(v), old, old))
	}
	link("a/..data", "v1") // like a mount of Kubernetes
	link("a/f", "..data/f")
	link("etc", "a")
	link("f", "etc/f")
	for _, c := range []struct {
		what   string
		change func()
		same   bool
	}{
		{"nothing", func() {}, true},
		{"the middle link leads to a directory of the same content", func() { link("a/..data", "v2") }, false},
		{"the first link leads elsewhere", func() { link("f", "b/v1/f") }, false},
		{"and back", func() { link("f", "etc/f") }, false},
		{"the link to a directory leads elsewhere", func() { link("b/f", "v1/f"); link("etc", "b") }, false},
		{"a link that is not on the way", func() { link("a/..data", "v1") }, true},
		{"the file is put in its place", func() { put("b/v1/f", "same length") }, false},
		{"the file is written, and its time set back", func() {
			try(os.Chtimes(in("b/v1/f"), old, old))
			before := fileState(in("f"))
			for deadline := time.Now().Add(5 * time.Second); fileState(in("f")) == before && time.Now().Before(deadline); { // until the file system's clock moves
				try(os.WriteFile(in("b/v1/f"), []byte("SAME length"), 0o644))
				try(os.Chtimes(in("b/v1/f"), old, old))
			}
		}, false},
		{"others may write it", func() { try(os.Chmod(in("b/v1/f"), 0o666)) }, false},
		{"it is gone", func() { try(os.Remove(in("b/v1/f"))) }, false},
		{"it is back", func() { put("b/v1/f", "same length") }, false},
		{"the link leads nowhere", func() { link("etc", "nowhere") }, false},
	} {
		before := fileState(in("f"))
		c.change()
		if after := fileState(in("f")); failed != nil || (after == before) != c.same {
			t.Fatalf("%s: %q, then %q (%v)", c.what, before, after, failed)
		}
	}
}
