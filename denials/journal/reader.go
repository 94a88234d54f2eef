// Reader: reads the records of one journal file. Scan, Tail and Cursor use it.

package journal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
)

// lineMax limits a line that is read; our own lines are shorter than MaxLine.
const lineMax = 64 << 10

// A place is where reading a file stopped.
type place struct {
	offset int64 // after the last whole line; for a compressed file, in its text
	line   int   // number of whole lines before offset
	long   bool  // offset is within a line that is longer than lineMax
}

// A reader reads one file. After next returned true, rec is the record.
type reader struct {
	place
	name   string
	file   *os.File
	info   os.FileInfo // the file's state when the file was opened
	raw    countedReader
	in     *bufio.Reader
	dec    *decoder
	report *Report
	rec    Record
	text   []byte // the line of rec, until the next call of next
	only   []byte // if not nil, the reader skips lines without this text
	packed bool   // the file is compressed
	grows  bool   // a last line without an end is still being written: leave it for the next reading
	err    error  // why the file could not be read to its end
}

// openReader opens name, or name.gz if rotation has compressed it a moment ago.
func openReader(name string, dec *decoder, report *Report) (*reader, error) {
	if name == "-" {
		return nil, errors.New("a journal is read from a file, not from standard input")
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if gz, gzErr := os.Open(name + ".gz"); gzErr == nil {
			f, err = gz, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return newReader(name, f, dec, report)
}

// newReader reads f, which was opened under name.
func newReader(name string, f *os.File, dec *decoder, report *Report) (s *reader, err error) {
	s = &reader{name: name, file: f, dec: dec, report: report, raw: countedReader{f: f, n: new(int64)}}
	if s.info, err = f.Stat(); err == nil {
		err = s.from(&s.raw)
	}
	if err != nil {
		s.close()
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return s, nil
}

// from makes s read from r, which may be compressed.
func (s *reader) from(r io.Reader) error {
	s.in = bufio.NewReaderSize(r, lineMax)
	if head, _ := s.in.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(s.in)
		if err != nil {
			return err
		}
		s.in, s.packed = bufio.NewReaderSize(z, lineMax), true
	}
	return nil
}

// resume continues an uncompressed file from the place of the last reading.
func (s *reader) resume(at place) error {
	s.place = at
	_, err := s.file.Seek(at.offset, io.SeekStart)
	s.in.Reset(&s.raw)
	return err
}

// skipTo continues a file, compressed or not, from the place of an earlier reading. A file that
// ends before that place is an error.
func (s *reader) skipTo(at place) error {
	if !s.packed {
		return s.resume(at)
	}
	s.place = at
	_, err := io.CopyN(io.Discard, s.in, at.offset)
	return err
}

// count adds to *n the octets that were read from the file, now and later.
func (s *reader) count(n *int64) {
	*n += *s.raw.n
	s.raw.n = n
}

// A countedReader counts the octets that were read from a file.
type countedReader struct {
	f io.Reader
	n *int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.f.Read(p)
	*c.n += int64(n)
	return n, err
}

func (s *reader) close() { _ = s.file.Close() }

// next reads the next record. It returns false at the end or after an error,
// which is in err.
func (s *reader) next() bool {
	for size := int64(0); ; { // number of octets of the line so far
		b, err := s.in.ReadSlice('\n')
		size += int64(len(b))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			s.long = true
			continue
		case err != nil:
			s.end(size, err)
			return false
		}
		s.offset += size
		size = 0
		if s.lineOf(b) {
			return true
		}
	}
}

// lineOf reads a whole line. If the line is too long, b is its end. It returns
// false if the line is not a record.
func (s *reader) lineOf(b []byte) bool {
	long := s.long
	s.long = false
	s.line++
	s.report.Lines++
	switch {
	case long:
		s.skip("longer than 64 KiB")
	case blank(b) || s.only != nil && !bytes.Contains(b, s.only):
	default:
		err := s.dec.decode(b, &s.rec)
		if err == nil {
			s.text = b
			return true
		}
		s.skip(err.Error())
	}
	return false
}

// end records how the file ends: in the middle of a line of which size octets
// were read, or with an error other than the end of the file.
func (s *reader) end(size int64, err error) {
	switch {
	case s.grows && s.long: // the reader does not read the rest of a too long line again
		s.offset += size
	case s.grows || size == 0:
	default:
		s.line++
		s.report.Lines++
		if s.long {
			s.skip("longer than 64 KiB")
		} else {
			s.skip("incomplete: the last line has no newline")
		}
	}
	if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
	}
}

func (s *reader) skip(why string) {
	s.report.Skipped++
	if len(s.report.Problems) < problemsMax {
		s.report.Problems = append(s.report.Problems, Problem{s.name, s.line, why})
	}
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != '\n' && c != '\r' && c != ' ' {
			return false
		}
	}
	return true
}
