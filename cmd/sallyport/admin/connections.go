// Connections: limits the connections of the admin listener, so that they cannot use
// up the descriptors that the front ends need.

package admin

import (
	"net"
	"sync"
)

// connectionsMost is more than browsers and monitors need.
const connectionsMost = 128

// A boundedListener limits the number of open connections. To accept one more,
// it closes the connection that has been silent for longest. If it refused the
// new connection instead, silent connections could block the health check.
type boundedListener struct {
	net.Listener
	most int

	mu   sync.Mutex
	seq  uint64 // increases with each read and each new connection
	open map[*boundedConn]uint64
}

func newBoundedListener(l net.Listener, most int) *boundedListener {
	return &boundedListener{Listener: l, most: most, open: map[*boundedConn]uint64{}}
}

// Accept returns the next connection. It closes another connection if there are
// too many.
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

// enter adds c. It returns the connection to close for it, or nil.
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

// A boundedConn is a connection of a boundedListener.
type boundedConn struct {
	net.Conn
	l *boundedListener
}

// Read reads from the connection and records that it is not silent.
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

// Close closes the connection and frees its place.
func (c *boundedConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.open, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
