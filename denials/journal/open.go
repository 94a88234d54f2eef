// Open: opens the journal's files, and describes how to cure a failure.

package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// openFile opens the file and reads its size, age and last byte.
func (s *sink) openFile() error {
	f, err := s.open(s.path)
	if err != nil {
		return fmt.Errorf("journal: %w%s", err, cure(err))
	}
	s.f, s.size, s.partial, s.missing, s.born = f, 0, false, false, time.Time{}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	s.size, s.born = info.Size(), info.ModTime()
	if r, ok := f.(io.ReaderAt); ok {
		var b [1]byte
		if _, err := r.ReadAt(b[:], s.size-1); err == nil {
			s.partial = b[0] != '\n'
		}
		if t, ok := firstTime(io.NewSectionReader(r, 0, s.size)); ok {
			s.born = t
		}
	}
	return nil
}

// openAppend opens a file in append mode, so that another program may truncate
// or rename it at any time. Only the owner may read a new file. A FIFO without
// a reader is an error; openAppend does not wait for a reader.
func openAppend(path string) (file, error) {
	const flags = os.O_APPEND | syscall.O_NONBLOCK
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
		}
		f, err := os.OpenFile(path, flags|os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	f, err := os.OpenFile(path, flags|os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// openStdout opens the process's standard output under another number. If its
// reader leaves, a write then fails; it does not end the process (os/signal,
// "SIGPIPE").
func openStdout(string) (file, error) {
	fd, err := syscall.Dup(syscall.Stdout)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "standard output"), nil
}

// cure returns the advice for an error of open.
func cure(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ": create the directory, owned by the user that sallyport runs as"
	case errors.Is(err, fs.ErrPermission):
		return ": let the user that sallyport runs as write there"
	case errors.Is(err, syscall.EROFS):
		return ": give journal.path a place that can be written"
	case errors.Is(err, syscall.ENXIO):
		return ": start the reader of this pipe first"
	case errors.Is(err, syscall.EISDIR):
		return ": give journal.path the name of a file"
	case errors.Is(err, syscall.ENOSPC):
		return ": make room on the disk"
	}
	return ""
}

// firstTime returns the time of the first record in the first lines of r.
func firstTime(r io.Reader) (time.Time, bool) {
	s := reader{dec: newDecoder(), report: &Report{}}
	if s.from(io.LimitReader(r, MaxLine)) != nil || !s.next() {
		return time.Time{}, false
	}
	return s.rec.Time, true
}

// A stream is an output that we neither sync nor close.
type stream struct{ io.Writer }

func (stream) Stat() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }
func (stream) Sync() error                { return nil }
func (stream) Close() error               { return nil }
