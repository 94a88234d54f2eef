// HTTP pieces: how much of a chunked answer has arrived, so that no piece of a
// chunk waits for the rest of it in net/http's reader.

package head

import (
	"bytes"
	"slices"

	"sallyport/proxy/peek"
)

// net/http's reader of chunked bodies returns when it has filled the buffer that
// it was given or its chunk is at its end. It is therefore given no more room
// than there is data at hand, which pieces counts on the way in. The framing is
// net/http's to judge: where pieces reads it otherwise, bytes wait or are read in
// smaller buffers, and that is all.

// A Pieces watches the framing of one chunked answer (RFC 9112, section 7.1).
type Pieces struct {
	place place
	left  int64 // of the current size line: the size; then bytes of the chunk that come yet
	data  int64 // bytes of data that have arrived and were not read
	queue int64 // bytes behind those that were seen, as far as known
}

// place is where in the framing the next byte belongs.
type place uint8

const (
	placeSize place = iota // a digit of a size
	placeLine              // the rest of a size line
	placeData
	placeEnd  // the line end behind the data of a chunk
	placeOver // behind the last chunk, or where nothing is known any more
)

// maxPiece is the longest chunk that is counted.
const maxPiece = 1 << 48

// Feed takes in what has arrived.
func (s *Pieces) Feed(b []byte) {
	s.queue = max(0, s.queue-int64(len(b)))
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

// next is behind a line end.
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

// ready is how much can be read without waiting, where behind those bytes that
// were seen there are more; it asks for their number when it knows of too few.
func (s *Pieces) ready(want int, more func() int64) int {
	n := max(s.data, 0)
	if missing := min(s.left, int64(want)-n); s.place == placeData && missing > 0 {
		if s.queue < missing {
			s.queue = more()
		}
		n += min(s.left, s.queue)
	}
	return int(min(n, int64(want)))
}

// Read reads what there is of a chunked body; it waits for the first byte only.
func (s *Pieces) Read(p []byte, read func([]byte) (int, error), more func() int64) (n int, err error) {
	for len(p) > n {
		room := s.ready(len(p)-n, more)
		asked := max(room, 1)
		switch {
		case room > 0:
		case n > 0 && (s.place == placeOver || s.queue < 2*peek.Size):
			return n, nil // else a longest size line and data behind it are there
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

// A Splitter finds where heads end in what arrives: at each empty line.
type Splitter struct{ text bool } // the current line is not empty so far

// Cut returns how many bytes of b are before the end of a head, that included,
// or all.
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
