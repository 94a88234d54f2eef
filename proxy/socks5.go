// SOCKS5: CONNECT by name or address, and UDP ASSOCIATE (RFC 1928), with a login where the client's users have one (RFC 1929).

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"

	"github.com/things-go/go-socks5"
	"github.com/things-go/go-socks5/statute"

	"sallyport/rules"
	"sallyport/rules/proxyheader"
)

// ServeSOCKS5 serves SOCKS5 clients on l until ctx ends or Drain begins; see serve.
func (p *Proxy) ServeSOCKS5(ctx context.Context, l net.Listener) error {
	server := socks5.NewServer(
		socks5.WithResolver(noResolver{}),
		socks5.WithRule(socks5.NewPermitAll()), // the tunnel judges the complete request
		socks5.WithConnectHandle(handOver),
		socks5.WithBindHandle(handOver),
		socks5.WithAssociateHandle(handOver),
	)
	return p.serve(ctx, l, frontEnd{via: rules.ViaSOCKS5, handle: socksHandler{p, server}.handle})
}

// noResolver keeps the library from resolving a name before it is judged.
type noResolver struct{}

// Resolve does nothing.
func (noResolver) Resolve(ctx context.Context, _ string) (context.Context, net.IP, error) {
	return ctx, nil, nil
}

type socksHandler struct {
	p      *Proxy
	server *socks5.Server
}

// handle serves one connection. The library negotiates. It sees the socket through a socksConn,
// which hands on only complete, well-formed messages and keeps all bytes after them for the
// tunnel.
func (h socksHandler) handle(ctx context.Context, c *client) {
	p := h.p
	s := &socksConn{c: c, p: p}
	err := h.server.ServeConn(s)
	switch {
	case s.udp:
		c.Deadline(0)
		p.associate(ctx, c, *s.request, netip.AddrPortFrom(s.req.dest.Addr, s.req.dest.Port))
	case s.request != nil:
		c.Deadline(0)
		p.tunnel(ctx, c, *s.request, socksReply{})
	case s.empty:
		p.count.empty.Add(1)
	case s.fault != nil:
		a := p.attempt(c, rules.ViaSOCKS5)
		a.Fault, a.Detail, a.Raw = s.fault.reason, s.fault.detail, s.fault.raw
		if s.stage == 0 && proxyheader.Begins(c.Bytes) {
			a.Detail = proxyheader.Unexpected
		}
		a.Authority, a.Dest = s.fault.dest.Name, netip.AddrPortFrom(s.fault.dest.Addr, s.fault.dest.Port)
		p.cfg.Gate.Decide(a)
		if len(s.fault.reply) > 0 {
			c.TCP.Write(s.fault.reply)
			c.HangUp()
		}
	case err != nil:
		a := p.attempt(c, rules.ViaSOCKS5)
		a.Fault, a.Detail = rules.MalformedRequest, err.Error()
		p.cfg.Gate.Decide(a)
	}
}

// errRequestKnown ends the library's part: the request is known.
var errRequestKnown = errors.New("the request is known")

// handOver is the library's handler of all commands; socksConn hands on only CONNECT and UDP
// ASSOCIATE. The tunnel or association begins when the library has returned, so that no data of the
// library stays in memory during it. The library's own UDP ASSOCIATE is not used: it relays every
// datagram without a question.
func handOver(_ context.Context, w io.Writer, r *socks5.Request) error {
	s, ok := w.(*socksConn)
	if !ok || r.Command != statute.CommandConnect && r.Command != statute.CommandAssociate {
		return fmt.Errorf("command %d on %T", r.Command, w)
	}
	s.accept(r.RawDestAddr)
	return errRequestKnown
}

// socksReply answers in SOCKS5.
type socksReply struct{}

func (socksReply) granted(c *client) error { return sendReply(c, statute.RepSuccess) }

func (socksReply) denied(c *client, _ rules.Attempt, d rules.Decision) {
	sendReply(c, socksDenial(d.Why()))
}

func (socksReply) failed(c *client, _ rules.Attempt, e *dialError) { sendReply(c, socksFailure(e)) }

// socksFailure returns the reply code (RFC 1928, section 6) if a permitted destination was not
// reached.
func socksFailure(e *dialError) byte {
	switch e.cause {
	case rules.ParentRefused:
		var parent *parentError
		if errors.As(e.err, &parent) && parent.elsewhere {
			return statute.RepHostUnreachable
		}
	case rules.ParentTimedOut:
		return statute.RepHostUnreachable
	case rules.ParentUnreachable:
		return statute.RepNetworkUnreachable
	case rules.DialRefused:
		return statute.RepConnectionRefused
	case rules.DialUnreachable:
		if !errors.Is(e.err, syscall.EHOSTUNREACH) {
			return statute.RepNetworkUnreachable
		}
		return statute.RepHostUnreachable
	case rules.DialUnresolved, rules.DialNoAddress, rules.DialTimedOut:
		return statute.RepHostUnreachable
	}
	return statute.RepServerFailure
}

// socksDenial returns the reply code of a denial: 02, or 01 if the request was unreadable or
// could not be served now.
func socksDenial(r rules.Reason) byte {
	switch r {
	case rules.MalformedRequest, rules.MalformedName, rules.Limit, rules.JournalUnavailable, rules.Draining:
		return statute.RepServerFailure
	}
	return statute.RepRuleFailure
}

// sendReply writes a reply with the bound address 0.0.0.0:0, which every client ignores after
// CONNECT.
func sendReply(c *client, code byte) error {
	_, err := c.TCP.Write(replyBytes(code))
	return err
}

func replyBytes(code byte) []byte {
	return []byte{statute.VersionSocks5, code, 0, statute.ATYPIPv4, 0, 0, 0, 0, 0, 0}
}
