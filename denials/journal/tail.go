// Tail: follows a journal while it is written, across rotations.

package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// TailOptions are the parameters of Tail.
type TailOptions struct {
	Path   string             // the journal; after a rotation, the new file
	Select func(*Record) bool // which records to pass; nil: all
	Last   int                // begin with at most this many of the existing records
	Every  time.Duration      // time between two checks; 0: 200 ms
}

// Tail calls fn for records as they are written. It ends without an error when ctx ends, or
// with the error of fn. The record is valid only during the call. Tail first passes the last
// of the records that exist at the start, see TailOptions.Last. It waits for a file that does
// not exist yet. It skips a line that is not a record.
func Tail(ctx context.Context, o TailOptions, fn func(*Record) error) error {
	if o.Every <= 0 {
		o.Every = 200 * time.Millisecond
	}
	t := follower{path: o.Path, selects: o.Select, fn: fn, dec: newDecoder(), last: NewRing(max(o.Last, 1)), history: true}
	defer t.close()
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for {
		if err := t.look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if t.history {
			t.history = false
			for r := range t.last.All {
				if o.Last <= 0 {
					break
				}
				if err := fn(r); err != nil {
					return err
				}
			}
			t.last = NewRing(1)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// A follower reads one file as it grows.
type follower struct {
	path    string
	selects func(*Record) bool // nil: every record
	fn      func(*Record) error
	in      *reader // nil: the file is not open
	dec     *decoder
	report  Report
	last    *Ring
	history bool // the records that are read existed at the start
}

func (t *follower) close() {
	if t.in != nil {
		t.in.close()
		t.in = nil
	}
}

// look reads the new records. If the file was renamed, look first reads the
// renamed file to its end. Then it continues with the new file.
func (t *follower) look(ctx context.Context) error {
	for {
		if t.in == nil {
			f, err := os.Open(t.path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			in, err := newReader(t.path, f, t.dec, &t.report)
			if err != nil {
				return err
			}
			in.grows = true
			t.in = in
		}
		replaced := t.replaced()
		if err := t.read(ctx); err != nil {
			return err
		}
		if !replaced {
			return nil
		}
		t.close()
	}
}

// replaced reports whether path is another file now. A file that was cut short
// is read from its beginning.
func (t *follower) replaced() bool {
	now, err := os.Stat(t.path)
	if err != nil {
		return false // between a rename and the new file
	}
	mine, err := t.in.file.Stat()
	if err != nil || !os.SameFile(now, mine) {
		return true
	}
	if now.Size() < t.in.offset {
		t.in.place = place{}
	}
	return false
}

// read passes on every record up to the end of the file.
func (t *follower) read(ctx context.Context) error {
	if err := t.in.resume(t.in.place); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if !t.in.next() {
			return t.in.err
		}
		switch r := &t.in.rec; {
		case t.selects != nil && !t.selects(r):
		case t.history:
			t.last.Add(r)
		default:
			if err := t.fn(r); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
