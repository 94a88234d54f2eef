// Tests of the source of a configuration.

package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A configuration whose files change while it is read is not used: one half of a change can
// permit more than the whole change.
func TestFilesThatChangeDuringTheLoadAreNotUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, list := filepath.Join(dir, "sallyport.toml"), filepath.Join(dir, "allow.txt")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "[listen]\nhttp = [\"127.0.0.1:3128\"]\n[[client]]\nname = \"a\"\nsources = [\"127.0.0.1\"]\nprofiles = []\n"+
		"[[rule]]\nid = \"r\"\nclient = \"a\"\nreason = \"x\"\ntcp = [443]\nto_files = [\"allow.txt\"]\n")
	var names strings.Builder // a load takes long enough to meet a change
	for i := range 50_000 {
		fmt.Fprintf(&names, "n%d.vendor.example\n", i)
	}
	write(list, names.String())
	source := NewSource(file, nil)
	if _, _, err := source.LoadToRun(); err != nil {
		t.Fatal(err)
	}
	stop, stopped, first := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(stopped)
		for at := time.Unix(1, 0); ; at = at.Add(time.Second) {
			select {
			case <-stop:
				return
			default:
				_ = os.Chtimes(list, at, at)
				select {
				case first <- struct{}{}:
				default:
				}
			}
		}
	}()
	<-first
	cfg, _, err := source.LoadToRun()
	close(stop)
	<-stopped
	if cfg != nil || err == nil || !strings.Contains(err.Error(), list+" changed while the configuration was read") {
		t.Errorf("with a file that changes: %v; want an error that names the file", err)
	}
	if _, _, err := source.LoadToRun(); err != nil {
		t.Errorf("after the changes: %v", err)
	}
}
