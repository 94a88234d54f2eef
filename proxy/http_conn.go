// HTTP connection to a destination: what http.Transport reads and writes, with deadlines and
// byte counts. No response waits here.

package proxy

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// An upstream is a connection that carries requests of one session to one destination. It holds
// its TCP connection and does not embed it.
type upstream struct {
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
	guard    *head.Guard            // of the client's connection
	serial   atomic.Uint64          // the number of the current request there; 0: it was answered
	flow     atomic.Pointer[flow]   // the flow that its bytes are counted for
	answer   atomic.Pointer[answer] // the response whose body is read

	p    *Proxy
	head head.Splitter
	kept *[peek.Size]byte // from the pool; holds rest
	rest []byte           // bytes that arrived after a head, to be read next

	raw  syscall.RawConn
	once func(fd uintptr) bool // reads into b without waiting
	b    []byte
	n    int
	fail error
}

func (s *session) upstream(up link, a rules.Attempt) (*upstream, error) {
	raw, err := up.tcp.SyscallConn()
	if err != nil {
		up.Close()
		return nil, err
	}
	u := &upstream{link: up, conn: up.tcp, dest: a.Dest, resolved: a.Resolved, mismatch: a.Mismatch, idle: s.p.limits.Idle, p: s.p, guard: s.guard, raw: raw}
	if a.Unproven {
		u.unproven = a.Detail
	}
	u.once = u.readOnce
	return u, nil
}

// begin is called before a request is sent.
func (u *upstream) begin(reused bool) {
	u.reused = reused
	u.heard.Store(false)
	u.told.Store(false)
	u.serial.Store(u.guard.Serial())
}

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

// waited reads, and waits for at most the idle limit.
func (u *upstream) waited(b []byte) (int, error) {
	u.conn.SetReadDeadline(time.Now().Add(u.idle))
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

// Close closes the connection. If the current request's client has not sent its body yet, it need
// not.
func (u *upstream) Close() error {
	u.closed.Store(true)
	err := u.link.Close()
	u.guard.StopBody(u.serial.Load())
	return err
}

// LocalAddr returns our address.
func (u *upstream) LocalAddr() net.Addr { return u.conn.LocalAddr() }

// RemoteAddr returns the destination's address.
func (u *upstream) RemoteAddr() net.Addr { return u.conn.RemoteAddr() }

// SetDeadline bounds reads and writes.
func (u *upstream) SetDeadline(t time.Time) error { return u.conn.SetDeadline(t) }

// SetReadDeadline bounds reads.
func (u *upstream) SetReadDeadline(t time.Time) error { return u.conn.SetReadDeadline(t) }

// SetWriteDeadline bounds writes.
func (u *upstream) SetWriteDeadline(t time.Time) error { return u.conn.SetWriteDeadline(t) }
