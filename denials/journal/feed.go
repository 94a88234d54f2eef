// Feed: reads one journal on for a reader that keeps its place across restarts, through renamed,
// compressed and removed files.

package journal

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// A Position is a place in a journal. It can be stored: a file is identified by the ID of its
// first record, so that a rename and a compression do not matter. The zero Position is the
// beginning of the oldest file.
type Position struct {
	First  string    `json:"first,omitempty"`  // the ID of the first record in the file; "": the oldest file
	Offset int64     `json:"offset,omitempty"` // in the file's text, after the last record
	Line   int       `json:"line,omitempty"`   // whole lines before Offset
	Last   string    `json:"last,omitempty"`   // the ID of the last record
	Boot   string    `json:"boot,omitempty"`   // of the last record
	Seq    uint64    `json:"seq,omitempty"`    // of the last record
	Time   time.Time `json:"time,omitzero"`    // of the last record
}

// A Gap is where records were removed from the disk, or damaged, before the feed had read them.
type Gap struct {
	After, Before string // the IDs of the records beside the gap
	Records       uint64 // how many at most, if both records have one boot; 0: not known
}

// A Feed reads the records of one journal in the order of its files. Its methods are not safe for
// concurrent use. It keeps at most one file open, so a file that is removed meanwhile is read
// to its end.
type Feed struct {
	path    string
	pos     Position
	in      *reader // nil: no file is open
	last    bool    // the open file was replaced, and is read to its end now
	ended   bool    // the file at pos was read to its end, and has a successor
	damaged bool    // the compressed file at pos could not be read to its end
	dec     *decoder
	report  Report
	gap     *Gap
}

// NewFeed returns a feed of the journal at path from a position on. It opens no file yet.
func NewFeed(path string, from Position) *Feed {
	return &Feed{path: path, pos: from, dec: newDecoder()}
}

// Position returns the place after the last record that Next returned.
func (f *Feed) Position() Position { return f.pos }

// Seek makes Next continue at a position that Position returned before.
func (f *Feed) Seek(to Position) {
	f.Close()
	f.pos, f.ended = to, false
}

// Skipped returns how many lines were not records.
func (f *Feed) Skipped() uint64 { return f.report.Skipped }

// Close closes the open file. Next opens it again.
func (f *Feed) Close() {
	if f.in != nil {
		f.in.close()
	}
	f.in, f.last = nil, false
}

// Gap returns the gap before the record that Next returned last; nil: there is none.
func (f *Feed) Gap() *Gap { return f.gap }

// Next returns the next record and its line without the newline. Both are valid until the next
// call. It returns nil if no further record is on the disk yet.
func (f *Feed) Next() (*Record, []byte, error) {
	f.gap = nil
	for {
		if f.in == nil {
			if found, err := f.openNext(); !found || err != nil {
				return nil, nil, err
			}
		}
		if f.in.next() {
			r := &f.in.rec
			f.pos.Offset, f.pos.Line = f.in.offset, f.in.line
			f.pos.Last, f.pos.Boot, f.pos.Seq, f.pos.Time = r.ID(), r.Boot, r.Seq, r.Time
			return r, bytes.TrimRight(f.in.text, "\r\n"), nil
		}
		if err := f.in.err; err != nil {
			name, packed := f.in.name, f.in.packed
			f.Close()
			if packed { // it does not get better
				f.ended, f.damaged = true, true
				continue
			}
			return nil, nil, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		if more, err := f.atEnd(); !more || err != nil {
			return nil, nil, err
		}
	}
}

// atEnd decides what follows the end of the open file: more is false while nothing does.
func (f *Feed) atEnd() (more bool, err error) {
	if f.last {
		f.pos.Offset, f.pos.Line = f.in.offset, f.in.line
		f.Close()
		f.ended = true
		return true, nil
	}
	now, err := os.Stat(f.path)
	if err == nil && os.SameFile(now, f.in.info) {
		if now.Size() < f.in.offset { // cut short: a copy may have the rest
			f.Close()
			return true, nil
		}
		return false, f.in.resume(f.in.place)
	}
	// Another file is at the path, or none. Its writer has left the open one when there is a record
	// elsewhere that follows.
	next, _, err := f.find(true)
	if err != nil || next == nil {
		return false, errors.Join(err, f.again())
	}
	f.last, f.in.grows = true, false
	return true, f.again()
}

// again makes the open file be read on from its last whole line.
func (f *Feed) again() error {
	if f.in.packed {
		return nil // it does not grow
	}
	return f.in.resume(f.in.place)
}

// openNext opens the file that the position is in, or the one after it. found is false if the disk
// has none yet.
func (f *Feed) openNext() (found bool, err error) {
	next, gone, err := f.find(f.ended)
	if err != nil || next == nil {
		return false, err
	}
	in, err := openReader(next.name, f.dec, &f.report)
	if err != nil {
		return false, err
	}
	at := place{}
	if next.first == f.pos.First && !f.ended {
		at = place{offset: f.pos.Offset, line: f.pos.Line}
	}
	if !in.packed {
		at.offset = min(at.offset, in.info.Size()) // it was cut short
	}
	if err := in.skipTo(at); err != nil {
		in.close()
		if in.packed {
			f.ended, f.damaged = true, true
			return f.openNext()
		}
		return false, &fs.PathError{Op: "read", Path: next.name, Err: err}
	}
	if (gone || f.damaged) && !(next.boot == f.pos.Boot && next.seq == f.pos.Seq+1) {
		f.gap = &Gap{After: f.pos.Last, Before: next.first}
		if next.boot == f.pos.Boot && next.seq > f.pos.Seq {
			f.gap.Records = next.seq - f.pos.Seq - 1
		}
	}
	f.pos.First, f.pos.Offset, f.pos.Line = next.first, at.offset, at.line
	in.grows = !in.packed
	f.in, f.ended, f.damaged = in, false, false
	return true, nil
}

// A feedFile is one file of the journal, by its first record.
type feedFile struct {
	name, first, boot string
	seq               uint64
	time              time.Time
}

// find returns the file of the position, or with after the one that follows it; nil: the disk has
// none yet. gone means that the file of the position is not on the disk any more.
func (f *Feed) find(after bool) (found *feedFile, gone bool, err error) {
	names, err := Files(f.path)
	if err != nil {
		return nil, false, err
	}
	var files []feedFile
	for _, name := range names {
		if file, ok := firstOf(name); ok {
			files = append(files, file)
		}
	}
	slices.SortStableFunc(files, func(a, b feedFile) int {
		if a.boot == b.boot {
			return cmp.Compare(a.seq, b.seq)
		}
		return a.time.Compare(b.time)
	})
	i := slices.IndexFunc(files, func(o feedFile) bool { return o.first == f.pos.First })
	switch {
	case f.pos.First == "":
		i = 0
	case i >= 0 && after:
		i++
	case i < 0:
		gone = !after
		i = slices.IndexFunc(files, f.follows)
	}
	if i < 0 || i >= len(files) {
		return nil, gone, nil
	}
	return &files[i], gone, nil
}

// follows reports whether a file begins after the position.
func (f *Feed) follows(file feedFile) bool {
	if file.boot == f.pos.Boot {
		return file.seq > f.pos.Seq
	}
	return file.time.After(f.pos.Time.Add(-slack))
}

// firstOf reads the first record of a file. ok is false if it has none.
func firstOf(name string) (file feedFile, ok bool) {
	s, err := openReader(name, newDecoder(), &Report{})
	if err != nil {
		return feedFile{}, false // removed a moment ago, or its writer has not begun
	}
	defer s.close()
	if !s.next() {
		return feedFile{}, false
	}
	r := &s.rec
	return feedFile{name: name, first: r.ID(), boot: r.Boot, seq: r.Seq, time: r.Time}, true
}
