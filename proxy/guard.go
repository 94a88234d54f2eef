// Guard: stands between a client connection and net/http, which sees only
// what the strict grammar accepted and what was decided before.

package proxy

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

	"sallyport/rules"
)

// A guard is the net.Conn that net/http serves. It hands out whole judged
// heads and checked bodies, one request at a time: the next head is not looked
// at before the answer to the last request is written. It holds its TCP
// connection, never embeds it, and does not close it.
type guard struct {
	p      *Proxy
	c      *client
	judge  func(h *head, fault rules.Reason, detail string) bool // true: hand the request on
	heads  int                                                   // heads that were handed on
	outer  bool                                                  // CONNECT is somebody else's
	within time.Duration                                         // for a first head of which a part is there; 0: as for all others

	left  int64    // judged bytes that come next: first those in c.pre, then from the connection
	phase phase    // what comes behind them
	chunk int64    // of a chunked body: bytes of the current chunk that come yet
	extra int      // bytes of chunk extensions and trailers of this request
	full  bool     // the last read of lines filled its buffer
	out   []byte   // behind those: of a chunk of ours what did not fit, a part of small, or its end
	small [64]byte // where such chunks are made
	fault error    // why nothing comes any more

	connect  *head         // a CONNECT that ended the sequence; still in c.pre
	panicked any           // a recovered panic, for whoever serves the connection
	ended    chan struct{} // closed by Close
	eof      bool          // the client sent its last byte

	mu    sync.Mutex
	wake  *sync.Cond // on any change of the following
	turn  bool       // the answer is written, the next head may be looked at
	past  bool       // net/http wants a blocked Read to return
	whole bool       // the request was read to its end
	until time.Time  // it was not and is answered: when the rest must be there
	shut  bool
	cause rules.Cause // why the current request ended before its answer did

	writing sync.Mutex   // held to write to the client
	begun   bool         // a byte of the current answer is written
	ahead   bool         // only its first byte is, by probe
	written atomic.Int64 // bytes to the client
}

// phase is what the guard expects behind the bytes that are judged.
type phase uint8

const (
	phaseHead     phase = iota // a head; nothing before it is open
	phaseTurn                  // a head, once the answer is written
	phaseChunk                 // the size line of a chunk, or the rest of its data
	phaseChunkEnd              // the CRLF behind a chunk's data
	phaseTrailer               // a trailer field, or the empty line
	phaseStopped               // nothing ever again
)

// maxExtra bounds chunk extensions and trailers of one request together.
const maxExtra = 16 << 10

// maxKeepAlive bounds the wait between requests.
const maxKeepAlive = 2 * time.Minute

func newGuard(p *Proxy, c *client, judge func(*head, rules.Reason, string) bool) *guard {
	g := &guard{p: p, c: c, judge: judge, ended: make(chan struct{})}
	g.wake = sync.NewCond(&g.mu)
	return g
}

// Read hands out judged bytes only. Goroutines of net/http call it that do
// not recover from panics.
func (g *guard) Read(b []byte) (n int, err error) {
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
	if len(g.c.pre) > 0 {
		n = copy(b, g.c.pre)
		g.c.take(n)
	} else if err = g.arm(g.p.limits.Idle); err == nil {
		if n, err = g.c.conn.Read(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			g.ends(rules.EndGone)
		}
	}
	g.left -= int64(n)
	g.handedOut()
	return n, err
}

// handedOut notes whether net/http has the whole request.
func (g *guard) handedOut() {
	if g.left > 0 || len(g.out) > 0 || g.phase != phaseTurn {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.whole = true
}

func (g *guard) recovered(err *error) {
	if v := recover(); v != nil {
		g.panicked = fmt.Errorf("%v\n%s", v, debug.Stack())
		g.phase, g.left, g.out = phaseStopped, 0, nil
		*err = io.ErrUnexpectedEOF
	}
}

// advance judges what comes next, or waits for it.
func (g *guard) advance() error {
	switch g.phase {
	case phaseHead:
		return g.nextHead()
	case phaseTurn:
		return g.awaitTurn()
	}
	return cmp.Or(g.fault, io.EOF)
}

// nextHead waits for a head and has it judged. io.EOF: there is none, or it
// was refused and answered, or it is a CONNECT for somebody else.
func (g *guard) nextHead() error {
	if err := g.awaitLine(); err != nil {
		return err
	}
	if err := g.armHead(); err != nil {
		return err
	}
	h, fault, detail, more := parseHead(g.c.pre)
	for more {
		if err := g.c.fill(maxHead); err != nil {
			fault, detail = cutShort(err)
			break
		}
		h, fault, detail, more = parseHead(g.c.pre)
	}
	switch {
	case fault == rules.ReasonNone && h.form == formAuthority && g.outer:
		g.connect = &h
	case g.judge(&h, fault, detail):
		g.heads++
		g.c.again.Store(true)
		g.begin(&h)
		return nil
	}
	g.phase = phaseStopped
	return io.EOF
}

// armHead sets the deadline of a head of which a part is there. The first one's
// runs since the connection began.
func (g *guard) armHead() error {
	if g.heads == 0 && g.within == 0 {
		return nil
	}
	return g.arm(cmp.Or(g.within, g.p.limits.Head))
}

// maxEmptyLines is how many empty lines in front of a request line are ignored.
// RFC 9112, section 2.2, asks for one: old clients end a body with it.
const maxEmptyLines = 4

// awaitLine waits for the beginning of a request line. Empty lines alone are
// nothing that a client sent.
func (g *guard) awaitLine() error {
	for empty := 0; ; {
		if len(g.c.pre) == 0 {
			if err := g.awaitFirstByte(); err != nil {
				return err
			}
		}
		for ; empty < maxEmptyLines && bytes.HasPrefix(g.c.pre, []byte("\r\n")); empty++ {
			g.c.take(len("\r\n"))
		}
		if empty < maxEmptyLines && string(g.c.pre) == "\r" {
			if err := g.armHead(); err != nil {
				return err
			}
			if g.c.fill(maxHead) == nil {
				continue
			}
		}
		if len(g.c.pre) > 0 {
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
func (g *guard) awaitFirstByte() error {
	if g.eof {
		return io.EOF
	}
	wait := g.p.limits.Head
	if g.heads > 0 {
		wait = min(g.p.limits.Idle, maxKeepAlive)
	}
	if err := g.arm(wait); err != nil {
		return err
	}
	g.c.release()
	err := g.p.await(g.c, maxHead)
	if err != nil && g.heads == 0 {
		g.p.count.empty.Add(1)
	}
	return err
}

// begin lets a head pass and remembers how its body is framed.
func (g *guard) begin(h *head) {
	g.left, g.phase, g.extra, g.within = int64(h.n), phaseTurn, 0, 0
	g.mu.Lock()
	g.whole, g.until = false, time.Time{}
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

// hurry says that the answer is known. net/http reads what is left of the body,
// to keep the connection, and may not wait long for it.
func (g *guard) hurry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.whole {
		return
	}
	g.until = time.Now().Add(lingerTime)
	if !g.past {
		g.c.conn.SetReadDeadline(g.until)
	}
}

// answered says that the answer to the last request is written. Where its body
// was not read to the end, nobody knows any more what the next bytes are.
func (g *guard) answered() {
	if g.left > 0 || len(g.out) > 0 || g.phase != phaseTurn {
		g.left, g.out, g.phase = 0, nil, phaseStopped
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn, g.until = true, time.Time{}
	g.wake.Broadcast()
}

// arm sets the deadline of the next reads, absolutely; 0: none. It fails when
// net/http wants no more of the current Read.
func (g *guard) arm(d time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.past {
		return os.ErrDeadlineExceeded
	}
	if !g.until.IsZero() && d > 0 {
		return g.c.conn.SetReadDeadline(g.until)
	}
	g.c.deadline(d)
	return nil
}

// SetReadDeadline obeys only what net/http uses to interrupt a Read, a time
// that is past; how long reads may take is the guard's to know.
func (g *guard) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.whole && !g.until.IsZero() {
		return nil // the rest of a body is read and judged for as long as hurry says
	}
	if g.past = !t.IsZero() && !t.After(time.Now()); g.past {
		g.wake.Broadcast()
		return g.c.conn.SetReadDeadline(t)
	}
	return nil
}

// Close ends the sequence. The connection itself belongs to the accept loop.
func (g *guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.shut = true
		g.wake.Broadcast()
		close(g.ended)
	}
	return nil
}

// CloseWrite tells the client that no more comes; net/http uses it before it
// lingers.
func (g *guard) CloseWrite() error { return g.c.conn.CloseWrite() }

// SetDeadline and SetWriteDeadline are net/http's wishes that the guard's own
// deadlines replace.
func (g *guard) SetDeadline(time.Time) error      { return nil }
func (g *guard) SetWriteDeadline(time.Time) error { return nil }
func (g *guard) LocalAddr() net.Addr              { return g.c.conn.LocalAddr() }
func (g *guard) RemoteAddr() net.Addr             { return g.c.conn.RemoteAddr() }
