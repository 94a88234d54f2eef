// Sink: one file of the journal. It handles errors of the disk and recovers
// from them.

package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A file is the destination of a sink.
type file interface {
	io.Writer
	Stat() (fs.FileInfo, error)
	Sync() error
	Close() error
}

// A sink appends lines to one file. Its atomic fields may be read by any
// goroutine; the rest belongs to the writer.
type sink struct {
	path    string
	open    func(path string) (file, error)
	log     *slog.Logger
	rotator rotator

	f       file // nil: not open
	size    int64
	born    time.Time // time of the first record in the file
	partial bool      // the file ends in an incomplete line
	torn    bool      // this process wrote the incomplete line
	missing bool      // the path led to no file a second ago
	retry   bool      // failed, then reopened: the next write shows whether it works
	buf     []byte    // lines to be written
	marks   []mark

	err     atomic.Pointer[error] // why the file cannot be written; nil: it can be
	last    atomic.Pointer[error]
	writing atomic.Int64 // when the current write began, in Unix nanoseconds; 0: no write is running
	lines   atomic.Uint64
	bytes   atomic.Uint64
	errors  atomic.Uint64
}

// A mark is the end of an entry's line in buf.
type mark struct {
	end int
	e   *entry
}

func newSink(cfg Config, path string) *sink {
	s := &sink{path: path, log: cfg.Log, open: cfg.open, rotator: newRotator(cfg, path)}
	switch {
	case path == "-" && cfg.Stdout != nil:
		s.open = func(string) (file, error) { return stream{cfg.Stdout}, nil }
	case path == "-":
		s.open = openStdout
	case s.open == nil:
		s.open = openAppend
	}
	return s
}

// add marks the line at the end of buf as e's.
func (s *sink) add(buf []byte, e *entry) {
	s.buf = buf
	s.marks = append(s.marks, mark{len(buf), e})
}

// flush writes buf. It returns the entries whose lines are not in the file.
func (s *sink) flush(now time.Time) []*entry {
	n, err := s.write(s.buf, now)
	s.retry = false
	done := 0
	for done < len(s.marks) && s.marks[done].end <= n {
		done++
	}
	s.lines.Add(uint64(done))
	s.bytes.Add(uint64(n))
	if err != nil {
		s.fail(err)
	} else {
		s.err.Store(nil)
	}
	var back []*entry
	for _, m := range s.marks[done:] {
		back = append(back, m.e)
	}
	clear(s.marks)
	s.buf, s.marks = s.buf[:0], s.marks[:0]
	return back
}

// write appends p. It first completes a line that an earlier write left
// incomplete.
func (s *sink) write(p []byte, now time.Time) (int, error) {
	if s.f == nil {
		return 0, fmt.Errorf("journal: %s is not open", s.path)
	}
	if s.rotator.due(s.size+int64(len(p)), s.born, now) {
		s.rotate(now)
		if s.f == nil {
			return 0, s.trouble()
		}
	}
	if s.born.IsZero() {
		s.born = now
	}
	s.writing.Store(time.Now().UnixNano())
	defer s.writing.Store(0)
	if d, ok := s.f.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Now().Add(stallAfter)) // a pipe has a deadline; a file has none, and the error does not matter
	}
	if err := s.endPartial(); err != nil {
		return 0, err
	}
	n, err := s.f.Write(p)
	n = max(n, 0)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	s.size += int64(n)
	s.partial = n > 0 && p[n-1] != '\n'
	s.torn = s.partial
	return n, err
}

// endPartial ends an incomplete line. If this process wrote it, the line is
// written again later: an extra octet at its end ensures that the incomplete
// line is not a record, even if only the newline was missing.
func (s *sink) endPartial() error {
	if !s.partial {
		return nil
	}
	end := "\n"
	if s.torn {
		end = "~\n"
	}
	if _, err := s.f.Write([]byte(end)); err != nil {
		return err
	}
	s.partial, s.torn = false, false
	s.size += int64(len(end))
	return nil
}

// fail records why the file cannot be written. Until care reopens it, entries
// are folded.
func (s *sink) fail(err error) {
	s.errors.Add(1)
	s.err.Store(&err)
	s.last.Store(&err)
}

// care checks the file once a second. It reopens the file after an error and
// after another program has moved it, and it notices a truncation.
func (s *sink) care(now time.Time) {
	if s.broken() || s.moved() {
		s.reopen()
	} else if s.rotator.due(s.size, s.born, now) {
		s.rotate(now)
	}
}

// moved reports whether the path leads to another file than the open one. If it
// leads to no file, a rotation may be running, so moved waits a second.
func (s *sink) moved() bool {
	if s.path == "-" || s.f == nil {
		return s.f == nil
	}
	mine, err := s.f.Stat()
	if err != nil || !mine.Mode().IsRegular() {
		return false
	}
	its, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		was := s.missing
		s.missing = true
		return was
	}
	s.missing = false
	if err == nil && os.SameFile(mine, its) {
		s.size = its.Size()
		if s.size == 0 {
			s.partial = false
		}
		return false
	}
	return err == nil
}

// reopen closes the file and opens it again.
func (s *sink) reopen() {
	if s.f != nil {
		if err := s.f.Close(); err != nil && !s.broken() {
			s.log.Warn("journal: close", "path", s.path, "error", err)
		}
		s.f = nil
	}
	if err := s.openFile(); err != nil {
		s.fail(err)
		return
	}
	s.retry = s.broken()
}

// tries reports whether the writer should write lines for the file now.
func (s *sink) tries() bool { return s.retry || !s.broken() }

// settle ends a retry if there was nothing to write.
func (s *sink) settle() {
	if s.retry {
		s.retry = false
		s.err.Store(nil)
	}
}

// close syncs and closes the file.
func (s *sink) close() error {
	s.rotator.wait()
	if s.f == nil {
		return s.trouble()
	}
	err := s.f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a pipe or a device
	}
	return errors.Join(s.trouble(), err, s.f.Close())
}

// broken reports whether the last write failed.
func (s *sink) broken() bool { return s.err.Load() != nil }

// unavailable reports whether the file cannot be written now.
func (s *sink) unavailable() bool { return s.broken() || s.stalled() }

func (s *sink) stalled() bool {
	t := s.writing.Load()
	return t != 0 && time.Since(time.Unix(0, t)) > stallAfter
}

// trouble returns why the file cannot be written now. It returns nil if the file
// can be written.
func (s *sink) trouble() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	if s.stalled() {
		return fmt.Errorf("%s: %w", s.path, ErrStalled)
	}
	return nil
}
