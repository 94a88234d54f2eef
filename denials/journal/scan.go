// Scan: reads journals in the order of time, rotated and compressed files
// included.

package journal

import (
	"container/heap"
	"context"
	"errors"
	"io/fs"
	"time"
)

// A Problem is a line that is not a record.
type Problem struct {
	File string
	Line int // from 1
	Why  string
}

// problemsMax bounds the problems that a Report keeps.
const problemsMax = 20

// A Report describes the files and lines of a scan.
type Report struct {
	Files    int
	Lines    uint64
	Skipped  uint64    // lines that are not records
	Problems []Problem // the first of them
	Known    uint64    // known denials that a query left out; a scan leaves out nothing
	Cut      string    // how many of the selected records or groups a query shows; "": all
}

// Progress is called from time to time with the octets that a scan has read and
// the octets of all its files, as stored.
type Progress func(read, total int64)

// progressEvery is how many records are read between two calls of Progress.
const progressEvery = 16 << 10

// slackOfFiles is how long before the start of a scan's period a file may have
// been written last. A file that was last written earlier is not read.
const slackOfFiles = time.Hour

// Scan calls fn for every record in files, the oldest first. It leaves out
// files that were last written more than an hour before since, if since is not
// zero. The record and its lists are valid only during the call; its strings
// stay valid. A line that is not a record is skipped and reported. If a file
// cannot be read, Scan reads the others and then returns the error. An error of
// fn ends the scan. progress may be nil.
func Scan(ctx context.Context, files []string, since time.Time, progress Progress, fn func(*Record) error) (Report, error) {
	var rep Report
	m := &merger{since: since, report: &rep}
	defer m.close()
	for _, name := range files {
		m.add(name)
	}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return rep, ctx.Err()
		}
		if progress != nil && n%progressEvery == 0 {
			progress(m.read, m.total)
		}
		s := m.next()
		if s == nil {
			if progress != nil {
				progress(m.total, m.total)
			}
			return rep, errors.Join(m.errs...)
		}
		if err := fn(&s.rec); err != nil {
			return rep, err
		}
		m.advance()
	}
}

// A merger merges the files of a scan. It keeps the files that it has not begun
// in the order of their first record, and the files that it is reading in a
// heap.
type merger struct {
	since   time.Time
	report  *Report
	waiting []waitingFile
	active  streams
	errs    []error
	read    int64 // octets of all files
	total   int64
}

type waitingFile struct {
	name  string
	first time.Time
}

// slack is the time by which records in one file may be out of order: a folded
// record is written up to a second after its time.
const slack = 2 * time.Second

// add inserts a file by the time of its first record, unless it is too old.
func (m *merger) add(name string) {
	s, err := openReader(name, newDecoder(), m.report)
	if err != nil {
		m.errs = append(m.errs, err)
		return
	}
	defer s.close()
	m.report.Files++
	if !m.since.IsZero() && s.info.ModTime().Before(m.since.Add(-slackOfFiles)) {
		return
	}
	var dry Report
	s.report = &dry
	first := time.Time{}
	if s.next() {
		first = s.rec.Time
	}
	at := len(m.waiting)
	for at > 0 && m.waiting[at-1].first.After(first) {
		at--
	}
	m.total += s.info.Size()
	m.waiting = append(m.waiting, waitingFile{})
	copy(m.waiting[at+1:], m.waiting[at:])
	m.waiting[at] = waitingFile{name, first}
}

// next returns the stream with the oldest record. It returns nil if all records
// are read.
func (m *merger) next() *reader {
	for len(m.waiting) > 0 && (len(m.active) == 0 || m.waiting[0].first.Before(m.active[0].rec.Time.Add(slack))) {
		w := m.waiting[0]
		m.waiting = m.waiting[1:]
		s, err := openReader(w.name, newDecoder(), m.report)
		if err != nil {
			m.errs = append(m.errs, err)
			continue
		}
		s.count(&m.read)
		m.start(s)
	}
	if len(m.active) == 0 {
		return nil
	}
	return m.active[0]
}

func (m *merger) start(s *reader) {
	if s.next() {
		heap.Push(&m.active, s)
		return
	}
	m.finish(s)
}

// advance moves the stream that next returned to its next record.
func (m *merger) advance() {
	if m.active[0].next() {
		if len(m.active) > 1 {
			heap.Fix(&m.active, 0)
		}
		return
	}
	m.finish(heap.Pop(&m.active).(*reader))
}

func (m *merger) finish(s *reader) {
	if s.err != nil {
		m.errs = append(m.errs, &fs.PathError{Op: "read", Path: s.name, Err: s.err})
	}
	s.close()
}

func (m *merger) close() {
	for _, s := range m.active {
		s.close()
	}
}

// streams is a heap by time, then boot and seq.
type streams []*reader

func (s streams) Len() int { return len(s) }
func (s streams) Less(i, j int) bool {
	a, b := &s[i].rec, &s[j].rec
	if c := a.Time.Compare(b.Time); c != 0 {
		return c < 0
	}
	return a.Boot == b.Boot && a.Seq < b.Seq
}
func (s streams) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *streams) Push(x any)   { *s = append(*s, x.(*reader)) }
func (s *streams) Pop() any {
	old := *s
	x := old[len(old)-1]
	*s = old[:len(old)-1]
	return x
}
