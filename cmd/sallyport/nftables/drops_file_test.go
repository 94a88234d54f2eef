// Tests of the file of counters: its group, and the remedy in its errors.

package nftables

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestUnreadableCountersNameTheRemedy(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/run/x/counters.json", Err: syscall.EACCES}
	err := withRemedy(denied, denied.Path, "sallyport")
	if want := "as root: install -d -g sallyport -m 2750 /run/x"; !errors.Is(err, fs.ErrPermission) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("of the counters: %v, want %q", err, want)
	}
}

// A directory with the set-group-ID bit gives its group to the file of counters, so
// that the group of sallyport can read what root writes.
func TestCountersBelongToTheGroupOfTheirDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: giving a directory to another group needs root")
	}
	dir := filepath.Join(t.TempDir(), "drops")
	if out, err := exec.Command("install", "-d", "-g", "65534", "-m", "2750", dir).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	path := filepath.Join(dir, "counters.json")
	if err := replaceByName(path, []byte("{}"), 0o640); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t).Gid; got != 65534 || info.Mode().Perm() != 0o640 {
		t.Errorf("the file has group %d and mode %v", got, info.Mode())
	}
}
