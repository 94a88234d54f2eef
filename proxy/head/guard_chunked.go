// Guard, chunked bodies: the strict reading of RFC 9112, section 7.1.

package head

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// Bounds of one line of a chunked body. net/http reads longer lines.
const (
	maxChunkLine   = 256     // a size with its extensions
	maxTrailerLine = 2 << 10 // a trailer field
)

// errBody is the error that net/http gets for a body that broke its framing.
var errBody = errors.New("malformed request body")

// The guard frames its own chunks like this: a size of four digits, data, CRLF.
const (
	ownSize = "0000\r\n"
	ownEnd  = "\r\n"
	ownLast = "0\r\n\r\n"
	maxOwn  = 0xffff
)

// nextChunk returns the available data of a chunked body, as one chunk that the guard makes. In
// this way many small chunks cost one read and one write for each buffer, and no part of a large
// chunk waits for the rest. If more of a chunk is available than b holds, nextChunk makes only the
// size line: the data then goes from the connection directly to the reader. Chunk extensions are
// removed; a recipient must ignore them (RFC 9112, section 7.1.1).
func (g *Guard) nextChunk(b []byte) (int, error) {
	unit := b
	if len(b) < len(g.small) {
		unit = g.small[:]
	}
	room := unit[len(ownSize) : len(unit)-len(ownEnd)]
	n, err := g.gather(room[:min(len(room), maxOwn)], len(b) >= len(g.small))
	switch {
	case n > 0 && g.left > 0:
		g.out = []byte(ownEnd)
		return putSize(unit, n), nil
	case n > 0: // the next call returns the error again
		n += putSize(unit, n)
		n += copy(unit[n:], ownEnd)
	case err != nil:
		return 0, err
	default:
		n = copy(unit, ownLast)
	}
	if len(b) < len(g.small) {
		g.out = g.small[:n]
		return 0, nil
	}
	return n, nil
}

// putSize writes the size line in front of a chunk of n bytes.
func putSize(unit []byte, n int) int {
	const digits = "0123456789abcdef"
	for i := range 4 {
		unit[i] = digits[n>>(12-4*i)&15]
	}
	return 4 + copy(unit[4:], ownEnd)
}

// gather copies data of chunks into to. It waits only if there is none yet. It returns 0
// without an error when the body has ended. If leave is set and more of a chunk is available
// than to holds, gather leaves the data in place, sets g.left, and returns the number of bytes.
func (g *Guard) gather(to []byte, leave bool) (n int, err error) {
	for n < len(to) && g.phase != phaseAnswer {
		if g.chunk > 0 {
			if leave && n == 0 && g.chunk > int64(len(to)) {
				if there := min(g.chunk, g.atHand(), maxOwn); there > int64(len(to)) {
					g.left = there
					g.used(there)
					return int(there), nil
				}
			}
			got, err := g.data(to[n:min(int64(len(to)), int64(n)+g.chunk)], n == 0)
			if n += got; err != nil || got == 0 {
				return n, err
			}
			g.used(int64(got))
			continue
		}
		if n > 0 && g.phase == phaseTrailer {
			break // the available data goes first
		}
		if g.phase == phaseChunk {
			got, used := smallChunks(to[n:], g.c.Bytes)
			g.c.Discard(used)
			if n += got; got > 0 {
				continue
			}
		}
		line, err := g.line(n == 0)
		if err != nil || line == nil {
			return n, err
		}
		if err := g.nextLine(line); err != nil {
			return n, err
		}
	}
	return n, nil
}

// used counts data of the current chunk.
func (g *Guard) used(n int64) {
	if g.chunk -= n; g.chunk == 0 {
		g.phase = phaseChunkEnd
	}
}

// atHand returns how many bytes can be read without waiting, but not those that a TLS layer has.
func (g *Guard) atHand() int64 {
	n := int64(len(g.c.Bytes))
	if raw, err := g.c.TCP.SyscallConn(); err == nil && g.c.TLS == nil {
		n += peek.Unread(raw)
	}
	return n
}

// smallChunks copies the complete chunks in pre that have no extensions. It is fast, because
// there may be a chunk for each six bytes.
func smallChunks(to, pre []byte) (n, used int) {
	for {
		p := pre[used:]
		size, digits := 0, 0
		for ; digits < len(p) && digits < 4 && isHex(p[digits]); digits++ {
			size = size<<4 | int(hexValue(p[digits]))
		}
		begin := digits + len("\r\n")
		end := begin + size
		if digits == 0 || size == 0 || size > len(to)-n || end+len("\r\n") > len(p) ||
			p[digits] != '\r' || p[digits+1] != '\n' || p[end] != '\r' || p[end+1] != '\n' {
			return n, used
		}
		n += copy(to[n:], p[begin:end])
		used += end + len("\r\n")
	}
}

// data reads a part of a chunk.
func (g *Guard) data(to []byte, wait bool) (n int, err error) {
	switch {
	case len(g.c.Bytes) > 0:
		n = copy(to, g.c.Bytes)
		g.c.Discard(n)
	case wait:
		if err = g.arm(g.limits.Idle); err != nil {
			return 0, err
		}
		if n, err = g.c.Read(to); err != nil {
			err = g.cut(err)
		}
	}
	return n, err
}

// cut returns the error for a body that the client did not complete.
func (g *Guard) cut(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	g.endBy(rules.EndGone)
	return io.ErrUnexpectedEOF
}

// nextLine judges a line of a chunked body and consumes it.
func (g *Guard) nextLine(line []byte) error {
	switch g.phase {
	case phaseChunkEnd:
		if len(line) != 0 {
			return g.broken("chunk is longer than its size")
		}
		g.phase = phaseChunk
	case phaseTrailer:
		if len(line) == 0 {
			g.phase = phaseAnswer
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || !isToken(name) || onlyText(value) != nil || forbiddenTrailer(name) {
			return g.broken("broken trailer field")
		}
		// Trailers are not forwarded, which RFC 9112, section 7.1.2, permits: some servers merge
		// them into the head, where a trailer could set a field that is forbidden there.
		g.extra += len(line)
	default:
		size, extension, ok := chunkSize(line)
		if !ok {
			return g.broken("broken chunk size")
		}
		g.extra += extension
		if g.chunk = size; size == 0 {
			g.phase = phaseTrailer
		}
	}
	if g.extra > maxExtra {
		return g.broken("too many chunk extensions and trailers")
	}
	g.c.Discard(len(line) + len("\r\n"))
	return nil
}

// forbiddenTrailer reports whether a field must not be a trailer, as a lenient receiver could
// take it for a field of the head.
func forbiddenTrailer(name string) bool {
	switch strings.ToLower(name) {
	case "transfer-encoding", "content-length", "host", "trailer", "connection", "authorization", "cookie":
		return true
	}
	return false
}

// line returns the next line of the body without its CRLF, and leaves both in c.Bytes. It
// returns nil if the line is incomplete and wait is false.
func (g *Guard) line(wait bool) ([]byte, error) {
	for {
		if i := bytes.IndexByte(g.c.Bytes, '\n'); i >= 0 {
			line, ok := bytes.CutSuffix(g.c.Bytes[:i], []byte("\r"))
			switch {
			case !ok || bytes.IndexByte(line, '\r') >= 0:
				return nil, g.broken("line of the body does not end in CRLF")
			case len(line) > g.maxLine():
				return nil, g.broken("line of the body is too long")
			}
			return line, nil
		}
		if len(g.c.Bytes) > g.maxLine()+1 || g.phase == phaseChunkEnd && len(g.c.Bytes) >= 2 {
			return nil, g.broken("line of the body is too long")
		}
		if !wait {
			return nil, nil
		}
		if err := g.arm(g.limits.Idle); err != nil {
			return nil, err
		}
		if err := g.more(); err != nil {
			return nil, g.cut(err)
		}
	}
}

// more waits for more lines of the body. If a read filled the buffer, the next reads use a
// larger one.
func (g *Guard) more() error {
	if len(g.c.Bytes) == 0 && g.full && g.c.Room() < peek.Large {
		g.c.Widen()
	}
	before, room := len(g.c.Bytes), max(peek.Size, g.c.Room())
	err := g.c.Fill(room)
	g.full = len(g.c.Bytes) == room && before < room/2
	return err
}

func (g *Guard) maxLine() int {
	if g.phase == phaseTrailer {
		return maxTrailerLine
	}
	return maxChunkLine
}

// chunkSize reads a hexadecimal size and, after a semicolon, extensions.
func chunkSize(line []byte) (size int64, extension int, ok bool) {
	i := 0
	for ; i < len(line) && isHex(line[i]); i++ {
		if i == 15 {
			return 0, 0, false
		}
		size = size<<4 | int64(hexValue(line[i]))
	}
	rest := line[i:]
	if i == 0 || len(rest) > 0 && rest[0] != ';' {
		return 0, 0, false
	}
	return size, len(rest), len(rest) == 0 || onlyText(string(rest)) == nil
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// broken ends the sequence inside a request that was permitted.
func (g *Guard) broken(detail string) error {
	g.phase, g.chunk, g.fault = phaseStopped, 0, errBody
	g.owner.Judge(nil, rules.MalformedRequest, detail)
	return errBody
}
