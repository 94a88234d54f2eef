// Stream: one journal file as a sequence of records.

package denials

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// lineMax bounds a line that is read; ours are shorter than MaxLine.
const lineMax = 64 << 10

// A lineStream reads one file. After next returned true, rec is the record.
type lineStream struct {
	name     string
	file     *os.File
	size     int64
	raw      countedReader
	modified time.Time
	in       *bufio.Reader
	dec      *decoder
	report   *Report
	rec      Record
	line     int
	err      error // why the file could not be read to its end
}

// openStream opens name, or name.gz where rotation has just compressed it;
// "-" is standard input.
func openStream(name string, report *Report) (*lineStream, error) {
	s := &lineStream{name: name, report: report, dec: newDecoder()}
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
	s.file = f
	if info, err := f.Stat(); err == nil {
		s.modified, s.size = info.ModTime(), info.Size()
	}
	s.raw = countedReader{f: f, n: new(int64)}
	if err := s.from(&s.raw); err != nil {
		_ = f.Close()
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return s, nil
}

// from sets where s reads from, compressed or not.
func (s *lineStream) from(r io.Reader) error {
	s.in = bufio.NewReaderSize(r, lineMax)
	if head, _ := s.in.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(s.in)
		if err != nil {
			return err
		}
		s.in = bufio.NewReaderSize(z, lineMax)
	}
	return nil
}

// count adds what was read and what will be read from the file to *n.
func (s *lineStream) count(n *int64) {
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

func (s *lineStream) close() { _ = s.file.Close() }

// next reads on to the next record. False: the end, or err.
func (s *lineStream) next() bool {
	for {
		b, err := s.in.ReadSlice('\n')
		if len(b) == 0 && err != nil {
			s.end(err)
			return false
		}
		s.line++
		s.report.Lines++
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			s.skip("longer than 64 KiB")
			if !s.discard() {
				return false
			}
		case err != nil:
			s.skip("broken off: the last line has no end")
			s.end(err)
			return false
		case blank(b):
		default:
			if err := s.dec.decode(b, &s.rec); err == nil {
				return true
			} else {
				s.skip(err.Error())
			}
		}
	}
}

// end notes an error that is not the end of the file.
func (s *lineStream) end(err error) {
	if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
	}
}

// discard reads over the rest of a line that is too long.
func (s *lineStream) discard() bool {
	for {
		_, err := s.in.ReadSlice('\n')
		if err == nil {
			return true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			s.end(err)
			return false
		}
	}
}

func (s *lineStream) skip(why string) {
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

// Files lists the journal at path with its backups, made by us
// (denials-TIME-full.jsonl.gz) or by logrotate (denials.jsonl.1). A backup of
// which a compressed copy is complete is left out.
func Files(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	base := filepath.Base(path)
	ext := filepath.Ext(base)
	stem := strings.TrimSuffix(base, ext) + "-"
	var files []string
	for _, e := range entries {
		name := e.Name()
		plain := strings.TrimSuffix(name, ".gz")
		ours := strings.HasPrefix(name, stem) && strings.HasSuffix(plain, ext) && isBackup(plain[len(stem):])
		theirs := strings.HasPrefix(plain, base+".") && isNumber(plain[len(base)+1:]) ||
			strings.HasPrefix(plain, base+"-") && isNumber(plain[len(base)+1:])
		if e.Type().IsRegular() && (ours || theirs) {
			files = append(files, filepath.Join(filepath.Dir(path), name))
		}
	}
	files = slices.DeleteFunc(files, func(f string) bool { return slices.Contains(files, f+".gz") })
	if _, err := os.Stat(path); err == nil || len(files) == 0 {
		files = append(files, path)
	}
	return files, nil
}

// isBackup tells whether rest, behind the stem, begins with a backup's time.
func isBackup(rest string) bool {
	const layout = "2006-01-02T15-04-05.000"
	if len(rest) <= len(layout) {
		return false
	}
	_, err := time.Parse(layout, rest[:len(layout)])
	return err == nil && rest[len(layout)] == '-'
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
