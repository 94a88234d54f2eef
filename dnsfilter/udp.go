// UDP: reads queries from datagrams and writes replies.

package dnsfilter

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// packetConn has the methods of *net.UDPConn that the filter uses. They
// allocate nothing per datagram.
type packetConn interface {
	net.PacketConn
	syscall.Conn
	WriteMsgUDPAddrPort(b, control []byte, addr netip.AddrPort) (n, controlled int, err error)
}

// maxQuery bounds the queries that are read. Real queries have about 60 bytes.
const maxQuery = 4096

// ListenPackets opens n UDP sockets on one address. With n > 1 the kernel
// spreads the clients among them (SO_REUSEPORT); one socket per processor is
// the cheapest. An address in use is an error, even if the kernel would share
// it among the processes of one user. network is "udp4" or "udp6" for one
// family, and "udp" for both if addr is [::]. beside means that this process
// already has the port, on every address and with several sockets. Then
// datagrams to addr go to the new sockets, and replies leave from addr.
func ListenPackets(ctx context.Context, network string, addr netip.AddrPort, n int, beside bool) ([]net.PacketConn, error) {
	var lc net.ListenConfig
	if beside {
		lc.Control = reusePort
	} else if n > 1 {
		first, err := lc.ListenPacket(ctx, network, addr.String()) // fails if the address is in use
		if err != nil {
			return nil, err
		}
		first.Close()
		lc.Control = reusePort
	}
	var conns []net.PacketConn
	for range max(1, n) {
		pc, err := lc.ListenPacket(ctx, network, addr.String())
		if err != nil {
			for _, c := range conns {
				c.Close()
			}
			return nil, err
		}
		conns = append(conns, pc)
		if addr.Port() == 0 { // the other sockets use the port of the first
			if local, err := netip.ParseAddrPort(pc.LocalAddr().String()); err == nil {
				addr = netip.AddrPortFrom(addr.Addr(), local.Port())
			}
		}
	}
	return conns, nil
}

// reusePort sets SO_REUSEPORT on a socket.
func reusePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}

// readPackets answers datagrams until ctx ends.
func (s *service) readPackets(ctx context.Context, pc *socket[packetConn]) {
	b, err := newBatch(pc.conn)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	for errs := 0; ; {
		err := b.receive()
		pc.returns.Add(1)
		switch {
		case err == nil:
			errs = 0
			s.packets(ctx, pc.conn, b)
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
			pc.wake(time.Time{})
			if ctx.Err() != nil { // this replaced the deadline that ends the other readers of this socket
				pc.wake(past)
				return
			}
		default: // perhaps an ICMP error about an earlier reply
			if errs++; errs > 100 || errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				s.fail(ctx, err)
				return
			}
		}
	}
}

// packets answers the datagrams of a batch. Their replies leave together, so they have
// the same latency.
func (s *service) packets(ctx context.Context, pc packetConn, b *batch) {
	arrived := s.f.cfg.Now()
	for i := range b.n {
		s.packet(ctx, pc, b, i, arrived)
	}
	s.f.report(&b.tally, arrived)
	b.send()
}

// packet answers one datagram of a batch: with the batch, or, if an upstream must be
// asked first, alone in a new goroutine.
func (s *service) packet(ctx context.Context, pc packetConn, b *batch, i int, arrived time.Time) {
	from := b.from(i)
	q := query{msg: b.query(i), client: rules.ClientAddr(from), proto: rules.UDP, arrived: arrived, tally: &b.tally}
	defer s.f.recovered(&q)
	reply, p := s.f.handle(&q, b.room(i))
	if p != nil {
		p.q.tally = nil
		s.writers.Add(1)
		go s.finishPacket(ctx, pc, from, append(make([]byte, 0, controlSize+maxUDP), b.control(i)...), p)
		return
	}
	if len(reply) > 0 && from.Port() != 0 {
		b.answer(i, reply)
	}
}

// finishPacket answers a pending query. control is the control message of the reply. The reply is
// written after it, into the same memory.
func (s *service) finishPacket(ctx context.Context, pc packetConn, from netip.AddrPort, control []byte, p *pending) {
	defer s.writers.Done()
	defer s.f.recovered(&p.q)
	reply := s.f.finish(context.WithoutCancel(ctx), p, control[len(control):])
	if len(reply) > 0 && from.Port() != 0 {
		pc.WriteMsgUDPAddrPort(reply, control, from)
	}
}
