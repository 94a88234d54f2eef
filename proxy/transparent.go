// Transparent: connections that a packet filter brought here by REDIRECT or TPROXY, from clients
// that know of no proxy. The protocol is recognised by the bytes, not by the port.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"sallyport/proxy/hello"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// ServeTransparent serves connections that were redirected to l, of both families and from any
// original port, until ctx ends or Drain begins.
//
// A flow may show a name, in a ClientHello or in the Host of each request. Then the proxy
// resolves the name itself and connects there, whatever the original destination was. A flow
// without a name goes to its original destination, if a rule names that address, or if the DNS
// filter gave it to the client for a permitted name. Nothing is connected before the verdict. A
// connection that was not redirected is denied.
func (p *Proxy) ServeTransparent(ctx context.Context, l net.Listener) error {
	return p.serveRedirected(ctx, l, p.redirectedFrom)
}

// ServeTPROXY does the same for l, a listener of ListenTPROXY. TPROXY does not change a packet, so
// the original destination is the connection's own local address.
func (p *Proxy) ServeTPROXY(ctx context.Context, l net.Listener) error {
	return p.serveRedirected(ctx, l, p.divertedFrom)
}

// A finder returns where a connection was headed. If nothing brought the connection here, it returns
// an error with the connection's local address.
type finder func(*net.TCPConn) (netip.AddrPort, error)

// serveRedirected serves connections whose original destination find returns.
func (p *Proxy) serveRedirected(ctx context.Context, l net.Listener, find finder) error {
	handle := func(ctx context.Context, c *client) { p.handleRedirected(ctx, c, find) }
	return p.serve(ctx, l, frontEnd{via: rules.ViaTransparent, handle: handle})
}

// handleRedirected chooses how a connection is judged: by its address alone, or by its first
// bytes.
func (p *Proxy) handleRedirected(ctx context.Context, c *client, find finder) {
	a := p.attempt(c, rules.ViaTransparent)
	p.findOriginal(c, &a, find)
	switch d := p.previewAddress(a); {
	case a.Fault == rules.Self || d.Reason == rules.Self:
		a.Provisional = true // its bytes would not matter
		p.cfg.Gate.Decide(a)
		peek.Reset(c.TCP)
	case d.Opaque():
		p.judgeAndRelay(ctx, c, sniffResult{}, a)
	case d.Allowed() && !d.Would && !clientSpeaksFirst(a.Original.Port()) && !(d.ByPin() && p.clientSpoke(c)):
		p.tunnel(ctx, c, a, redirectReply{})
	default:
		p.byFirstBytes(ctx, c, a, d)
	}
}

// pinWait is how long a client at a pinned address may take to send its first byte. After that
// time the proxy assumes that the server sends first. So the server's greeting is delayed by
// pinWait.
const pinWait = 30 * time.Millisecond

// clientSpoke reports whether the client sends something first. Many names can share an address.
// So at a pinned address the client's bytes are judged first: they may show a permitted name that
// is not among the names of the pin.
func (p *Proxy) clientSpoke(c *client) bool {
	if len(c.Bytes) > 0 {
		return true
	}
	c.Deadline(p.cfg.pinWait)
	defer c.Deadline(0)
	return !errors.Is(p.await(c, hello.MaxRecords+hello.RecordHeader), os.ErrDeadlineExceeded)
}

// findOriginal fills in the original destination. It sets a fault if nothing brought the connection
// here, or if the kernel does not know the original destination.
func (p *Proxy) findOriginal(c *client, a *rules.Attempt, find finder) {
	original, err := find(c.TCP)
	if err != nil && c.behind != nil && c.behind.dest.IsValid() {
		original, err = c.behind.dest, nil // the packet filter did not redirect it: the balancer connected to this listener
		if original == unmapped(c.TCP.LocalAddr()) {
			err = errors.New("the connection was not redirected")
		}
	}
	switch {
	case err != nil:
		a.Fault, a.Detail = rules.Self, err.Error()
	case p.cfg.Pinned != nil:
		a.Pinned = p.cfg.Pinned(c.addr.Addr(), original.Addr())
	}
	a.Original, a.Dest, a.ByAddress = original, original, true
	p.findName(a)
}

// findName turns the question about a synthetic address into the question about the name that it
// stands for. If no name is known, the question stays about the address, and the policy denies it,
// unless a redirected flow shows a name that has the address.
func (p *Proxy) findName(a *rules.Attempt) {
	if a.Fault != rules.ReasonNone || !a.Authority.IsZero() || p.cfg.SyntheticName == nil {
		return
	}
	if name, synthetic := p.cfg.SyntheticName(a.Generation, a.Client.Addr(), a.Dest.Addr()); synthetic && !name.IsZero() {
		a.Authority, a.Original, a.Pinned = name, a.Dest, nil
		a.ByAddress, a.Dest = false, netip.AddrPortFrom(netip.Addr{}, a.Dest.Port())
	}
}

// redirectedFrom returns where a connection was headed before REDIRECT changed its destination.
func (p *Proxy) redirectedFrom(conn *net.TCPConn) (netip.AddrPort, error) {
	local := unmapped(conn.LocalAddr())
	original, err := p.cfg.originalDst(conn)
	switch {
	case err != nil:
		return local, fmt.Errorf("not redirected, or not tracked: %w", err)
	case original == local:
		return local, errors.New("the connection was not redirected")
	}
	return original, nil
}

// divertedFrom returns where a connection was headed that TPROXY brought here. The Gate finds out
// whether that is a listener of sallyport itself.
func (p *Proxy) divertedFrom(conn *net.TCPConn) (netip.AddrPort, error) {
	return p.cfg.localDst(conn), nil
}

// previewAddress previews the answer about the destination alone, before any byte is read.
func (p *Proxy) previewAddress(a rules.Attempt) rules.Decision {
	a.Provisional = true
	return p.cfg.Gate.Preview(a)
}

// clientSpeaksFirst reports whether a client of the port's protocol sends first and must show a
// name.
func clientSpeaksFirst(port uint16) bool { return port == portTLS || port == portHTTP }

// byFirstBytes waits for the client's first bytes and judges by them. ahead is the preview
// about the destination alone.
func (p *Proxy) byFirstBytes(ctx context.Context, c *client, a rules.Attempt, ahead rules.Decision) {
	c.idle.Store(true) // nothing is granted yet: a drain does not wait long
	byAddress := ahead.Allowed() && !clientSpeaksFirst(a.Original.Port())
	s := p.sniff(c, 0, byAddress)
	c.busy()
	c.Deadline(0)
	if p.forgedHeader(c, a.Via) {
		s = forged()
	}
	timedOut := errors.Is(s.err, os.ErrDeadlineExceeded)
	switch silent := len(c.Bytes) == 0 && s.err != nil; {
	case silent && byAddress && (timedOut || s.err == io.EOF):
		p.tunnel(ctx, c, a, redirectReply{}) // perhaps the client waits for the server
	case silent && timedOut && !a.Authority.IsZero() && !ahead.Allowed():
		a.Provisional, a.Shown = true, rules.ShownSilent // the address shows the name, so no byte would change the answer
		c.refuse(s, a, p.cfg.Gate.Decide(a))
	case silent && !timedOut:
		p.closedSilent(a, ahead)
	case s.http && s.fault == rules.ReasonNone:
		p.serveHTTP(ctx, c, &redirectedSource{attempt: a})
	default:
		if timedOut && p.draining.Load() {
			s.fault, s.detail = rules.Draining, ""
		}
		s.notTLS(c.Bytes, a.Original.Port())
		s.addTo(&a)
		if byName(&a); a.Fault >= rules.Limit { // the bytes were not seen
			a.Dest = netip.AddrPortFrom(netip.Addr{}, a.Original.Port())
		}
		p.judgeAndRelay(ctx, c, s, a)
	}
}

// closedSilent ends a connection that its client closed without sending a byte. If the destination
// is permitted, closedSilent only counts the connection. If not, it records a denial for that
// address and port: a port scan looks like this.
func (p *Proxy) closedSilent(a rules.Attempt, ahead rules.Decision) {
	if ahead.Allowed() && !ahead.Would {
		p.count.empty.Add(1)
		return
	}
	a.Provisional = !ahead.Allowed() // in mode "audit" only the final answer is recorded
	a.Shown = rules.ShownSilent
	p.cfg.Gate.Decide(a)
}

// notTLS corrects the result on port 443 if the first bytes are not TLS: whatever follows them,
// the flow is not TLS.
func (s *sniffResult) notTLS(b []byte, port uint16) {
	if port == portTLS && !s.tls && len(b) > 0 && s.fault < rules.Limit {
		s.shown, s.fault, s.detail = rules.ShownOpaque, rules.ReasonNone, hello.FirstByteText(b[0])
	}
}

// byName turns the question about a redirected flow into one about the name that it showed, if
// it showed one. The proxy then resolves that name itself.
func byName(a *rules.Attempt) {
	if a.SNI.IsZero() && a.Host.IsZero() {
		return
	}
	a.ByAddress, a.Dest = false, netip.AddrPortFrom(netip.Addr{}, a.Original.Port())
}

// judgeAndRelay serves a flow after its first bytes: it judges, connects and relays the flow.
func (p *Proxy) judgeAndRelay(ctx context.Context, c *client, s sniffResult, a rules.Attempt) {
	d := p.decideUnresolved(&a)
	if !d.Allowed() {
		c.refuse(s, a, d)
		return
	}
	up, a, d, err := p.dialJudged(ctx, d, a, true)
	if err != nil {
		var denied *deniedError
		if errors.As(err, &denied) {
			c.refuse(s, denied.a, denied.d)
		} else {
			peek.Reset(c.TCP) // as if the destination had not answered
		}
		return
	}
	defer up.Close()
	f := p.openFlow(c, up, a, d)
	cause := rules.EndReset
	defer func() { f.done(cause) }()
	if d.Opaque() {
		s = sniffResult{} // nothing that follows is inspected
	}
	if !f.outdated() {
		cause = f.relay(s)
	}
}

// decideUnresolved asks about a flow whose addresses are not known yet. The first bytes are known,
// so the answer covers them too. Only a denial is recorded. If the proxy did not read the first
// bytes because of a limit, the answer does not cover them.
func (p *Proxy) decideUnresolved(a *rules.Attempt) rules.Decision {
	a.Provisional = a.Fault >= rules.Limit
	if d := p.cfg.Gate.Preview(*a); d.Allowed() {
		return d
	}
	return p.cfg.Gate.Decide(*a)
}

// A redirectReply sends nothing: the client believes that it is connected to its destination.
type redirectReply struct{}

func (redirectReply) granted(*client) error { return nil }

func (redirectReply) denied(c *client, _ rules.Attempt, _ rules.Decision) { peek.Reset(c.TCP) }

func (redirectReply) failed(c *client, _ rules.Attempt, _ *dialError) { peek.Reset(c.TCP) }
