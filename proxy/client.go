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

	by      rules.QuotaKey // the client whose quotas it uses, by the generation in force when it was accepted
	unknown bool           // its address is in no sources of a [[client]], and it has proven nothing
	charged bool           // it uses these quotas; a balancer's connection does not until its header is read

	shown  *shown    // its certificate; nil: it has shown none
	behind *balancer // nil: the client itself made the connection

	idleMu sync.Mutex  // held while idle is cleared, and by endWait, which does nothing once idle is cleared
	idle   atomic.Bool // the proxy waits for the client's next bytes, and no request is open; see endWait
	again  atomic.Bool // its first request was handed on
}

// await waits, like Fill, for the first bytes of a request. A drain that begins meanwhile ends the
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

// firstRequestWait is how long a drain waits for the first bytes of a connection that was accepted
// just before the drain began.
const firstRequestWait = 2 * time.Second

// endWait ends the wait for a request when a drain begins. Between requests the wait ends at once.
// If the connection has not had its first request, the wait ends after a short time.
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
