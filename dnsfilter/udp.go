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

// packetConn is what of *net.UDPConn is used: no allocation per datagram.
type packetConn interface {
	net.PacketConn
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

// maxQuery bounds the queries that are read; real ones have some 60 octets.
const maxQuery = 4096

// ListenPackets opens n UDP sockets on one address, among which the system
// spreads the clients (SO_REUSEPORT when n > 1). One for each processor costs
// least for a query. An address that somebody else has is an error, also where
// the system would share it among the processes of one user. network is "udp4"
// or "udp6" for that family alone, "udp" for both where addr is [::]. With beside
// this process has the port already, on every address and by more than one
// socket: what is for addr then comes to the new ones, and is answered from it.
func ListenPackets(ctx context.Context, network string, addr netip.AddrPort, n int, beside bool) ([]net.PacketConn, error) {
	var lc net.ListenConfig
	if beside {
		lc.Control = reusePort
	} else if n > 1 {
		first, err := lc.ListenPacket(ctx, network, addr.String()) // shares with nobody
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
		if addr.Port() == 0 { // the others join the port that the first was given
			if local, err := netip.ParseAddrPort(pc.LocalAddr().String()); err == nil {
				addr = netip.AddrPortFrom(addr.Addr(), local.Port())
			}
		}
	}
	return conns, nil
}

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
			if ctx.Err() != nil { // that hid the deadline which ends the other readers of this socket
				pc.wake(past)
				return
			}
		default: // perhaps an ICMP error about some earlier reply
			if errs++; errs > 100 || errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				s.fail(ctx, err)
				return
			}
		}
	}
}

// packet answers one datagram, at once or, when an upstream has to be asked,
// in a goroutine of its own.
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

func (s *service) finishPacket(ctx context.Context, pc packetConn, from netip.AddrPort, p *pending) {
	defer s.writers.Done()
	defer s.f.recovered(&p.q)
	reply := s.f.finish(context.WithoutCancel(ctx), p, make([]byte, 0, maxUDP))
	if len(reply) > 0 && from.Port() != 0 {
		pc.WriteToUDPAddrPort(reply, from)
	}
}
