// Carry: what carries the bytes of a connection, TCP itself or a TLS layer on it, and how it ends.

package peek

import "time"

// Read reads bytes that follow those in Bytes.
func (c *Conn) Read(b []byte) (int, error) {
	if c.TLS != nil {
		return c.TLS.Read(b)
	}
	return c.TCP.Read(b)
}

// Write writes to the client.
func (c *Conn) Write(b []byte) (int, error) {
	if c.TLS != nil {
		return c.TLS.Write(b)
	}
	return c.TCP.Write(b)
}

// CloseWrite ends what is written, so that the client sees a clean end.
func (c *Conn) CloseWrite() error {
	if c.TLS != nil {
		if err := c.TLS.CloseWrite(); err != nil {
			return err
		}
	}
	return c.TCP.CloseWrite()
}

// Close closes the connection. With TLS it says so to a client that is still there.
func (c *Conn) Close() error {
	if c.TLS != nil {
		return c.TLS.Close()
	}
	return c.TCP.Close()
}

// Bounds of HangUp.
const (
	Linger      = time.Second // how long a client has for what was written last
	lingerBytes = 256 << 10
)

// HangUp closes so that the last write is delivered: unread bytes at a close make the kernel send a reset, which can
// overtake the answer. It discards bytes that still arrive, for a bounded time and number.
func (c *Conn) HangUp() {
	defer c.TCP.Close()
	if c.CloseWrite() != nil {
		return
	}
	c.Release()
	c.Deadline(Linger)
	c.grow(Size)
	for left := lingerBytes; left > 0; {
		n, err := c.TCP.Read(c.store) // what arrives now is not decrypted any more
		if err != nil {
			break
		}
		left -= n
	}
	c.Release()
}
