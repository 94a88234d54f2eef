// CONNECT: HTTP's request for a tunnel.

package proxy

import (
	"context"
	"net/netip"
	"strings"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// connect serves a CONNECT whose head h is at the beginning of c.Bytes. The bytes after the
// head belong to the tunnel. The connection ends afterwards, also after a refusal: bytes
// after a refused CONNECT are discarded and never read as a request (RFC 9931).
func (p *Proxy) connect(ctx context.Context, c *client, h head.Head) {
	c.Discard(h.Len)
	a := p.attempt(c, rules.ViaConnect)
	a.Authority = h.Target.Name
	a.Dest = netip.AddrPortFrom(h.Target.Addr, h.Target.Port)
	if h.HasHost {
		a.Host, a.HostAddr, a.HostPort = h.Host.Name, h.Host.Addr, h.Host.Port
		if a.HostPort == portHTTP { // clients leave the port out, or send the default port of http
			a.HostPort = h.Target.Port
		}
		// The target decides (RFC 9110, section 9.3.6; RFC 9112, section 3.2.3): some clients
		// send the proxy's own name as Host. The Host of a CONNECT is not forwarded.
		a.HostIgnored = a.Host != h.Target.Name || a.HostAddr != h.Target.Addr || a.HostPort != h.Target.Port
	}
	if h.Via != "" && strings.Contains(h.Via, p.engine.pseudonym()) { // a parent sent our own CONNECT back
		a.Fault, a.Detail = rules.Self, throughUs
	}
	p.basic(c, &a, &h)
	p.tunnel(ctx, c, a, connectReply{json: strings.Contains(strings.ToLower(h.Accept), "json")})
}

// connectReply answers in HTTP.
type connectReply struct{ json bool }

func (r connectReply) granted(c *client) error {
	_, err := c.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
	return err
}

func (r connectReply) denied(c *client, a rules.Attempt, d rules.Decision) {
	writeError(c, statusOf(a, d), a, d, r.json)
}

func (r connectReply) failed(c *client, a rules.Attempt, e *dialError) {
	writeFailure(c, e, a, r.json)
}
