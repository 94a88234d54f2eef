// Balancer: connections from a balancer, which names the client of each in a header of the PROXY
// protocol.

package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"sallyport/proxy/peek"
	"sallyport/rules"
	"sallyport/rules/proxyheader"
)

// A balancer is what is known about the other end of a balancer's connection.
type balancer struct {
	addr netip.AddrPort // its own address
	dest netip.AddrPort // where it accepted the client's connection; zero: the balancer speaks for itself
}

// fromBalancer reports whether c must begin with a header.
func (p *Proxy) fromBalancer(c *client) bool {
	for i := range p.cfg.Balancers {
		if p.cfg.Balancers[i].Contains(c.addr.Addr()) {
			return true
		}
	}
	return false
}

// introduced reads the header of a balancer's connection, and gives c the client's address. Bytes
// after the header stay in c.Bytes. It reports false if the connection ends here: it brought no
// client, or the header was denied, or the client's quota is reached.
//
// The header and the beginning of what follows it have one deadline together.
func (p *Proxy) introduced(c *client, fe frontEnd) bool {
	c.Deadline(p.limits.Head)
	h, ok := p.header(c, fe)
	if !ok {
		return false
	}
	c.Discard(h.Len)
	if h.Kind == proxyheader.Relayed {
		c.addr, c.behind.dest = rules.ClientAddr(h.Client), h.Dest
	} else if !p.speaks(c, fe, h.Kind) {
		return false
	}
	if len(c.Bytes) == 0 {
		c.Release()
	}
	if fe.via == rules.ViaTransparent {
		c.Deadline(0) // its handler may relay without reading first
	}
	p.recognize(c, fe.via)
	if fault, detail := p.clients.chargeNow(c, p.limits); fault != rules.ReasonNone {
		p.notAdmitted(c, fe, fault, detail)
		return false
	}
	return true
}

// speaks waits for what follows a header without a client. It counts a balancer's own connection,
// and every connection on which nothing follows. It denies a client without an address: the
// balancer's address must not stand for its clients, as it may have permissions of its own.
func (p *Proxy) speaks(c *client, fe frontEnd, kind proxyheader.Kind) bool {
	silent := len(c.Bytes) == 0 && p.await(c, peek.Size) != nil
	if silent || kind == proxyheader.Local {
		p.count.checks.Add(1)
	}
	if silent {
		return false
	}
	if kind != proxyheader.Local {
		p.denyBalancer(c, fe, proxyheader.NoClient)
		return false
	}
	return true
}

// chargeNow is charge for a connection that was admitted before its client was known.
func (t *clientTable) chargeNow(c *client, l Limits) (fault rules.Reason, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.charge(c, l)
}

// header waits for a whole header. It reports false if there is none. Then it has recorded the
// denial, or counted a connection that brought no byte.
func (p *Proxy) header(c *client, fe frontEnd) (proxyheader.Header, bool) {
	for {
		h, need, err := proxyheader.Parse(c.Bytes)
		switch {
		case err != nil:
			p.denyBalancer(c, fe, err.Error())
			return h, false
		case need == 0:
			return h, true
		case len(c.Bytes) == 0:
			err = p.await(c, proxyheader.MaxSize)
		default:
			err = c.Fill(proxyheader.MaxSize)
		}
		switch {
		case err == nil:
		case len(c.Bytes) == 0:
			p.count.empty.Add(1)
			return h, false
		default:
			p.denyBalancer(c, fe, cutHeader(err, len(c.Bytes)))
			return h, false
		}
	}
}

// cutHeader describes a header that did not arrive completely.
func cutHeader(err error, n int) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("the PROXY header was not complete in time: %d octets came", n)
	}
	return fmt.Sprintf("the connection ended inside a PROXY header, after %d octets", n)
}

// denyBalancer records that a balancer did not name its client, and closes the connection.
func (p *Proxy) denyBalancer(c *client, fe frontEnd, detail string) {
	a := p.attempt(c, fe.via)
	a.Fault, a.Detail = rules.ProxyProtocol, detail
	d := p.cfg.Gate.Decide(a)
	if fe.refuse == nil {
		peek.Reset(c.TCP)
		return
	}
	fe.refuse(c, a, d)
	c.HangUp()
}

// forgedHeader reports whether a redirected flow begins with a header although its source is no
// balancer. Such a header could only deceive the destination. Without balancers, the bytes have no
// special meaning.
func (p *Proxy) forgedHeader(c *client, via rules.Via) bool {
	return via == rules.ViaTransparent && len(p.cfg.Balancers) > 0 && c.behind == nil && proxyheader.Begins(c.Bytes)
}

// forged is the sniff result of forgedHeader.
func forged() sniffResult {
	return sniffResult{fault: rules.MalformedRequest, detail: proxyheader.Unexpected}
}
