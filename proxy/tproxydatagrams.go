// Diverted datagrams: datagrams that the packet filter's TPROXY brought here. Each flow is decided
// by its original destination, and answered from there.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"sallyport/proxy/datagram"
	"sallyport/rules"
)

// ServeTPROXYDatagrams serves datagrams that TPROXY delivered to socket, until ctx ends. It closes
// socket.
//
// A flow goes to its original destination, if a rule names that address, or if the DNS filter gave
// it to the client for a permitted name. Its replies have the destination's address as their source.
func (p *Proxy) ServeTPROXYDatagrams(ctx context.Context, socket *DivertedSocket) error {
	conn := socket.conn
	s := &diverter{p: p, conn: conn, reply: socket.replies.open}
	defer socket.Close()
	s.group = p.datagrams.Group(datagram.FrontEnd{Ask: s.ask, Open: s.open})
	loop := p.loops.enter(datagramSocket{conn}, rules.ViaUDP)
	defer p.loops.leave(loop)
	defer s.group.Close(rules.EndDrain)
	closed := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(closed)
		<-ctx.Done()
		conn.Close()
	}()
	defer func() { cancel(); <-closed }()
	err := s.read(loop)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A datagramSocket is the socket of a loop in the form that the watchdog wakes.
type datagramSocket struct{ conn *net.UDPConn }

// Addr returns the address that the socket is bound to.
func (s datagramSocket) Addr() net.Addr { return s.conn.LocalAddr() }

// SetDeadline ends a blocked read at t.
func (s datagramSocket) SetDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// A diverter reads the datagrams of one socket.
type diverter struct {
	p     *Proxy
	conn  *net.UDPConn
	group *datagram.Group
	reply func(from, to netip.AddrPort) (datagram.Replier, error)
}

// maxControl is enough for the original destination and what a kernel may add.
const maxControl = 128

// read hands on what arrives, until the socket is closed.
func (s *diverter) read(loop *acceptLoop) error {
	b, control := make([]byte, datagram.MaxContent), make([]byte, maxControl)
	for {
		n, c, _, from, err := s.conn.ReadMsgUDPAddrPort(b, control)
		loop.turns.Add(1)
		switch {
		case err == nil:
			s.arrived(rules.ClientAddr(from), b[:n], control[:c])
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("tproxy socket %v was closed: %w", s.conn.LocalAddr(), err)
		case errors.Is(err, os.ErrDeadlineExceeded):
			loop.woken()
		default:
			s.p.count.acceptErrors.Add(1)
			s.p.log.Warn("reading a datagram failed", "socket", s.conn.LocalAddr().String(), "error", err)
			time.Sleep(minPause)
		}
	}
}

// arrived serves one datagram.
func (s *diverter) arrived(from netip.AddrPort, b, control []byte) {
	defer s.recovered(from)
	to, err := originalOf(control)
	switch {
	case err != nil:
		s.refuse(from, netip.AddrPort{}, rules.MalformedRequest, "not brought here by TPROXY: "+err.Error())
	case to.Port() == portDNS:
		s.refuse(from, to, rules.MalformedRequest, "a DNS query to [listen] tproxy: the packet filter must redirect port 53 to [listen] dns, as sallyport nft does")
	default:
		s.group.Send(from, rules.Authority{Addr: to.Addr(), Port: to.Port()}, b)
	}
}

// refuse records a datagram that no flow can be made of.
func (s *diverter) refuse(from, to netip.AddrPort, fault rules.Reason, detail string) {
	a := s.ask(from, rules.Authority{Addr: to.Addr(), Port: to.Port()})
	a.Flow, a.Proto = s.p.cfg.NextFlow(), rules.UDP
	a.Fault, a.Detail = fault, detail
	s.p.cfg.Gate.Decide(a)
	s.p.datagrams.Drop(datagram.Denied)
}

// recovered turns a panic about one datagram into a denial. It must be deferred directly.
func (s *diverter) recovered(from netip.AddrPort) {
	if v := recover(); v != nil {
		s.p.count.panics.Add(1)
		s.p.log.Error("panic while serving a datagram", "client", from.String(), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		s.refuse(from, netip.AddrPort{}, rules.MalformedRequest, "internal error while serving a datagram")
	}
}

// ask returns the question about a flow. Nothing proves the client's address. A synthetic address
// stands for its name.
func (s *diverter) ask(from netip.AddrPort, to rules.Authority) rules.Attempt {
	dest := netip.AddrPortFrom(to.Addr, to.Port)
	a := rules.Attempt{Generation: s.p.cfg.Generation(), Client: from, Via: rules.ViaUDP, Dest: dest, Original: dest, ByAddress: true}
	if !dest.IsValid() {
		return a
	}
	if s.p.findName(&a); a.Authority.IsZero() && s.p.cfg.Pinned != nil {
		a.Pinned = s.p.cfg.Pinned(from.Addr(), dest.Addr())
	}
	return a
}

// open returns the way back to the client, from the original destination.
func (s *diverter) open(client netip.AddrPort, to rules.Authority, _ netip.AddrPort) (datagram.Replier, error) {
	r, err := s.reply(netip.AddrPortFrom(to.Addr, to.Port), client)
	if err != nil {
		s.p.log.Error("no way to reply to a datagram", "client", client.String(), "to", to.String(), "error", err)
	}
	return r, err
}
