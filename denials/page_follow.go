// Follow: a review that goes on where it ended, so that only new lines are read.

package denials

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// recentMax bounds the latest records that a running review keeps.
const recentMax = 100

// slackOfFiles is by how much a file may have been written before the filter
// begins and yet hold what it selects.
const slackOfFiles = time.Hour

// A running is what one filter has selected so far. Its memory is bounded like
// a Tally's. Reading on gives what a Review of all files would.
type running struct {
	filter   Filter // prepared
	tally    Tally
	totals   Totals
	timeline Timeline
	recent   ring
	report   Report
	files    []*readFile
	dec      *decoder
	broken   bool // begins anew the next time
}

// A readFile is a file that is read up to an offset.
type readFile struct {
	name   string
	info   os.FileInfo // tells the file, whatever it is called by now
	offset int64       // behind the last whole line
	line   int
	packed bool  // compressed: never written again
	left   bool  // ends before the filter begins
	err    error // why a compressed file could not be read to its end
}

func newRunning(f Filter) (*running, error) {
	f.Denied = true
	f, err := f.prepared()
	return &running{filter: f, recent: ring{max: recentMax}, dec: newDecoder()}, err
}

// read reads what is new. When a file was compressed, removed or cut short, it
// begins anew: what was counted cannot be told apart any more.
func (n *running) read(ctx context.Context, names []string) error {
	files, same, err := n.match(names)
	if !same || n.broken {
		f := n.filter
		*n = running{filter: f, recent: ring{max: recentMax}, dec: newDecoder()}
		for i, f := range files {
			files[i] = &readFile{name: f.name, info: f.info, left: f.left}
		}
	}
	n.files, n.report.Files = files, len(files)
	errs := []error{err}
	for _, f := range files {
		if err := n.readOn(ctx, f); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// match finds the files by what they are and not by their names, the oldest
// first. same: all that was read is still there.
func (n *running) match(names []string) (files []*readFile, same bool, err error) {
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
		if i := slices.IndexFunc(n.files, func(o *readFile) bool { return os.SameFile(o.info, info) }); i >= 0 {
			f = n.files[i]
			found[f] = !f.packed && info.Size() >= f.offset || f.packed && info.Size() == f.info.Size()
		}
		f.name, f.info = name, info
		f.left = !n.filter.Since.IsZero() && info.ModTime().Before(n.filter.Since.Add(-slackOfFiles))
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b *readFile) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()), strings.Compare(a.name, b.name))
	})
	same = !slices.ContainsFunc(n.files, func(f *readFile) bool { return !found[f] })
	return files, same, err
}

// readOn reads one file from its offset to its last whole line.
func (n *running) readOn(ctx context.Context, f *readFile) error {
	if f.err != nil {
		return f.err
	}
	if f.left || f.packed && f.offset > 0 || f.info.Size() == f.offset {
		return nil
	}
	file, err := os.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !os.SameFile(info, f.info) {
		return err // replaced just now: the next time
	}
	if _, err := file.Seek(f.offset, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(file, lineMax)
	if head, _ := in.Peek(2); f.offset == 0 && bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return &fs.PathError{Op: "read", Path: f.name, Err: err}
		}
		f.packed = true
		in = bufio.NewReaderSize(z, lineMax)
	}
	if err := n.lines(ctx, f, in); err != nil && ctx.Err() == nil {
		err = &fs.PathError{Op: "read", Path: f.name, Err: err}
		if f.packed {
			f.err = err
		}
		return err
	}
	return ctx.Err()
}

// lines reads whole lines, and leaves a last one that is still being written.
func (n *running) lines(ctx context.Context, f *readFile, in *bufio.Reader) error {
	var r Record
	size := int64(0) // of the line so far
	for count := 0; ; count++ {
		if count%1024 == 0 && ctx.Err() != nil {
			n.broken = n.broken || f.packed // it cannot be read on in the middle
			return ctx.Err()
		}
		b, err := in.ReadSlice('\n')
		long := size > 0
		size += int64(len(b))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		f.offset += size
		size = 0
		f.line++
		n.line(f, b, long, &r)
	}
}

// line adds one line up.
func (n *running) line(f *readFile, b []byte, long bool, r *Record) {
	n.report.Lines++
	why := "longer than 64 KiB"
	if !long {
		if blank(b) {
			return
		}
		err := n.dec.decode(b, r)
		if err == nil {
			n.add(r)
			return
		}
		why = err.Error()
	}
	n.report.Skipped++
	if len(n.report.Problems) < problemsMax {
		n.report.Problems = append(n.report.Problems, Problem{f.name, f.line, why})
	}
}

func (n *running) add(r *Record) {
	if !n.filter.match(r) {
		return
	}
	n.report.Matched++
	n.tally.Add(r)
	n.totals.Add(r)
	n.timeline.Add(r)
	n.recent.add(r)
}

// view answers a query from what was read. Its groups are the running
// review's own: they are read before the next call only.
func (n *running) view(q Query) (*View, error) {
	order, err := orderOf(q.Sort)
	if err != nil {
		return nil, err
	}
	v := View{Report: n.report, Totals: n.totals, Timeline: n.timeline}
	v.answer(&n.tally, &q, order)
	return &v, nil
}
