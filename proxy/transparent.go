// Transparent: connections that a packet filter redirected, from clients that
// know of no proxy. Their bytes tell what they are, not their port.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"sallyport/proxy/hello"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// ServeTransparent serves connections that were redirected to l, of both
// families and to any original port, until ctx ends or Drain begins.
//
// A flow that shows a name, in a ClientHello or in the Host of each request,
// is connected to our own resolution of that name, wherever the client was
// headed. One that shows none goes where it was headed, if a rule names that
// address or the client was told it for a permitted name. Nothing is connected
// to before the verdict. A connection that was not redirected is denied.
func (p *Proxy) ServeTransparent(ctx context.Context, l net.Listener) error {
	return p.serve(ctx, l, frontEnd{via: rules.ViaTransparent, handle: p.handleRedirected})
}

// handleRedirected finds out how a connection has to be judged: by its address
// alone, or by what it shows.
func (p *Proxy) handleRedirected(ctx context.Context, c *client) {
	a := p.attempt(c, rules.ViaTransparent)
	p.findOriginal(c, &a)
	switch d := p.previewAddress(a); {
	case a.Fault == rules.Self || d.Reason == rules.Self:
		a.Provisional = true // whatever it would show
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

// pinWait is how long a client at a pinned address may take to speak before its
// server is taken to speak first. A server's greeting waits as long.
const pinWait = 30 * time.Millisecond

// clientSpoke tells whether the client says something by itself. Many names can
// share an address, so what a client at a pinned one shows comes first: it may
// name another permitted name than those that the pin is known for.
func (p *Proxy) clientSpoke(c *client) bool {
	c.Deadline(p.cfg.pinWait)
	defer c.Deadline(0)
	return !errors.Is(p.await(c, hello.MaxRecords+hello.RecordHeader), os.ErrDeadlineExceeded)
}

// findOriginal fills in where the connection was headed. One that was not
// redirected, or of which nobody knows, is a fault.
func (p *Proxy) findOriginal(c *client, a *rules.Attempt) {
	local := unmapped(c.TCP.LocalAddr())
	original, err := p.cfg.originalDst(c.TCP)
	switch {
	case err != nil:
		original, a.Fault, a.Detail = local, rules.Self, "not redirected, or not tracked: "+err.Error()
	case original == local:
		a.Fault, a.Detail = rules.Self, "the connection was not redirected"
	case p.cfg.Pinned != nil:
		a.Pinned = p.cfg.Pinned(c.addr.Addr(), original.Addr())
	}
	a.Original, a.Dest, a.ByAddress = original, original, true
}

// previewAddress previews the answer about the destination alone, before any byte is
// read.
func (p *Proxy) previewAddress(a rules.Attempt) rules.Decision {
	a.Provisional = true
	return p.cfg.Gate.Preview(a)
}

// clientSpeaksFirst tells of the ports whose protocol begins with the client
// and has to show a name.
func clientSpeaksFirst(port uint16) bool { return port == portTLS || port == portHTTP }

// byFirstBytes awaits what the client shows and goes by that. ahead is what the
// policy says of the destination alone.
func (p *Proxy) byFirstBytes(ctx context.Context, c *client, a rules.Attempt, ahead rules.Decision) {
	c.idle.Store(true) // nothing is granted yet: a drain does not wait long
	byAddress := ahead.Allowed() && !clientSpeaksFirst(a.Original.Port())
	s := p.sniff(c, 0, byAddress)
	c.busy()
	c.Deadline(0)
	timedOut := errors.Is(s.err, os.ErrDeadlineExceeded)
	switch silent := len(c.Bytes) == 0 && s.err != nil; {
	case silent && byAddress && (timedOut || s.err == io.EOF):
		p.tunnel(ctx, c, a, redirectReply{}) // perhaps the client only listens
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
		if byName(&a); a.Fault >= rules.Limit { // nobody knows what it would have shown
			a.Dest = netip.AddrPortFrom(netip.Addr{}, a.Original.Port())
		}
		p.judgeAndRelay(ctx, c, s, a)
	}
}

// closedSilent is the end of a connection that its client closed without a byte. One
// to a permitted destination is only counted; what a client tries elsewhere, as
// a scan of ports does, is denied for that address and port.
func (p *Proxy) closedSilent(a rules.Attempt, ahead rules.Decision) {
	if ahead.Allowed() && !ahead.Would {
		p.count.empty.Add(1)
		return
	}
	a.Provisional = !ahead.Allowed() // in mode "audit" only the final answer is on record
	a.Shown = rules.ShownSilent
	p.cfg.Gate.Decide(a)
}

// notTLS settles what begins like no TLS on the port that carries nothing
// else: whatever may have followed, it was not TLS.
func (s *sniffResult) notTLS(b []byte, port uint16) {
	if port == portTLS && !s.tls && len(b) > 0 && s.fault < rules.Limit {
		s.shown, s.fault, s.detail = rules.ShownOpaque, rules.ReasonNone, hello.FirstByteText(b[0])
	}
}

// byName makes the question about a redirected flow one about the name that it
// showed, if it showed one. Its address is then for our resolver to say.
func byName(a *rules.Attempt) {
	if a.SNI.IsZero() && a.Host.IsZero() {
		return
	}
	a.ByAddress, a.Dest = false, netip.AddrPortFrom(netip.Addr{}, a.Original.Port())
}

// judgeAndRelay takes a flow that has shown what it ever will before its verdict:
// it is judged, connected and relayed.
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
		s = sniffResult{} // whatever follows what it showed
	}
	if !f.outdated() {
		cause = f.relay(s)
	}
}

// decideUnresolved asks about a flow whose addresses are not known yet. Its content is,
// so that the answer is about that too; only a denial is on record. Where a
// limit kept the content unseen the answer is not about it.
func (p *Proxy) decideUnresolved(a *rules.Attempt) rules.Decision {
	a.Provisional = a.Fault >= rules.Limit
	if d := p.cfg.Gate.Preview(*a); d.Allowed() {
		return d
	}
	return p.cfg.Gate.Decide(*a)
}

// redirectReply has nothing to say: the client takes itself for connected to
// its destination.
type redirectReply struct{}

func (redirectReply) granted(*client) error { return nil }

func (redirectReply) denied(c *client, _ rules.Attempt, _ rules.Decision) { peek.Reset(c.TCP) }

func (redirectReply) failed(c *client, _ rules.Attempt, _ *dialError) { peek.Reset(c.TCP) }
