// Tail: follows a journal while it is written, over rotations.

package denials

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// TailOptions say what to follow.
type TailOptions struct {
	Path   string // the journal; rotated away, its successor is followed
	Filter Filter
	Last   int           // begin with at most this many of the records that are there
	Every  time.Duration // how often to look; 0: 200 ms
}

// Tail calls fn for records as they are written, until ctx ends, which is no
// error, or fn fails. The record is valid during the call only. What was there
// before is passed as far as Last says. A file that is not there yet is waited
// for. A line that is no record is skipped.
func Tail(ctx context.Context, o TailOptions, fn func(*Record) error) error {
	f, err := o.Filter.prepared()
	if err != nil {
		return err
	}
	if o.Every <= 0 {
		o.Every = 200 * time.Millisecond
	}
	t := follower{path: o.Path, filter: f, fn: fn, dec: newDecoder(), last: ring{max: max(o.Last, 1)}, history: true}
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
			for r := range t.last.all {
				if o.Last <= 0 {
					break
				}
				if err := fn(r); err != nil {
					return err
				}
			}
			t.last = ring{max: 1}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// A follower reads one file on and on.
type follower struct {
	path    string
	filter  Filter
	fn      func(*Record) error
	file    *os.File
	at      int64  // octets read from file
	part    []byte // the beginning of a line
	skip    bool   // the line under way is too long
	dec     *decoder
	rec     Record
	last    ring
	history bool // what is read was there before
	buf     [lineMax]byte
}

func (t *follower) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
}

// look reads what is new. A file that was renamed away is read to its end
// before its successor is.
func (t *follower) look(ctx context.Context) error {
	for {
		if t.file == nil {
			f, err := os.Open(t.path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			t.file, t.at, t.part, t.skip = f, 0, nil, false
		}
		replaced := t.replaced()
		if err := t.read(ctx); err != nil {
			return err
		}
		if !replaced {
			return nil
		}
		t.close()
		t.file = nil
	}
}

// replaced tells whether path is another file by now. One that was cut short
// is read from its beginning.
func (t *follower) replaced() bool {
	now, err := os.Stat(t.path)
	if err != nil {
		return false // between a rename and the new file
	}
	mine, err := t.file.Stat()
	if err != nil || !os.SameFile(now, mine) {
		return true
	}
	if now.Size() < t.at {
		_, _ = t.file.Seek(0, io.SeekStart)
		t.at, t.part, t.skip = 0, nil, false
	}
	return false
}

// read passes on every line up to the end of the file.
func (t *follower) read(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := t.file.Read(t.buf[:])
		t.at += int64(n)
		for rest := t.buf[:n]; len(rest) > 0; {
			line, after, whole := bytes.Cut(rest, []byte{'\n'})
			if rest = after; !t.skip {
				t.part = append(t.part, line...)
			}
			if len(t.part) > lineMax {
				t.part, t.skip = t.part[:0], true
			}
			if !whole {
				break
			}
			if err := t.line(t.part); err != nil {
				return err
			}
			t.part, t.skip = t.part[:0], false
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (t *follower) line(b []byte) error {
	if len(b) == 0 || t.dec.decode(b, &t.rec) != nil || !t.filter.match(&t.rec) {
		return nil
	}
	if t.history {
		t.last.add(&t.rec)
		return nil
	}
	return t.fn(&t.rec)
}
