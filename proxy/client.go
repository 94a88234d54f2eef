// Client: one accepted connection with the bytes read from it but not used yet.

package proxy

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// bufferSize fits almost every request head and ClientHello; what is longer
// moves to a buffer of its own.
const bufferSize = 4 << 10

// errFull says that a head or hello reached its limit before its end.
var errFull = errors.New("limit reached")

// A client is one accepted connection. Whoever handles it owns it until it
// returns; the accept loop closes it afterwards.
type client struct {
	conn *net.TCPConn
	pre  []byte         // received and not used yet; slices of it die with fill, take and release
	addr netip.AddrPort // the source, unmapped

	by       rules.Party // whose shares it takes from, by what was in force when it was accepted
	stranger bool        // in no [[client]] then

	gate   sync.Mutex        // held to end idle, and by hush, which must not come after it
	idle   atomic.Bool       // its next bytes are awaited, and nothing is open: see hush
	again  atomic.Bool       // had its first request
	store  []byte            // what pre is a part of
	pooled *[bufferSize]byte // store, while it is from the pool
	pool   *sync.Pool        // of *[bufferSize]byte
}

// fill waits for more bytes and puts them behind pre, which never grows beyond
// limit: at the limit the answer is errFull. It obeys the read deadline.
func (c *client) fill(limit int) error {
	if len(c.pre) >= limit {
		return errFull
	}
	c.grow(limit)
	n, err := c.conn.Read(c.store[len(c.pre):min(len(c.store), limit)])
	c.pre = c.store[:len(c.pre)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// await is fill for the first bytes of a request: while it waits, a drain ends
// the connection.
func (p *Proxy) await(c *client, limit int) error {
	c.idle.Store(true)
	defer c.busy()
	if p.draining.Load() {
		p.hush(c)
	}
	return c.fill(limit)
}

// busy ends idle.
func (c *client) busy() {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.idle.Store(false)
}

// firstWord is how long a drain waits for the first bytes of a connection that
// was accepted just before.
const firstWord = 2 * time.Second

// hush ends a wait for bytes that a drain has no time for: at once between
// requests, soon where the client has not had time for its first one.
func (p *Proxy) hush(c *client) {
	c.gate.Lock()
	defer c.gate.Unlock()
	switch {
	case !c.idle.Load():
	case c.again.Load():
		c.conn.Close()
	default:
		c.conn.SetReadDeadline(time.Now().Add(p.grace))
	}
}

// grow makes pre the beginning of a store with room behind it.
func (c *client) grow(limit int) {
	if c.store == nil {
		c.pooled = c.buffer()
		c.store = c.pooled[:]
	}
	if len(c.pre) < len(c.store) {
		c.pre = c.store[:copy(c.store, c.pre)]
		return
	}
	bigger := make([]byte, min(4*len(c.store), max(limit, bufferSize)))
	copy(bigger, c.pre)
	n := len(c.pre)
	c.pre = nil
	c.release()
	c.store, c.pre = bigger, bigger[:n]
}

// widen makes room for much more at once. What is in pre must be used.
func (c *client) widen() {
	c.release()
	c.store = make([]byte, relayBuffer)
}

func (c *client) buffer() *[bufferSize]byte {
	if c.pool != nil {
		if b, ok := c.pool.Get().(*[bufferSize]byte); ok {
			return b
		}
	}
	return new([bufferSize]byte)
}

// buffer takes a small buffer from the pool that clients share.
func (p *Proxy) buffer() *[bufferSize]byte {
	if b, ok := p.buffers.Get().(*[bufferSize]byte); ok {
		return b
	}
	return new([bufferSize]byte)
}

// take marks the first n bytes of pre as used.
func (c *client) take(n int) {
	c.pre = c.pre[n:]
	if len(c.pre) == 0 {
		c.pre = nil
	}
}

// release gives the buffer back; what is left in pre is dropped.
func (c *client) release() {
	if c.pooled != nil && c.pool != nil {
		c.pool.Put(c.pooled)
	}
	c.pre, c.store, c.pooled = nil, nil, nil
}

// deadline bounds all reads from now on, absolutely; 0: no bound.
func (c *client) deadline(d time.Duration) {
	if d == 0 {
		c.conn.SetReadDeadline(time.Time{})
		return
	}
	c.conn.SetReadDeadline(time.Now().Add(d))
}

// Bounds of lingering after a refusal.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)

// hangUp closes so that what was written last is delivered: unread bytes at a
// close make the kernel send a reset, which can overtake the answer. Bytes that
// still come are thrown away, for a bounded time and number.
func (c *client) hangUp() {
	defer c.conn.Close()
	if c.conn.CloseWrite() != nil {
		return
	}
	c.release()
	c.deadline(lingerTime)
	for left := lingerBytes; left > 0; c.pre = nil {
		if c.fill(bufferSize) != nil {
			break
		}
		left -= len(c.pre)
	}
	c.release()
}

// reset closes so that the peer sees a reset, never a clean end.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}
