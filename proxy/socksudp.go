// SOCKS5 UDP: associations (RFC 1928, section 7). The datagrams of a client to the UDP port of its
// association are decided one flow at a time.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/things-go/go-socks5/statute"

	"sallyport/proxy/datagram"
	"sallyport/rules"
	"sallyport/rules/quota"
)

// An association is a UDP socket for the datagrams of one client. It ends with the TCP connection
// that asked for it. Only the address of that connection may use it. If the request named a port,
// only that port may. If the client has proven who it is, only the port of its first datagram may.
type association struct {
	p        *Proxy
	c        *client
	conn     *net.UDPConn
	group    *datagram.Group
	identity *rules.Identity // of the client, as its TCP connection proved it
	port     uint16          // of the client; 0: any
	zone     string          // of the client's link-local address

	header socksHeader // used by the goroutine that reads
	used   atomic.Bool // a datagram arrived since the last look
}

// associate serves UDP ASSOCIATE. a is the question without a destination. from is the address of
// the request: where the client sends its datagrams from.
func (p *Proxy) associate(ctx context.Context, c *client, a rules.Attempt, from netip.AddrPort) {
	by := rules.QuotaKeyOf(c.addr.Addr(), p.cfg.Gate.Preview(a).Client)
	if a.Fault, a.Detail = p.admitAssociation(c, by, from); a.Fault != rules.ReasonNone || by.Client == "" {
		d := p.cfg.Gate.Decide(a) // without a destination every answer is a denial
		sendReply(c, socksDenial(d.Why()))
		c.HangUp()
		return
	}
	defer p.associations.Release(by)
	s := &association{p: p, c: c, port: from.Port(), identity: a.Identity}
	if err := s.listen(); err != nil {
		p.log.Error("no UDP socket for a SOCKS5 association", "client", c.addr.String(), "error", err)
		a.Fault, a.Detail = rules.Limit, "no UDP socket for the association: "+err.Error()
		p.cfg.Gate.Decide(a)
		sendReply(c, statute.RepServerFailure)
		c.HangUp()
		return
	}
	s.serve(ctx)
}

// admitAssociation returns why a client must not have one more association. If it succeeds, the
// caller must release the client's place. It takes no place for an unknown client.
func (p *Proxy) admitAssociation(c *client, by rules.QuotaKey, from netip.AddrPort) (fault rules.Reason, detail string) {
	switch addr := from.Addr(); {
	case by.Client == "":
		return rules.ReasonNone, ""
	case !addr.IsUnspecified() && addr != c.addr.Addr():
		return rules.MalformedRequest, fmt.Sprintf("SOCKS5 UDP ASSOCIATE for datagrams from %v: they must come from the address of the connection, %v", addr, c.addr.Addr())
	case p.draining.Load():
		return rules.Draining, ""
	}
	switch p.associations.Acquire(by) {
	case quota.OverQuota:
		return rules.Limit, "the client's quota of associations is reached (a quarter of limits.udp_flows)"
	case quota.OverLimit:
		return rules.Limit, "as many associations are open as limits.udp_flows"
	}
	return rules.ReasonNone, ""
}

// listen opens the socket on the address that the client has connected to.
func (s *association) listen() (err error) {
	at := unmapped(s.c.TCP.LocalAddr()).Addr()
	network := "udp4"
	if at.Is6() {
		network = "udp6"
	}
	s.zone = at.Zone()
	if s.conn, err = net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0))); err == nil {
		s.p.ports.opened(s.conn)
	}
	return err
}

// serve answers the request and relays until the TCP connection ends, the association is idle, or
// a drain finds no flow.
func (s *association) serve(ctx context.Context) {
	s.group = s.p.datagrams.Group(datagram.FrontEnd{Ask: s.ask, Open: s.open})
	cause := rules.EndReset
	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { s.group.Close(cause) }()
	defer s.p.ports.closed(s.conn)
	bound := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	reply := append([]byte{statute.VersionSocks5, statute.RepSuccess, 0}, appendSOCKSHeader(nil, bound)[3:]...)
	if _, err := s.c.TCP.Write(reply); err != nil {
		return
	}
	reading.Go(func() { s.read(ctx) })
	ended := make(chan struct{})
	defer close(ended)
	go s.wake(ended)
	cause = s.hold()
}

// wake ends the wait of hold when a drain begins.
func (s *association) wake(ended <-chan struct{}) {
	select {
	case <-s.p.drained:
		s.c.TCP.SetReadDeadline(time.Unix(1, 0))
	case <-ended:
	}
}

const (
	// idleLooks is how often hold looks whether the association is idle during Limits.Idle.
	idleLooks = 8
	// drainLook is how often hold looks during a drain whether the last flow has ended.
	drainLook = 50 * time.Millisecond
)

// hold returns when the association must end, and why. What the client sends on its connection is
// discarded.
func (s *association) hold() rules.Cause {
	s.c.Discard(len(s.c.Bytes))
	var b [512]byte
	for silent := 0; ; {
		next := s.p.limits.Idle / idleLooks
		drains := s.p.draining.Load()
		if drains {
			next = min(next, drainLook)
		}
		s.c.TCP.SetReadDeadline(time.Now().Add(next))
		if !drains && s.p.draining.Load() { // wake may have set its deadline before this one
			continue
		}
		err := error(nil)
		for err == nil {
			_, err = s.c.TCP.Read(b[:])
		}
		open := s.group.Flows() > 0
		switch {
		case errors.Is(err, io.EOF):
			return rules.EndClean
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return rules.EndReset
		case s.p.draining.Load() && !open:
			return rules.EndDrain
		case s.used.Swap(false) || open:
			silent = 0
		default:
			if silent++; silent >= idleLooks {
				return rules.EndIdle
			}
		}
	}
}

// maxReadErrors bounds the errors of the socket that follow each other.
const maxReadErrors = 128

// read hands on what arrives at the socket, until it is closed.
func (s *association) read(ctx context.Context) {
	defer s.p.recovered(s.c, rules.ViaSOCKS5)
	b := make([]byte, datagram.MaxContent)
	for errs := 0; errs < maxReadErrors; {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		switch {
		case err == nil:
			errs = 0
			s.arrived(ctx, rules.ClientAddr(from), b[:n])
		case errors.Is(err, net.ErrClosed):
			return
		default:
			errs++
		}
	}
	s.c.TCP.Close() // ends hold
}

// arrived serves one datagram.
func (s *association) arrived(ctx context.Context, from netip.AddrPort, b []byte) {
	if from.Addr() != s.c.addr.Addr() || s.port != 0 && from.Port() != s.port {
		s.refuse(datagram.OtherClient, rules.Attempt{Client: from, Fault: rules.MalformedRequest,
			Detail: "datagram to the SOCKS5 association of another client or port: " + s.c.addr.Addr().String()})
		return
	}
	s.used.Store(true)
	to, n, f := s.header.parse(b)
	if f == nil && s.identity != nil {
		s.port = from.Port() // other users may have the same address, on one host or behind one router
	}
	switch {
	case f != nil:
		s.refuse(datagram.Malformed, rules.Attempt{Client: from, SourceProven: true, Identity: s.identity, Fault: f.reason, Detail: f.detail, Raw: f.raw,
			Authority: f.dest.Name, Dest: netip.AddrPortFrom(f.dest.Addr, f.dest.Port)})
	case to.Port == portDNS:
		s.query(ctx, from, to, b[:n], b[n:])
	default:
		s.group.Send(from, to, b[n:])
	}
}

// portDNS is the port whose datagrams the DNS filter answers.
const portDNS = 53

// query lets the DNS filter answer, whatever the destination. The answer has the header of the
// query, so that it comes from where the client sent the query to.
func (s *association) query(ctx context.Context, from netip.AddrPort, to rules.Authority, header, query []byte) {
	if s.p.cfg.AnswerDNS == nil {
		s.refuse(datagram.Denied, rules.Attempt{Client: from, SourceProven: true, Identity: s.identity, Fault: rules.MalformedRequest, Detail: "DNS query without a DNS filter",
			Authority: to.Name, Dest: netip.AddrPortFrom(to.Addr, to.Port)})
		return
	}
	reply := append(make([]byte, 0, 1500), header...)
	s.p.cfg.AnswerDNS(ctx, from, s.identity, query, func(answer []byte) {
		if _, err := s.conn.WriteToUDPAddrPort(append(reply, answer...), s.zoned(from)); err != nil {
			s.p.datagrams.Drop(datagram.Unreplied)
		}
	})
}

// refuse records a datagram that no flow can be made of.
func (s *association) refuse(why datagram.Drop, a rules.Attempt) {
	a.Generation, a.Flow, a.Via, a.Proto = s.p.cfg.Generation(), s.p.cfg.NextFlow(), rules.ViaSOCKS5, rules.UDP
	s.p.cfg.Gate.Decide(a)
	s.p.datagrams.Drop(why)
}

// ask returns the question about a flow. The TCP connection proves the client's address: only who
// guesses the port of the association can forge a datagram. A synthetic address stands for its
// name. Any other address that the DNS filter gave to the client stands for the names that it was
// asked for.
func (s *association) ask(from netip.AddrPort, to rules.Authority) rules.Attempt {
	a := rules.Attempt{Via: rules.ViaSOCKS5, SourceProven: true, Identity: s.identity, Authority: to.Name, Dest: netip.AddrPortFrom(to.Addr, to.Port)}
	if !to.Name.IsZero() {
		return a
	}
	a.Generation, a.Client = s.p.cfg.Generation(), from
	if s.p.findName(&a); a.Authority.IsZero() && s.p.cfg.Pinned != nil {
		a.Pinned = s.p.cfg.Pinned(from.Addr(), to.Addr)
	}
	return a
}

// open returns the way back to the client. The header of the replies has the address that the client
// sends to, or, if the client sends to a name, the address that was dialed.
func (s *association) open(client netip.AddrPort, to rules.Authority, from netip.AddrPort) (datagram.Replier, error) {
	r := &socksReplier{conn: s.conn, to: s.zoned(client)}
	if to.Addr.IsValid() {
		from = netip.AddrPortFrom(to.Addr, to.Port)
	}
	r.n = len(appendSOCKSHeader(r.header[:0], from))
	return r, nil
}

// zoned returns a client's address with the zone that the kernel needs.
func (s *association) zoned(a netip.AddrPort) netip.AddrPort {
	if s.zone == "" {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(s.zone), a.Port())
}

// A socksReplier sends the replies of one flow to its client.
type socksReplier struct {
	conn   *net.UDPConn
	to     netip.AddrPort
	header [maxReplyHeader]byte
	n      int // length of header
}

// Reply sends b with the header of the flow in front.
func (r *socksReplier) Reply(b []byte) error {
	b = b[datagram.Headroom-r.n:]
	copy(b, r.header[:r.n])
	_, err := r.conn.WriteToUDPAddrPort(b, r.to)
	return err
}

// Close does nothing: the socket belongs to the association.
func (r *socksReplier) Close() {}
