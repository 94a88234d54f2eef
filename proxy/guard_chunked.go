// Guard, chunked bodies: the strict reading of RFC 9112, section 7.1.

package proxy

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"sallyport/rules"
)

// Bounds of one line of a chunked body. net/http reads longer ones.
const (
	maxChunkLine   = 256     // a size with its extensions
	maxTrailerLine = 2 << 10 // a trailer field
)

// errBody is what net/http learns of a body that broke its framing.
var errBody = errors.New("malformed request body")

// nextPiece judges the next line of a chunked body.
func (g *guard) nextPiece() error {
	line, err := g.line()
	if err != nil {
		return err
	}
	n := int64(len(line) + len("\r\n"))
	switch g.phase {
	case phaseChunkEnd:
		if len(line) != 0 {
			return g.broken("chunk is longer than it said")
		}
		g.phase = phaseChunk
	case phaseTrailer:
		if len(line) == 0 {
			g.phase = phaseTurn
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || !isToken(name) || onlyText(value) != nil || forbiddenTrailer(name) {
			return g.broken("broken trailer field")
		}
		// A trailer is not handed on: for servers that merge it into the head
		// it is a way to say there what a head must not.
		g.extra += len(line)
		g.c.take(int(n))
		n = 0
	default:
		size, extension, ok := chunkSize(line)
		if !ok {
			return g.broken("broken chunk size")
		}
		g.extra += extension
		n += size
		if g.phase = phaseChunkEnd; size == 0 {
			g.phase = phaseTrailer
		}
	}
	if g.extra > maxExtra {
		return g.broken("too much beside the chunks")
	}
	g.left = n
	return nil
}

// forbiddenTrailer tells whether a field must not stand behind a body, where
// a lenient receiver could take it for one of the head.
func forbiddenTrailer(name string) bool {
	switch strings.ToLower(name) {
	case "transfer-encoding", "content-length", "host", "trailer", "connection", "authorization", "cookie":
		return true
	}
	return false
}

// line returns the next line of the body without its CRLF, which stays in
// c.pre with it.
func (g *guard) line() ([]byte, error) {
	for {
		if i := bytes.IndexByte(g.c.pre, '\n'); i >= 0 {
			line, ok := bytes.CutSuffix(g.c.pre[:i], []byte("\r"))
			switch {
			case !ok || bytes.IndexByte(line, '\r') >= 0:
				return nil, g.broken("line of the body does not end in CRLF")
			case len(line) > g.maxLine():
				return nil, g.broken("line of the body is too long")
			}
			return line, nil
		}
		if len(g.c.pre) > g.maxLine()+1 || g.phase == phaseChunkEnd && len(g.c.pre) >= 2 {
			return nil, g.broken("line of the body is too long")
		}
		if err := g.arm(g.p.limits.Idle); err != nil {
			return nil, err
		}
		if err := g.c.fill(bufferSize); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

func (g *guard) maxLine() int {
	if g.phase == phaseTrailer {
		return maxTrailerLine
	}
	return maxChunkLine
}

// chunkSize reads hexadecimal digits and, behind a semicolon, extensions.
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
	return size, len(rest), onlyText(string(rest)) == nil
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// broken ends the sequence in the middle of a request that was permitted.
func (g *guard) broken(detail string) error {
	g.phase = phaseStopped
	g.judge(nil, rules.MalformedRequest, detail)
	return errBody
}
