// Guard: stands between a client connection and net/http, which sees only
// what the strict grammar accepted and what was decided before.

package head

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A Guard is the net.Conn that net/http serves. It hands out whole judged
// heads and checked bodies, one request at a time: the next head is not looked
// at before the answer to the last request is written. It holds its TCP
// connection, never embeds it, and does not close it.
type Guard struct {
	c      *peek.Conn
	owner  Owner
	limits Limits
	Heads  int // heads that were handed on

	left  int64    // judged bytes that come next: first those in c.Bytes, then from the connection
	phase phase    // what comes behind them
	chunk int64    // of a chunked body: bytes of the current chunk that come yet
	extra int      // bytes of chunk extensions and trailers of this request
	full  bool     // the last read of lines filled its buffer
	out   []byte   // behind those: of a chunk of ours what did not fit, a part of small, or its end
	small [64]byte // where such chunks are made
	fault error    // why nothing comes any more

	Connect  *Head         // a CONNECT that ended the sequence; still in c.Bytes
	Panicked any           // a recovered panic, for whoever serves the connection
	Ended    chan struct{} // closed by Close
	eof      bool          // the client sent its last byte

	mu        sync.Mutex
	wake      *sync.Cond // on any change of the following
	answered  bool       // the answer is written, the next head may be looked at
	interrupt bool       // net/http wants a blocked Read to return
	complete  bool       // the request was read to its end
	until     time.Time  // it was not and is answered: when the rest must be there
	closed    bool
	cause     rules.Cause // why the current request ended before its answer did

	writing sync.Mutex   // held to write to the client
	begun   bool         // a byte of the current answer is written
	ahead   bool         // only its first byte is, by probe
	written atomic.Int64 // bytes to the client
}

// phase is what the guard expects behind the bytes that are judged.
type phase uint8

const (
	phaseHead     phase = iota // a head; nothing before it is open
	phaseAnswer                // a head, once the answer is written
	phaseChunk                 // the size line of a chunk, or the rest of its data
	phaseChunkEnd              // the CRLF behind a chunk's data
	phaseTrailer               // a trailer field, or the empty line
	phaseStopped               // nothing ever again
)

// maxExtra bounds chunk extensions and trailers of one request together.
const maxExtra = 16 << 10

// MaxKeepAlive bounds the wait between requests.
const MaxKeepAlive = 2 * time.Minute

// A Owner answers for the requests that a guard lets through.
type Owner interface {
	// judge decides about the next head, or puts a fault on record; true: the request is handed on. A nil head is a
	// fault in the body of the current request.
	Judge(h *Head, fault rules.Reason, detail string) bool
	// await waits for the first bytes of a request, at most limit.
	Await(limit int) error
}

// Limits are what a guard is bounded by.
type Limits struct {
	Head       time.Duration // a whole head
	First      time.Duration // a first head of which a part is there; 0: its deadline is set already
	Idle       time.Duration // no byte in either direction
	HalfClosed time.Duration // a client that has closed its sending half, without a byte to it
	Connect    bool          // CONNECT ends the sequence, and is left to the owner
}

func NewGuard(c *peek.Conn, owner Owner, limits Limits) *Guard {
	g := &Guard{c: c, owner: owner, limits: limits, Ended: make(chan struct{})}
	g.wake = sync.NewCond(&g.mu)
	return g
}

// Read hands out judged bytes only. Goroutines of net/http call it that do
// not recover from panics.
func (g *Guard) Read(b []byte) (n int, err error) {
	defer g.recovered(&err)
	for g.left == 0 {
		switch {
		case len(g.out) > 0:
			n = copy(b, g.out)
			g.out = g.out[n:]
		case g.phase == phaseChunk || g.phase == phaseChunkEnd || g.phase == phaseTrailer:
			n, err = g.nextChunk(b)
		default:
			err = g.advance()
		}
		if n > 0 || err != nil {
			g.handedOut()
			return n, err
		}
	}
	b = b[:min(int64(len(b)), g.left)]
	if len(g.c.Bytes) > 0 {
		n = copy(b, g.c.Bytes)
		g.c.Discard(n)
	} else if err = g.arm(g.limits.Idle); err == nil {
		if n, err = g.c.TCP.Read(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			g.endBy(rules.EndGone)
		}
	}
	g.left -= int64(n)
	g.handedOut()
	return n, err
}

// handedOut notes whether net/http has the whole request.
func (g *Guard) handedOut() {
	if g.left > 0 || len(g.out) > 0 || g.phase != phaseAnswer {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.complete = true
}

func (g *Guard) recovered(err *error) {
	if v := recover(); v != nil {
		g.Panicked = fmt.Errorf("%v\n%s", v, debug.Stack())
		g.phase, g.left, g.out = phaseStopped, 0, nil
		*err = io.ErrUnexpectedEOF
	}
}

// advance judges what comes next, or waits for it.
func (g *Guard) advance() error {
	switch g.phase {
	case phaseHead:
		return g.NextHead()
	case phaseAnswer:
		return g.awaitAnswered()
	}
	return cmp.Or(g.fault, io.EOF)
}

// NextHead waits for a head and has it judged. io.EOF: there is none, or it
// was refused and answered, or it is a CONNECT for somebody else.
func (g *Guard) NextHead() error {
	if err := g.awaitLine(); err != nil {
		return err
	}
	if err := g.armHead(); err != nil {
		return err
	}
	h, fault, detail, more := Parse(g.c.Bytes)
	for more {
		if err := g.c.Fill(MaxHead); err != nil {
			fault, detail = cutShort(err)
			break
		}
		h, fault, detail, more = Parse(g.c.Bytes)
	}
	switch {
	case fault == rules.ReasonNone && h.Form == formAuthority && g.limits.Connect:
		g.Connect = &h
	case g.owner.Judge(&h, fault, detail):
		g.Heads++
		g.begin(&h)
		return nil
	}
	g.phase = phaseStopped
	return io.EOF
}

// armHead sets the deadline of a head of which a part is there. The first one's
// runs since the connection began.
func (g *Guard) armHead() error {
	if g.Heads == 0 && g.limits.First == 0 {
		return nil
	}
	return g.arm(cmp.Or(g.limits.First, g.limits.Head))
}

// MaxEmptyLines is how many empty lines in front of a request line are ignored.
// RFC 9112, section 2.2, asks for one: old clients end a body with it.
const MaxEmptyLines = 4

// awaitLine waits for the beginning of a request line. Empty lines alone are
// nothing that a client sent.
func (g *Guard) awaitLine() error {
	for empty := 0; ; {
		if len(g.c.Bytes) == 0 {
			if err := g.awaitFirstByte(); err != nil {
				return err
			}
		}
		for ; empty < MaxEmptyLines && bytes.HasPrefix(g.c.Bytes, []byte("\r\n")); empty++ {
			g.c.Discard(len("\r\n"))
		}
		if empty < MaxEmptyLines && string(g.c.Bytes) == "\r" {
			if err := g.armHead(); err != nil {
				return err
			}
			if g.c.Fill(MaxHead) == nil {
				continue
			}
		}
		if len(g.c.Bytes) > 0 {
			return nil
		}
	}
}

// cutShort says what it means that a head did not arrive whole.
func cutShort(err error) (rules.Reason, string) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return rules.SniffTimeout, "request head was not whole in time"
	}
	return rules.MalformedRequest, "connection ended inside a request head"
}

// awaitFirstByte waits for a next request. A client that sends nothing is
// only counted.
func (g *Guard) awaitFirstByte() error {
	if g.eof {
		return io.EOF
	}
	wait := g.limits.Head
	if g.Heads > 0 {
		wait = min(g.limits.Idle, MaxKeepAlive)
	}
	if err := g.arm(wait); err != nil {
		return err
	}
	g.c.Release()
	return g.owner.Await(MaxHead)
}

// begin lets a head pass and remembers how its body is framed.
func (g *Guard) begin(h *Head) {
	g.left, g.phase, g.extra, g.limits.First = int64(h.Len), phaseAnswer, 0, 0
	g.mu.Lock()
	g.complete, g.until = false, time.Time{}
	g.mu.Unlock()
	g.writing.Lock()
	g.begun = false
	g.writing.Unlock()
	if h.chunked {
		g.phase = phaseChunk
	} else if h.contentLength > 0 {
		g.left += h.contentLength
	}
}

// LimitRest says that the answer is known. net/http reads what is left of the body,
// to keep the connection, and may not wait long for it.
func (g *Guard) LimitRest() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.complete {
		return
	}
	g.until = time.Now().Add(peek.Linger)
	if !g.interrupt {
		g.c.TCP.SetReadDeadline(g.until)
	}
}

// MarkAnswered says that the answer to the last request is written. Where its body
// was not read to the end, nobody knows any more what the next bytes are.
func (g *Guard) MarkAnswered() {
	if g.left > 0 || len(g.out) > 0 || g.phase != phaseAnswer {
		g.left, g.out, g.phase = 0, nil, phaseStopped
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered, g.until = true, time.Time{}
	g.wake.Broadcast()
}

// arm sets the deadline of the next reads, absolutely; 0: none. It fails when
// net/http wants no more of the current Read.
func (g *Guard) arm(d time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.interrupt {
		return os.ErrDeadlineExceeded
	}
	if !g.until.IsZero() && d > 0 {
		return g.c.TCP.SetReadDeadline(g.until)
	}
	g.c.Deadline(d)
	return nil
}

// SetReadDeadline obeys only what net/http uses to interrupt a Read, a time
// that is past; how long reads may take is the guard's to know.
func (g *Guard) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.complete && !g.until.IsZero() {
		return nil // the rest of a body is read and judged for as long as hurry says
	}
	if g.interrupt = !t.IsZero() && !t.After(time.Now()); g.interrupt {
		g.wake.Broadcast()
		return g.c.TCP.SetReadDeadline(t)
	}
	return nil
}

// Close ends the sequence. The connection itself belongs to the accept loop.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		g.wake.Broadcast()
		close(g.Ended)
	}
	return nil
}

// CloseWrite tells the client that no more comes; net/http uses it before it
// lingers.
func (g *Guard) CloseWrite() error { return g.c.TCP.CloseWrite() }

// SetDeadline and SetWriteDeadline are net/http's wishes that the guard's own
// deadlines replace.
func (g *Guard) SetDeadline(time.Time) error      { return nil }
func (g *Guard) SetWriteDeadline(time.Time) error { return nil }
func (g *Guard) LocalAddr() net.Addr              { return g.c.TCP.LocalAddr() }
func (g *Guard) RemoteAddr() net.Addr             { return g.c.TCP.RemoteAddr() }
