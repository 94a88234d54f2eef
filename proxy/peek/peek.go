// Package peek reads from a client's connection without consuming the bytes: they stay until Discard.
package peek

import _ "sallyport" // this package needs Linux

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes of buffers.
const (
	Size  = 4 << 10  // fits almost every request head and ClientHello; a longer head or hello moves to a buffer of its own
	Large = 32 << 10 // the size after Widen
)

// ErrFull reports that a head or hello reached its limit before its end.
var ErrFull = errors.New("limit reached")

// A Conn is one accepted connection. One goroutine at a time owns it.
type Conn struct {
	TCP   *net.TCPConn // the connection itself
	TLS   *tls.Conn    // the layer on TCP that carries the bytes; nil: TCP itself carries them
	Bytes []byte       // received and not consumed yet; slices of it are valid until Fill, Discard or Release
	Pool  *Pool        // where buffers come from; nil: they are made

	store  []byte      // the array that Bytes is a part of
	pooled *[Size]byte // store, while it is from the pool
}

// A Pool holds small buffers that are not in use. Its zero value is ready.
type Pool struct{ p sync.Pool }

// Get returns a buffer with any contents.
func (p *Pool) Get() *[Size]byte {
	if b, ok := p.p.Get().(*[Size]byte); ok {
		return b
	}
	return new([Size]byte)
}

// Put takes a buffer back.
func (p *Pool) Put(b *[Size]byte) { p.p.Put(b) }

// Fill waits for more bytes and appends them to Bytes. Bytes never grows beyond limit: at the
// limit, Fill returns ErrFull. It obeys the read deadline.
func (c *Conn) Fill(limit int) error {
	if len(c.Bytes) >= limit {
		return ErrFull
	}
	c.grow(limit)
	n, err := c.Read(c.store[len(c.Bytes):min(len(c.store), limit)])
	c.Bytes = c.store[:len(c.Bytes)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// grow makes Bytes the beginning of a store with room after it.
func (c *Conn) grow(limit int) {
	if c.store == nil {
		c.pooled = c.buffer()
		c.store = c.pooled[:]
	}
	if len(c.Bytes) < len(c.store) {
		c.Bytes = c.store[:copy(c.store, c.Bytes)]
		return
	}
	bigger := make([]byte, min(4*len(c.store), max(limit, Size)))
	copy(bigger, c.Bytes)
	n := len(c.Bytes)
	c.Bytes = nil
	c.Release()
	c.store, c.Bytes = bigger, bigger[:n]
}

// Room returns how many bytes the current buffer holds.
func (c *Conn) Room() int { return len(c.store) }

// Widen makes room for Large bytes at once. Bytes must be empty.
func (c *Conn) Widen() {
	c.Release()
	c.store = make([]byte, Large)
}

func (c *Conn) buffer() *[Size]byte {
	if c.Pool == nil {
		return new([Size]byte)
	}
	return c.Pool.Get()
}

// Discard consumes the first n of Bytes.
func (c *Conn) Discard(n int) {
	c.Bytes = c.Bytes[n:]
	if len(c.Bytes) == 0 {
		c.Bytes = nil
	}
}

// Release returns the buffer to the pool. Bytes that were not consumed are dropped.
func (c *Conn) Release() {
	if c.pooled != nil && c.Pool != nil {
		c.Pool.Put(c.pooled)
	}
	c.Bytes, c.store, c.pooled = nil, nil, nil
}

// Deadline bounds all reads from now on, absolutely; 0 removes the bound.
func (c *Conn) Deadline(d time.Duration) {
	if d == 0 {
		c.TCP.SetReadDeadline(time.Time{})
		return
	}
	c.TCP.SetReadDeadline(time.Now().Add(d))
}

// Unread returns how many bytes of a connection wait in the kernel.
func Unread(raw syscall.RawConn) (n int64) {
	raw.Control(func(fd uintptr) {
		if bytes, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ); err == nil {
			n = int64(bytes)
		}
	})
	return n
}

// Reset closes so that the peer sees a reset, never a clean end.
func Reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}
