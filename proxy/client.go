// Client: one accepted connection with the bytes read from it but not used yet.

package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A client is one accepted connection. Whoever handles it owns it until it
// returns; the accept loop closes it afterwards.
type client struct {
	peek.Conn
	addr netip.AddrPort // the source, unmapped

	by      rules.QuotaKey // whose shares it takes from, by what was in force when it was accepted
	unknown bool           // in no [[client]] then

	idleMu sync.Mutex  // held to end idle, and by hush, which must not come after it
	idle   atomic.Bool // its next bytes are awaited, and nothing is open: see hush
	again  atomic.Bool // had its first request
}

// await is fill for the first bytes of a request: while it waits, a drain ends
// the connection.
func (p *Proxy) await(c *client, limit int) error {
	c.idle.Store(true)
	defer c.busy()
	if p.draining.Load() {
		p.endWait(c)
	}
	return c.Fill(limit)
}

// busy ends idle.
func (c *client) busy() {
	c.idleMu.Lock()
	defer c.idleMu.Unlock()
	c.idle.Store(false)
}

// firstRequestWait is how long a drain waits for the first bytes of a connection that
// was accepted just before.
const firstRequestWait = 2 * time.Second

// endWait ends a wait for bytes that a drain has no time for: at once between
// requests, soon where the client has not had time for its first one.
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
