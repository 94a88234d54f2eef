// Link: a connection towards a destination, direct or through a parent.

package proxy

import (
	"crypto/tls"
	"net"
	"net/netip"

	"sallyport/rules"
)

// A link is a connection whose bytes reach a destination. It is passed by value.
type link struct {
	tcp    *net.TCPConn
	tls    *tls.Conn     // the layer on tcp that carries the bytes; nil: tcp itself carries them
	parent *rules.Parent // the parent at the other end; nil: the destination itself

	// absolute means that the parent reads requests in absolute-form on this connection, and the
	// destination of each from its target. Else the parent relays the bytes.
	absolute bool

	// asked means that the parent asked for a client certificate. Whether it accepts the one that it
	// got, or none, shows only in what it does next.
	asked bool
}

// Close closes the connection.
func (l link) Close() error {
	if l.tls != nil {
		return l.tls.Close()
	}
	return l.tcp.Close()
}

// conn returns what carries the bytes.
func (l link) conn() net.Conn {
	if l.tls != nil {
		return l.tls
	}
	return l.tcp
}

// peerOf returns the address and port that a socket is connected to.
func peerOf(conn *net.TCPConn) netip.AddrPort { return unmapped(conn.RemoteAddr()) }

// unmapped returns the address and port of a TCP address, unmapped.
func unmapped(addr net.Addr) netip.AddrPort {
	t, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
