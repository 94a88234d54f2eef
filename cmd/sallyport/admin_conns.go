// Admin connections: how many there may be, so that whoever reaches the admin
// listener cannot use up the descriptors that the front ends need.

package main

import (
	"net"
	"sync"
)

// adminConnsMost is more than browsers and monitors need.
const adminConnsMost = 128

// A boundedListener has so many connections open. For one more it closes the
// one that has been silent for longest: refusing the new one would let silent
// ones keep the health check out.
type boundedListener struct {
	net.Listener
	most int

	mu   sync.Mutex
	seq  uint64 // of the last sign of life of any
	open map[*boundedConn]uint64
}

func newBoundedListener(l net.Listener, most int) *boundedListener {
	return &boundedListener{Listener: l, most: most, open: map[*boundedConn]uint64{}}
}

// Accept makes room for what it returns.
func (l *boundedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &boundedConn{Conn: conn, l: l}
	if victim := l.enter(c); victim != nil {
		victim.Close()
	}
	return c, nil
}

// enter adds c and returns the connection that has to go for it, if any.
func (l *boundedListener) enter(c *boundedConn) (victim *boundedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		for o, at := range l.open {
			if victim == nil || at < l.open[victim] {
				victim = o
			}
		}
		delete(l.open, victim)
	}
	l.seq++
	l.open[c] = l.seq
	return victim
}

// A boundedConn is one of a boundedListener's connections.
type boundedConn struct {
	net.Conn
	l *boundedListener
}

// Read is a sign of life.
func (c *boundedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if _, here := c.l.open[c]; here && n > 0 {
		c.l.seq++
		c.l.open[c] = c.l.seq
	}
	return n, err
}

// Close gives its place free.
func (c *boundedConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.open, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
