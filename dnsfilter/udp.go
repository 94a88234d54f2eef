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
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
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
	buf, out := make([]byte, maxQuery), make([]byte, 0, maxQuery)
	for errs := 0; ; {
		n, from, err := pc.conn.ReadFromUDPAddrPort(buf)
		pc.returns.Add(1)
		switch {
		case err == nil:
			errs = 0
			s.packet(ctx, pc.conn, buf[:n], from, out)
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

// packet answers one datagram: at once, or, if an upstream must be asked first,
// in a new goroutine.
func (s *service) packet(ctx context.Context, pc packetConn, m []byte, from netip.AddrPort, out []byte) {
	q := query{msg: m, client: rules.ClientAddr(from), proto: rules.UDP}
	defer s.f.recovered(&q)
	reply, p := s.f.handle(&q, out)
	if p != nil {
		s.writers.Add(1)
		go s.finishPacket(ctx, pc, from, p)
		return
	}
	if len(reply) > 0 && from.Port() != 0 {
		pc.WriteToUDPAddrPort(reply, from)
	}
}

// finishPacket answers a pending query.
func (s *service) finishPacket(ctx context.Context, pc packetConn, from netip.AddrPort, p *pending) {
	defer s.writers.Done()
	defer s.f.recovered(&p.q)
	reply := s.f.finish(context.WithoutCancel(ctx), p, make([]byte, 0, maxUDP))
	if len(reply) > 0 && from.Port() != 0 {
		pc.WriteToUDPAddrPort(reply, from)
	}
}
