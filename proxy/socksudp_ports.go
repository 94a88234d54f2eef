// SOCKS5 UDP, ports: the sockets of the open associations, which no client's datagram may reach.

package proxy

import (
	"net"
	"sync"
	"sync/atomic"
)

// A portTable counts the sockets for datagrams of clients by their port. sallyport must not send a
// client's datagram to one of them: it would come from an address of this host, and could be taken for
// the datagram of a client on this host. Its zero value is ready.
type portTable struct {
	open  atomic.Int64
	mu    sync.Mutex
	count map[uint16]int
}

func (t *portTable) opened(conn *net.UDPConn) { t.add(conn, 1) }

// closed closes a socket.
func (t *portTable) closed(conn *net.UDPConn) {
	t.add(conn, -1)
	conn.Close()
}

func (t *portTable) add(conn *net.UDPConn, n int) {
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil {
		t.count = map[uint16]int{}
	}
	if t.count[port] += n; t.count[port] == 0 {
		delete(t.count, port)
	}
	t.open.Add(int64(n))
}

// HasAssociation reports whether a SOCKS5 association has a socket at a port.
func (p *Proxy) HasAssociation(port uint16) bool {
	if p.ports.open.Load() == 0 {
		return false
	}
	p.ports.mu.Lock()
	defer p.ports.mu.Unlock()
	return p.ports.count[port] > 0
}
