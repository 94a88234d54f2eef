// Pieces: how much of a chunked answer has arrived, so that no part of a chunk waits for the
// rest in net/http's reader.

package head

import (
	"bytes"
	"slices"

	"sallyport/proxy/peek"
)

// net/http's reader of chunked bodies returns when it has filled its buffer or reached the end of
// a chunk. Therefore it gets a buffer no larger than the available data, which Pieces counts.
// net/http still judges the framing: if Pieces reads it differently, bytes wait or are read in
// smaller buffers, and nothing else happens.

// A Pieces follows the framing of one chunked answer (RFC 9112, section 7.1).
type Pieces struct {
	place  place
	left   int64 // in a size line: the size; then the bytes of the chunk that are still to come
	data   int64 // bytes of data that have arrived and were not read
	queued int64 // bytes that arrived after the last bytes that Feed saw, as far as known
}

// A place is where in the framing the next byte belongs.
type place uint8

const (
	placeSize place = iota // a digit of a size
	placeLine              // the rest of a size line
	placeData
	placeEnd  // the line end after a chunk's data
	placeOver // after the last chunk, or the place is unknown
)

// maxPiece is the longest chunk that is counted.
const maxPiece = 1 << 48

// Feed follows bytes that have arrived.
func (s *Pieces) Feed(b []byte) {
	s.queued = max(0, s.queued-int64(len(b)))
	for len(b) > 0 {
		switch s.place {
		case placeSize:
			if !isHex(b[0]) || s.left > maxPiece {
				s.place = placeLine
				continue
			}
			s.left = s.left<<4 | int64(hexValue(b[0]))
			b = b[1:]
		case placeData:
			n := min(s.left, int64(len(b)))
			s.data += n
			if s.left -= n; s.left == 0 {
				s.place = placeEnd
			}
			b = b[n:]
		case placeLine, placeEnd:
			lf := bytes.IndexByte(b, '\n')
			if lf < 0 {
				return
			}
			b = b[lf+1:]
			s.next()
		default:
			return
		}
	}
}

// next moves to the place after a line end.
func (s *Pieces) next() {
	switch {
	case s.place == placeEnd:
		s.place = placeSize
	case s.left == 0 || s.left > maxPiece:
		s.place = placeOver
	default:
		s.place = placeData
	}
}

// ready returns how much can be read without waiting. If it has counted too little data, it calls
// more, which returns how many bytes are available after the bytes that Feed read.
func (s *Pieces) ready(want int, more func() int64) int {
	n := max(s.data, 0)
	if missing := min(s.left, int64(want)-n); s.place == placeData && missing > 0 {
		if s.queued < missing {
			s.queued = more()
		}
		n += min(s.left, s.queued)
	}
	return int(min(n, int64(want)))
}

// Read reads the available data of a chunked body. It waits for the first byte only.
func (s *Pieces) Read(p []byte, read func([]byte) (int, error), more func() int64) (n int, err error) {
	for len(p) > n {
		room := s.ready(len(p)-n, more)
		asked := max(room, 1)
		switch {
		case room > 0:
		case n > 0 && (s.place == placeOver || s.queued < 2*peek.Size):
			return n, nil // otherwise even the longest size line is available, and data after it
		case s.place == placeOver:
			asked = len(p)
		}
		got, err := read(p[n : n+asked])
		s.data -= int64(got)
		if n += got; err != nil || got < asked {
			return n, err
		}
	}
	return n, nil
}

// A Splitter finds the ends of heads in a stream: the empty lines.
type Splitter struct{ text bool } // the current line has text

// Cut returns how many bytes of b belong to the current head, its empty line included, or
// len(b).
func (e *Splitter) Cut(b []byte) int {
	for at := 0; at < len(b); {
		lf := bytes.IndexByte(b[at:], '\n')
		line := b[at:]
		if lf >= 0 {
			line = line[:lf]
		}
		e.text = e.text || slices.ContainsFunc(line, func(c byte) bool { return c != '\r' })
		if lf < 0 {
			break
		}
		at += lf + 1
		if !e.text {
			return at
		}
		e.text = false
	}
	return len(b)
}
