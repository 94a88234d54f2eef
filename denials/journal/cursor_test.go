// Tests of the cursor: it passes each record once, whatever happens to the files.

package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A cursorTest reads one set of files again and again.
type cursorTest struct {
	*testing.T
	Cursor
	started int // how often the cursor began again
}

// reads compares the records of the next reading with want, and the number of new
// starts with started.
func (c *cursorTest) reads(names []string, want string, started int) {
	c.Helper()
	var got []Record
	err := c.Read(context.Background(), names, nil, func() { c.started++ }, func(r *Record) { got = append(got, *r) })
	if err != nil || hosts(got) != want || c.started != started {
		c.Fatalf("read %q after %d starts, %v; want %q after %d", hosts(got), c.started, err, want, started)
	}
}

func (c *cursorTest) write(name string, rs ...Record) {
	c.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		c.Fatal(err)
	}
	defer f.Close()
	for i := range rs {
		if _, err := f.Write(rs[i].Append(nil)); err != nil {
			c.Fatal(err)
		}
	}
}

// After a rotation the cursor reads the rest of the old file, and the new file.
func TestCursorReadsOnAfterRotation(t *testing.T) {
	dir := t.TempDir()
	name, old := filepath.Join(dir, "denials.jsonl"), filepath.Join(dir, "denials-1.jsonl")
	c := &cursorTest{T: t}
	c.write(name, at(0, nil), at(1, nil))
	c.reads([]string{name}, "n0 n1", 0)
	c.reads([]string{name}, "", 0)
	c.write(name, at(2, nil))
	if err := os.Rename(name, old); err != nil {
		t.Fatal(err)
	}
	c.write(name, at(3, nil))
	c.reads([]string{old, name}, "n2 n3", 0)
}

// A file that was cut short, compressed or removed makes the cursor begin again: the records
// of that file cannot be told from the others.
func TestCursorBeginsAgain(t *testing.T) {
	for name, change := range map[string]func(c *cursorTest, name string) (names []string, want string){
		"cut short": func(c *cursorTest, name string) ([]string, string) {
			if err := os.Truncate(name, 0); err != nil {
				c.Fatal(err)
			}
			c.write(name, at(5, nil))
			return []string{name}, "n5"
		},
		"compressed": func(c *cursorTest, name string) ([]string, string) {
			if err := os.Remove(name); err != nil {
				c.Fatal(err)
			}
			journalOf(c, name+".gz", at(0, nil), at(1, nil), at(5, nil))
			return []string{name}, "n0 n1 n5"
		},
		"removed": func(c *cursorTest, name string) ([]string, string) {
			if err := os.Remove(name); err != nil {
				c.Fatal(err)
			}
			other := name + ".other"
			c.write(other, at(6, nil))
			return []string{other}, "n6"
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "denials.jsonl")
			c := &cursorTest{T: t}
			c.write(file, at(0, nil), at(1, nil))
			c.reads([]string{file}, "n0 n1", 0)
			names, want := change(c, file)
			c.reads(names, want, 1)
		})
	}
}

// The reading of a plain file goes on where it was cancelled. The reading of a compressed
// file begins again.
func TestCursorAfterCancelledReading(t *testing.T) {
	var rs []Record
	for i := range 3000 {
		rs = append(rs, at(i, nil))
	}
	for file, again := range map[string]bool{"denials.jsonl": false, "denials.jsonl.gz": true} {
		t.Run(file, func(t *testing.T) {
			name := journalOf(t, filepath.Join(t.TempDir(), file), rs...)
			var c Cursor
			var got []string
			anew := func() { got = nil }
			each := func(r *Record) { got = append(got, r.Host) }
			ctx, cancel := context.WithCancel(context.Background())
			err := c.Read(ctx, []string{name}, nil, anew, func(r *Record) {
				each(r)
				cancel()
			})
			first := len(got)
			if !errors.Is(err, context.Canceled) || first == 0 || first == len(rs) {
				t.Fatalf("the cancelled reading passed %d records, %v", first, err)
			}
			began := false
			if err := c.Read(context.Background(), []string{name}, nil, func() { began = true; anew() }, each); err != nil {
				t.Fatal(err)
			}
			if began != again || len(got) != len(rs) || len(slices.Compact(slices.Clone(got))) != len(rs) {
				t.Errorf("after the second reading: %d records, began again: %v; want %d, %v", len(got), began, len(rs), again)
			}
		})
	}
}

// A damaged compressed file, and a file without permission to read it, are reported in each
// reading. The other files are read.
func TestCursorReportsUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	damaged := journalOf(t, filepath.Join(dir, "denials-1.jsonl.gz"), at(0, nil), at(1, nil))
	data, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, data[:len(data)-6], 0o600); err != nil {
		t.Fatal(err)
	}
	good := journalOf(t, filepath.Join(dir, "denials.jsonl"), at(2, nil))
	missing := filepath.Join(dir, "denials-0.jsonl")
	var c Cursor
	for reading := range 2 {
		var got []Record
		err := c.Read(context.Background(), []string{damaged, good, missing}, nil, func() {}, func(r *Record) { got = append(got, *r) })
		var path *os.PathError
		if !errors.As(err, &path) || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("reading %d: %v; want an error for each unreadable file", reading, err)
		}
		if want := []string{"n0 n1 n2", ""}[reading]; hosts(got) != want {
			t.Errorf("reading %d: %q; want %q", reading, hosts(got), want)
		}
	}
}
