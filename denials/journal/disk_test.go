// Tests of a full disk, and of a process that is killed in the middle of a line.

package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A disk is a file in memory that can be full or slow. A reopen keeps its
// content.
type disk struct {
	full atomic.Bool
	room atomic.Int64                  // octets that still fit when full
	hold atomic.Pointer[chan struct{}] // writes wait for it
	mu   sync.Mutex
	data []byte
}

func (d *disk) open(string) (file, error) { return d, nil }

func (d *disk) Write(p []byte) (int, error) {
	if h := d.hold.Load(); h != nil {
		<-*h
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full.Load() {
		n := min(int(d.room.Load()), len(p))
		d.room.Add(int64(-n))
		d.data = append(d.data, p[:n]...)
		return n, syscall.ENOSPC
	}
	d.data = append(d.data, p...)
	return len(p), nil
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.NewReader(d.data).ReadAt(p, off)
}

func (d *disk) Stat() (fs.FileInfo, error) { return d, nil }
func (d *disk) Sync() error                { return nil }
func (d *disk) Close() error               { return nil }
func (d *disk) Name() string               { return "disk" }
func (d *disk) Mode() fs.FileMode          { return 0o600 }
func (d *disk) ModTime() time.Time         { return time.Now() }
func (d *disk) IsDir() bool                { return false }
func (d *disk) Sys() any                   { return nil }

func (d *disk) Size() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.data))
}

// readerOf reads b as a journal.
func readerOf(t testing.TB, b []byte) *reader {
	t.Helper()
	name := filepath.Join(t.TempDir(), "copy.jsonl")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openReader(name, newDecoder(), &Report{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// records returns the records that can be read. The content may have a torn
// line.
func (d *disk) records(t testing.TB) []Record {
	t.Helper()
	d.mu.Lock()
	s := readerOf(t, d.data)
	d.mu.Unlock()
	var rs []Record
	for s.next() {
		rs = append(rs, s.rec)
	}
	return rs
}

// The disk is full in the middle of a line, and has room again later.
// No count is lost, the torn line is a line of its own, and no restart is needed.
func TestFullDiskLosesNoCount(t *testing.T) {
	d := &disk{}
	j := open(t, func(c *Config) { c.open, c.tick = d.open, 10*time.Millisecond })
	r := NewRecorder(gateFunc(small), j, nil)
	a := connect(t, "10.0.0.7", "evil.example")
	for range 10 {
		r.Decide(a)
	}
	mustSync(t, j)
	d.room.Store(700)
	d.full.Store(true)
	for range 300 {
		r.Decide(a)
	}
	eventually(t, "the error shows", func() bool { return j.Err() != nil })
	j.Event(EventReload, "while the disk is full")
	_ = j.Sync()
	if st := j.Stats(); st.Healthy || st.Errors == 0 || !strings.Contains(st.Last, "no space") {
		t.Errorf("%+v", st)
	}
	if !errors.Is(j.Err(), syscall.ENOSPC) {
		t.Error(j.Err())
	}
	d.full.Store(false)
	eventually(t, "it mends by itself", func() bool { return j.Err() == nil && j.Stats().Pending == 0 })
	r.Decide(a)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rs := d.records(t)
	if total, _ := denied(rs); total != 311 {
		t.Errorf("%d denials of 311", total)
	}
	reloads := 0
	for _, rec := range rs {
		if rec.Event == EventReload {
			reloads++
		}
	}
	if reloads != 1 {
		t.Errorf("%d reloads", reloads)
	}
}

// If a disk is still full at Close, Close returns an error, and Stats counts the
// lost denials.
func TestFullDiskAtClose(t *testing.T) {
	j := open(t, func(c *Config) { c.Path = "/dev/full" })
	r := NewRecorder(gateFunc(small), j, nil)
	for range 5 {
		if r.Decide(connect(t, "10.0.0.7", "evil.example")).Allowed() {
			t.Fatal("a full disk opened the gate")
		}
	}
	if err := j.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	if st := j.Stats(); st.Dropped != 5 || st.Denials != 5 {
		t.Errorf("%+v", st)
	}
}

// No count is lost on a real file system without room.
func TestFullTmpfs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a tmpfs needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a tmpfs needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 48<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, func(c *Config) { c.Path, c.tick = filepath.Join(dir, "denials.jsonl"), 10*time.Millisecond })
	t.Cleanup(func() { _ = j.Close() })
	r := NewRecorder(gateFunc(small), j, nil)
	n := uint64(0)
	for j.Err() == nil && n < 10_000 {
		for i := range 100 {
			r.Decide(connect(t, "10.0.0."+jsonText(i), "evil.example"))
			n++
		}
		_ = j.Sync()
	}
	if j.Err() == nil {
		t.Fatal("never full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it mends by itself", func() bool { return j.Err() == nil && j.Stats().Pending == 0 })
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rs, rep := scan(t, j.cfg.Path)
	if total, _ := denied(rs); total != n || rep.Skipped > 2 {
		t.Errorf("%d denials of %d, %d lines torn", total, n, rep.Skipped)
	}
}

// A process is killed in the middle of a write. The next process begins a
// new line, and the reader reports the torn line.
func TestKilledInTheMiddleOfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_VICTIM="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the victim writes", func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() > 10_000
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"schema":1,"time":"2026-11-22T12:0`) // a torn line in any case
	_ = f.Close()
	before, _ := scan(t, path)

	j := open(t, func(c *Config) { c.Path = path })
	j.Event(EventStart, "again")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	after, rep := scan(t, path)
	if len(after) != len(before)+1 || after[len(after)-1].Event != EventStart {
		t.Errorf("%d records before, %d after", len(before), len(after))
	}
	if rep.Skipped != 1 || rep.Problems[0].File != path || rep.Problems[0].Line != len(before)+1 {
		t.Errorf("%+v", rep)
	}
	if after[0].Boot == after[len(after)-1].Boot {
		t.Error("two processes, one boot")
	}
}

// victim denies as fast as it can until it is killed. If its journal is the
// standard output, it denies once, and exits with code 3 after a broken pipe.
func victim(path string) {
	j, err := Open(Config{Path: path})
	if err != nil {
		panic(err)
	}
	r := NewRecorder(gateFunc(small), j, nil)
	if path == "-" {
		r.Decide(connect(nil, "10.0.0.7", "evil.example"))
		if errors.Is(j.Sync(), syscall.EPIPE) {
			os.Exit(3)
		}
		os.Exit(4)
	}
	for i := 0; ; i++ {
		a := connect(nil, "10.0.0."+jsonText(i%250), "evil.example")
		r.Decide(a)
		if i%1000 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// If a disk is full just before the end of a line, the line is written again. The
// incomplete line does not count as a record.
func TestTornBeforeTheNewline(t *testing.T) {
	d := &disk{}
	j := open(t, func(c *Config) { c.open, c.tick = d.open, time.Hour })
	r := NewRecorder(gateFunc(small), j, nil)
	r.Decide(connect(t, "10.0.0.7", "evil.example"))
	mustSync(t, j)
	d.room.Store(d.Size() - 1) // the next line has the same length, so only its newline is missing
	d.full.Store(true)
	r.Decide(connect(t, "10.0.0.7", "evil.example"))
	_ = j.Sync()
	d.full.Store(false)
	if err := j.Reopen(); err != nil {
		t.Fatal(err)
	}
	if total, _ := denied(d.records(t)); total != 2 || d.room.Load() != 0 {
		t.Errorf("%d denials of 2, room for %d more: %s", total, d.room.Load(), d.data)
	}
}
