// HTTP connection to a destination: what a trip reads and writes, with deadlines and byte
// counts. No response waits here.

package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// An upstream is a connection that carries requests to one destination, one after the other. It
// holds its TCP connection and does not embed it.
type upstream struct {
	host     string // host:port of the requests that it may carry, in canonical form
	link     link
	conn     *net.TCPConn // of link
	dest     netip.AddrPort
	resolved []netip.Addr
	mismatch bool   // as in rules.Attempt
	unproven string // as the Detail of an Unproven rules.Attempt
	idle     time.Duration
	reused   bool                   // it has carried a request before the current one
	heard    atomic.Bool            // something has arrived since the current request began
	told     atomic.Bool            // something was written since then
	broken   atomic.Bool            // it has ended
	closed   atomic.Bool            // we have closed it
	guard    *head.Guard            // of the current request's client; nil: none
	serial   atomic.Uint64          // the number of the current request there; 0: it was answered
	flow     atomic.Pointer[flow]   // the flow that its bytes are counted for
	answer   atomic.Pointer[answer] // the response whose body is read

	made  time.Time
	since time.Time // when it began to wait for another request
	bound bool      // no other session may use it; see binds

	p    *Proxy
	head head.Splitter
	room int              // how many bytes may still come before the current head is complete
	kept *[peek.Size]byte // from the pool; holds rest
	rest []byte           // bytes that arrived after a head, to be read next

	raw  syscall.RawConn
	once func(fd uintptr) bool // reads into b without waiting
	look func(fd uintptr)      // looks at the next byte without waiting
	b    []byte
	n    int
	fail error
}

func (s *session) upstream(up link, a rules.Attempt, host string) (*upstream, error) {
	raw, err := up.tcp.SyscallConn()
	if err != nil {
		up.Close()
		return nil, err
	}
	u := &upstream{host: host, link: up, conn: up.tcp, dest: a.Dest, resolved: a.Resolved, mismatch: a.Mismatch, idle: s.p.limits.Idle,
		p: s.p, raw: raw, made: time.Now()}
	if a.Unproven {
		u.unproven = a.Detail
	}
	u.once, u.look = u.readOnce, u.lookOnce
	return u, nil
}

// begin is called before a request is sent.
func (u *upstream) begin(guard *head.Guard) {
	u.heard.Store(false)
	u.told.Store(false)
	u.guard = guard
	u.serial.Store(guard.Serial())
}

// errHead refuses a response whose head is too long.
var errHead = errors.New("the head of the response is too long")

// Read returns heads by themselves, so that the framing of a body is seen from its first byte.
func (u *upstream) Read(b []byte) (n int, err error) {
	w := u.answer.Load()
	if len(u.rest) > 0 {
		n = copy(b, u.rest)
	} else if n, err = u.arrive(b); n > 0 {
		u.heard.Store(true)
		u.count(n)
	} else if err != nil {
		u.broken.Store(true)
	}
	part := n
	if w == nil {
		part = u.head.Cut(b[:n])
		if u.room -= part; u.room < 0 {
			return 0, errHead
		}
	} else if w.pieces != nil {
		w.pieces.Feed(b[:n])
	}
	u.keep(b[:n], part)
	return part, err
}

// keep stores the bytes of b after the first n, to be read next.
func (u *upstream) keep(b []byte, n int) {
	switch {
	case len(u.rest) > 0:
		u.rest = u.rest[n:]
	case n == len(b):
		return
	case len(b)-n > peek.Size:
		u.rest = bytes.Clone(b[n:])
	default:
		u.kept = u.p.buffers.Get()
		u.rest = u.kept[:copy(u.kept[:], b[n:])]
	}
	if len(u.rest) == 0 && u.kept != nil {
		u.p.buffers.Put(u.kept)
		u.rest, u.kept = nil, nil
	}
}

// atHand returns how many bytes can be read without waiting.
func (u *upstream) atHand() int64 {
	if u.link.tls != nil {
		return int64(len(u.rest))
	}
	return int64(len(u.rest)) + peek.Unread(u.raw)
}

// arrive reads what has arrived. Before it waits for more, it flushes the client's response.
func (u *upstream) arrive(b []byte) (n int, err error) {
	if w := u.answer.Load(); w != nil && w.held.Load() {
		if u.link.tls != nil {
			w.Flush()
			return u.waited(b)
		}
		if n, err, ok := u.readNow(b); ok {
			return n, err
		}
		w.Flush()
	}
	return u.waited(b)
}

// waited reads, and waits for at most the idle limit. The head of a response must be complete
// within that time after the last byte of the request: its deadline is the one that Write has set.
func (u *upstream) waited(b []byte) (int, error) {
	if u.answer.Load() != nil {
		u.conn.SetReadDeadline(time.Now().Add(u.idle))
	}
	if u.link.tls != nil {
		return u.link.tls.Read(b)
	}
	return u.conn.Read(b)
}

func (u *upstream) count(n int) {
	if f := u.flow.Load(); f != nil {
		f.out.Add(uint64(n))
	}
}

// readNow reads without waiting. It reports false if nothing is there.
func (u *upstream) readNow(b []byte) (int, error, bool) {
	u.b = b
	err := u.raw.Read(u.once)
	u.b = nil
	switch {
	case err != nil, u.fail == syscall.EAGAIN:
		return 0, nil, false
	case u.fail != nil:
		return 0, u.fail, true
	case u.n == 0:
		return 0, io.EOF, true
	}
	return u.n, nil, true
}

func (u *upstream) readOnce(fd uintptr) bool {
	for {
		if u.n, u.fail = syscall.Read(int(fd), u.b); u.fail != syscall.EINTR {
			return true
		}
	}
}

// Write writes to the destination. It also renews the deadline of a Read that waits for the
// response.
func (u *upstream) Write(b []byte) (int, error) {
	u.conn.SetDeadline(time.Now().Add(u.idle))
	var n int
	var err error
	if u.link.tls != nil {
		n, err = u.link.tls.Write(b)
	} else {
		n, err = u.conn.Write(b)
	}
	if n > 0 {
		u.told.Store(true)
	}
	if f := u.flow.Load(); f != nil {
		f.in.Add(uint64(n))
	}
	return n, err
}

// silent reports whether nothing has arrived on a connection that waits: no byte, and no end. What a
// destination sends without a request must never become the answer to the next request.
func (u *upstream) silent() bool {
	if u.n = len(u.rest); u.n > 0 {
		return false
	}
	if u.link.tls != nil {
		u.conn.SetReadDeadline(time.Unix(1, 0)) // so that Read returns only what is decrypted already
		if _, err := u.link.tls.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
	}
	return u.raw.Control(u.look) == nil && u.fail == syscall.EAGAIN
}

func (u *upstream) lookOnce(fd uintptr) {
	var one [1]byte
	for {
		if _, _, u.fail = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT); u.fail != syscall.EINTR {
			return
		}
	}
}

// Close closes the connection. If the current request's client has not sent its body yet, it need
// not.
func (u *upstream) Close() error {
	u.closed.Store(true)
	err := u.link.Close()
	if u.guard != nil {
		u.guard.StopBody(u.serial.Load())
	}
	return err
}
