// Cursor: reads on from where the last reading ended, so that it reads only new
// lines.

package journal

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// A Cursor remembers how far a set of journals was read. Its zero value starts at
// the beginning. It is not safe for concurrent use.
type Cursor struct {
	Since  time.Time // if not zero, files that were last written more than an hour before this time are left out
	Final  bool      // this is the last reading: report a last line without an end
	Report Report    // about the part that was read since the last start

	files  []*readFile
	dec    *decoder
	broken bool // the next reading starts again
	count  int  // number of records in the current reading
}

// A readFile is a file that was read up to a place.
type readFile struct {
	place
	name   string
	info   os.FileInfo // identifies the file under any name
	packed bool        // compressed: the file never grows again
	left   bool        // left out: its last record is before Since
	err    error       // why a compressed file could not be read to its end
}

// Read calls fn for every record that was written since the last call, file by
// file. If a file was compressed, removed or cut short, Read calls anew and
// then passes all records again, because it cannot separate the records of that
// file. The record and its lists are valid only during the call. progress may
// be nil.
func (c *Cursor) Read(ctx context.Context, names []string, progress Progress, anew func(), fn func(*Record)) error {
	files, same, err := c.match(names)
	if !same || c.broken {
		c.Report, c.broken, c.dec = Report{}, false, nil
		for i, f := range files {
			files[i] = &readFile{name: f.name, info: f.info, left: f.left}
		}
		anew()
	}
	if c.dec == nil {
		c.dec = newDecoder()
	}
	c.files, c.Report.Files, c.count = files, len(files), 0
	meter := newMeter(files, progress)
	errs := []error{err}
	for _, f := range files {
		if err := c.readOn(ctx, f, meter, fn); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	meter.done()
	return errors.Join(errs...)
}

// match finds the files by their identity, not by their names, the oldest
// first. same means that every read part is still there.
func (c *Cursor) match(names []string) (files []*readFile, same bool, err error) {
	found := map[*readFile]bool{}
	for _, name := range names {
		info, statErr := os.Stat(name)
		if errors.Is(statErr, fs.ErrNotExist) {
			if gz, e := os.Stat(name + ".gz"); e == nil {
				name, info, statErr = name+".gz", gz, nil
			}
		}
		if statErr != nil {
			err = errors.Join(err, statErr)
			continue
		}
		f := &readFile{}
		if i := slices.IndexFunc(c.files, func(o *readFile) bool { return os.SameFile(o.info, info) }); i >= 0 {
			f = c.files[i]
			found[f] = !f.packed && info.Size() >= f.offset || f.packed && info.Size() == f.info.Size()
		}
		f.name, f.info = name, info
		f.left = !c.Since.IsZero() && info.ModTime().Before(c.Since.Add(-slackOfFiles))
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b *readFile) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()), strings.Compare(a.name, b.name))
	})
	same = !slices.ContainsFunc(c.files, func(f *readFile) bool { return !found[f] })
	return files, same, err
}

// unread reports whether f may have records that were not read yet.
func (f *readFile) unread() bool {
	return !f.left && (!f.packed || f.offset == 0) && (f.info.Size() != f.offset || !f.info.Mode().IsRegular())
}

// readOn reads one file from its place to its last whole line.
func (c *Cursor) readOn(ctx context.Context, f *readFile, meter *meter, fn func(*Record)) error {
	if f.err != nil || !f.unread() {
		return f.err
	}
	in, err := openReader(f.name, c.dec, &c.Report)
	if err != nil {
		return err
	}
	defer in.close()
	if !os.SameFile(in.info, f.info) {
		return nil // replaced a moment ago: the next reading reads it
	}
	if f.offset > 0 {
		if err := in.resume(f.place); err != nil {
			return err
		}
	}
	in.count(&meter.read)
	in.grows = !c.Final && !in.packed
	f.packed = in.packed
	for ; ; c.count++ {
		if c.count%1024 == 0 && ctx.Err() != nil {
			c.broken = c.broken || f.packed // a compressed file cannot be read on from its middle
			break
		}
		if c.count%progressEvery == 0 {
			meter.show()
		}
		if !in.next() {
			break
		}
		fn(&in.rec)
	}
	f.place = in.place
	if in.err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	err = &fs.PathError{Op: "read", Path: f.name, Err: in.err}
	if f.packed {
		f.err = err
	}
	return err
}

// A meter reports how much of the files was read.
type meter struct {
	read, total int64
	progress    Progress // nil: no reports
}

func newMeter(files []*readFile, progress Progress) *meter {
	m := &meter{progress: progress}
	for _, f := range files {
		if f.unread() {
			m.total += f.info.Size()
			if !f.packed {
				m.read += f.offset
			}
		}
	}
	return m
}

func (m *meter) show() {
	if m.progress != nil {
		m.progress(min(m.read, m.total), m.total)
	}
}

func (m *meter) done() {
	m.read = m.total
	m.show()
}
