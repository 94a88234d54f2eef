// Guard: stands between a client's connection and net/http. net/http sees only what the strict
// grammar accepted and the owner allowed.

package head

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A Guard is the net.Conn that net/http serves. It returns complete judged heads and checked
// bodies, one request at a time: it does not look at the next head before the answer to the
// last request is written. It holds its TCP connection, does not embed it, and does not close
// it.
type Guard struct {
	c      *peek.Conn
	owner  Owner
	limits Limits
	Heads  int // heads that were handed to net/http

	left  int64    // judged bytes to hand out next: first those in c.Bytes, then from the connection
	phase phase    // the part that follows those bytes
	chunk int64    // in a chunked body: bytes of the current chunk that are still to come
	extra int      // bytes of chunk extensions and trailers in this request
	apart bool     // the request asks for another protocol: what follows stays unread until the answer
	full  bool     // the last read for lines filled its buffer
	out   []byte   // to hand out after left: the rest of a chunk that the guard made, or the chunk's end
	small [64]byte // the buffer for such chunks
	fault error    // the reason why no more bytes follow

	Connect  *Head         // a CONNECT that ended the sequence; its bytes are still in c.Bytes
	Panicked any           // a recovered panic, for the goroutine that serves the connection
	Ended    chan struct{} // closed by Close
	eof      bool          // the client has closed its sending half

	reads   atomic.Int32 // calls of Read that have not returned
	retired atomic.Bool  // Retire was called

	mu        sync.Mutex
	wake      *sync.Cond // signalled when one of the following changes
	answered  bool       // the answer is written: the next head may be read
	interrupt bool       // net/http wants a blocked Read to return
	complete  bool       // net/http has read the whole request
	serial    uint64     // the number of the current request
	until     time.Time  // if the answer was complete before that: the deadline for the rest of the body
	closed    bool
	cause     rules.Cause // why the current request ends before its answer does

	writing sync.Mutex   // held to write to the client
	begun   bool         // a byte of the current answer is written
	ahead   bool         // only the first byte is written, by probe
	written atomic.Int64 // bytes to the client
}

// A phase is the part of a message that the guard expects after the judged bytes.
type phase uint8

const (
	phaseHead     phase = iota // a head; the last request is finished
	phaseAnswer                // a head, after the answer is written
	phaseChunk                 // the size line of a chunk, or the rest of its data
	phaseChunkEnd              // the CRLF after a chunk's data
	phaseTrailer               // a trailer field, or the empty line
	phaseStopped               // nothing more
)

// maxExtra bounds chunk extensions and trailers of one request together.
const maxExtra = 16 << 10

// MaxKeepAlive bounds the wait between requests.
const MaxKeepAlive = 2 * time.Minute

// An Owner decides about the requests that a guard hands out.
type Owner interface {
	// Judge decides about the next head, or records a fault. It reports whether the request is
	// handed on. A nil head means that the fault is in the body of the current request.
	Judge(h *Head, fault rules.Reason, detail string) bool
	// Await waits for the first bytes of a request, at most limit.
	Await(limit int) error
}

// Limits bound a guard.
type Limits struct {
	Head       time.Duration // a complete head
	First      time.Duration // the rest of a first head; 0: its deadline is set already
	Idle       time.Duration // no byte in either direction
	HalfClosed time.Duration // a client that has closed its sending half, while no byte is sent to it
	Connect    bool          // a CONNECT ends the sequence and is left to the owner
}

// NewGuard returns a guard over a connection.
func NewGuard(c *peek.Conn, owner Owner, limits Limits) *Guard {
	g := &Guard{c: c, owner: owner, limits: limits, Ended: make(chan struct{})}
	g.wake = sync.NewCond(&g.mu)
	return g
}

// Read returns only judged bytes. It recovers from panics, because some goroutines of net/http
// call Read and do not recover from panics.
func (g *Guard) Read(b []byte) (n int, err error) {
	g.reads.Add(1)
	defer g.reads.Add(-1)
	if g.retired.Load() {
		return 0, io.EOF
	}
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
		if n, err = g.c.Read(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			g.endBy(rules.EndGone)
		}
	}
	g.left -= int64(n)
	g.handedOut()
	return n, err
}

// handedOut records that net/http has read the whole request.
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

// advance judges the next bytes, or waits for them.
func (g *Guard) advance() error {
	switch g.phase {
	case phaseHead:
		return g.NextHead()
	case phaseAnswer:
		return g.awaitAnswered()
	}
	return cmp.Or(g.fault, io.EOF)
}

// NextHead waits for a head and asks the owner to judge it. It returns io.EOF if no head comes, if
// the head was refused and answered, or if the head is a CONNECT that is left to the owner.
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
	case fault == rules.ReasonNone && h.Form == FormAuthority && g.limits.Connect:
		g.Connect = &h
	case g.owner.Judge(&h, fault, detail):
		g.Heads++
		g.begin(&h)
		return nil
	}
	g.phase = phaseStopped
	return io.EOF
}

// armHead sets the deadline for the rest of a head. The first head's deadline is set when the
// connection begins.
func (g *Guard) armHead() error {
	if g.Heads == 0 && g.limits.First == 0 {
		return nil
	}
	return g.arm(cmp.Or(g.limits.First, g.limits.Head))
}

// MaxEmptyLines is how many empty lines before a request line are ignored. RFC 9112, section
// 2.2, asks for at least one: old clients send an empty line after a body.
const MaxEmptyLines = 4

// awaitLine waits for the beginning of a request line. Empty lines alone are not a request.
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

// cutShort returns the fault of a head that did not arrive completely.
func cutShort(err error) (rules.Reason, string) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return rules.SniffTimeout, "the request head was not complete in time"
	}
	return rules.MalformedRequest, "connection ended inside a request head"
}

// awaitFirstByte waits for the next request.
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

// begin lets a head pass and records the framing of its body.
func (g *Guard) begin(h *Head) {
	g.left, g.phase, g.extra, g.limits.First = int64(h.Len), phaseAnswer, 0, 0
	g.apart = h.Upgrade() != ""
	g.mu.Lock()
	g.complete, g.until = false, time.Time{}
	g.serial++
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
