// Client: one accepted connection, with the bytes that were read from it and not used yet.

package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A client is one accepted connection. Its handler owns it until the handler returns; then the
// accept loop closes it.
type client struct {
	peek.Conn
	addr netip.AddrPort // the source, unmapped

	by      rules.QuotaKey // whose quotas it counts against, by the generation that was in force when it was accepted
	unknown bool           // its address is in no [[client]]

	idleMu sync.Mutex  // held while idle is cleared, and by endWait, which must not run after that
	idle   atomic.Bool // the client's next bytes are awaited and nothing is open; see endWait
	again  atomic.Bool // its first request was handed on
}

// await is Fill for the first bytes of a request. A drain that begins meanwhile ends the
// connection.
func (p *Proxy) await(c *client, limit int) error {
	c.idle.Store(true)
	defer c.busy()
	if p.draining.Load() {
		p.endWait(c)
	}
	return c.Fill(limit)
}

// busy clears idle.
func (c *client) busy() {
	c.idleMu.Lock()
	defer c.idleMu.Unlock()
	c.idle.Store(false)
}

// firstRequestWait is how long a drain waits for the first bytes of a connection that was
// accepted just before it began.
const firstRequestWait = 2 * time.Second

// endWait cuts short the wait for a request when a drain begins: at once between requests,
// after a short time if the connection has not had its first request.
func (p *Proxy) endWait(c *client) {
	c.idleMu.Lock()
	defer c.idleMu.Unlock()
	switch {
	case !c.idle.Load():
	case c.again.Load():
		c.TCP.Close()
	default:
		c.TCP.SetReadDeadline(time.Now().Add(p.grace))
	}
}
