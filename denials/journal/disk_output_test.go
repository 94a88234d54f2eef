// Tests of outputs that break, stall, or cannot be opened.

package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// If the reader of a pipe closes it, writing returns an error. It neither
// ends the process nor blocks.
func TestBrokenPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Path: fifo}); !errors.Is(err, syscall.ENXIO) || !strings.Contains(err.Error(), "start the reader") {
		t.Fatalf("a FIFO without a reader: %v", err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, func(c *Config) { c.Path, c.tick = fifo, 10*time.Millisecond })
	r := NewRecorder(gateFunc(small), j, nil)
	r.Decide(connect(t, "10.0.0.7", "evil.example"))
	mustSync(t, j)
	_ = reader.Close()
	r.Decide(connect(t, "10.0.0.7", "evil.example"))
	eventually(t, "the error shows", func() bool { return j.Err() != nil })
	if reader, err = os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	eventually(t, "it mends by itself", func() bool { return j.Err() == nil && j.Stats().Pending == 0 })
	b := make([]byte, 64<<10)
	n, err := reader.Read(b)
	if err != nil || !bytes.Contains(b[:n], []byte(`"evil.example"`)) {
		t.Errorf("%q, %v", b[:n], err)
	}
}

// If the standard output stalls, callers go on, Err returns an error, and Close
// does not hang.
func TestStalledOutput(t *testing.T) {
	in, out := io.Pipe()
	j := open(t, func(c *Config) { c.Path, c.Stdout, c.Required = "-", out, true })
	r := NewRecorder(gateFunc(small), j, nil)
	r.Decide(connect(t, "10.0.0.7", "evil.example"))
	eventually(t, "the stall shows", func() bool { return errors.Is(j.Err(), ErrStalled) })
	if d := r.Decide(connect(t, "10.0.0.7", "update.example")); d.Allowed() {
		t.Error("a required journal is stalled and the gate is open")
	}
	go drainAll(in)
	eventually(t, "it goes on", func() bool { return j.Err() == nil })
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	_ = out.Close()
}

func drainAll(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

// If the reader of the standard output closes it, the process does not end.
func TestBrokenStandardOutput(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), "JOURNAL_TEST_VICTIM=-"), out
	err = cmd.Run()
	_ = out.Close()
	if cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("%v", err)
	}
}

func TestOpenErrorsNameTheFileAndTheCure(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "no", "such", "denials.jsonl"): "create the directory",
		dir:                   "name of a file",
		"/proc/denials.jsonl": "", // no user can create files there
	} {
		j, err := Open(Config{Path: path})
		if err == nil {
			_ = j.Close()
		}
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Open(Config{}); err == nil {
		t.Error("no path")
	}
	if _, err := Open(Config{Path: filepath.Join(dir, "a"), Flows: filepath.Join(dir, "no", "b")}); err == nil {
		t.Error("flows cannot be opened")
	}
}

func TestFileIsForItsOwnerAlone(t *testing.T) {
	j := open(t, nil)
	info, err := os.Stat(j.cfg.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
