// Sockets of TPROXY: they have addresses that this host does not have, and know where a packet was
// headed.

package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inheritedTPROXY sets on a listener what its connections inherit: the keep-alive settings, and that
// they may have a local address that this host does not have.
func inheritedTPROXY(network, address string, raw syscall.RawConn) error {
	if err := inheritedKeepAlive(network, address, raw); err != nil {
		return err
	}
	return setOptions(raw, transparentOption(network))
}

// A socketOption is a setting that is switched on.
type socketOption struct {
	level, option int
	name          string
}

// transparentOption covers both families, whichever of the two it is.
func transparentOption(network string) socketOption {
	if strings.HasSuffix(network, "6") {
		return socketOption{unix.SOL_IPV6, unix.IPV6_TRANSPARENT, "IPV6_TRANSPARENT"}
	}
	return socketOption{unix.SOL_IP, unix.IP_TRANSPARENT, "IP_TRANSPARENT"}
}

func setOptions(raw syscall.RawConn, options ...socketOption) (err error) {
	set := func(fd uintptr) {
		for _, o := range options {
			if err == nil {
				err = os.NewSyscallError("setsockopt "+o.name, unix.SetsockoptInt(int(fd), o.level, o.option, 1))
			}
		}
	}
	if cerr := raw.Control(set); cerr != nil {
		return cerr
	}
	return err
}

// receiveBuffer is how much may wait in a socket for datagrams. The kernel may permit less.
const receiveBuffer = 4 << 20

// A DivertedSocket receives the datagrams that TPROXY delivers, and sends the replies.
type DivertedSocket struct {
	conn    *net.UDPConn
	replies *replySockets
}

// ListenTPROXYDatagrams opens a UDP socket for the datagrams that TPROXY delivers, and the sockets
// for replies. network is "udp4" or "udp6" for one family, or "udp" for both if addr is [::]. The
// kernel demands CAP_NET_RAW for that, here and not later.
func ListenTPROXYDatagrams(ctx context.Context, network string, addr netip.AddrPort) (*DivertedSocket, error) {
	lc := net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) error {
		options := []socketOption{transparentOption(network), {unix.SOL_IP, unix.IP_RECVORIGDSTADDR, "IP_RECVORIGDSTADDR"}}
		if strings.HasSuffix(network, "6") {
			options = append(options, socketOption{unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, "IPV6_RECVORIGDSTADDR"})
		}
		return setOptions(raw, options...)
	}}
	pc, err := lc.ListenPacket(ctx, network, addr.String())
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	_ = conn.SetReadBuffer(receiveBuffer)
	wildcard := addr.Addr() == netip.IPv6Unspecified() && network == "udp"
	replies, err := openReplies(ctx, addr.Addr().Is4() || wildcard, addr.Addr().Is6())
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &DivertedSocket{conn, replies}, nil
}

// Close closes the sockets.
func (s *DivertedSocket) Close() {
	s.conn.Close()
	s.replies.close()
}

var errNoOriginal = errors.New("the kernel reports no original destination")

// originalOf reads where a datagram was headed: the control message IP_ORIGDSTADDR with a
// sockaddr_in, or IPV6_ORIGDSTADDR with a sockaddr_in6 (ip(7), linux/in.h).
func originalOf(control []byte) (netip.AddrPort, error) {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return netip.AddrPort{}, errNoOriginal
		}
		control = rest
		switch {
		case h.Level == unix.SOL_IP && h.Type == unix.IP_ORIGDSTADDR && len(data) >= unix.SizeofSockaddrInet4 && family(data) == unix.AF_INET:
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[4:8])), binary.BigEndian.Uint16(data[2:])), nil
		case h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_ORIGDSTADDR && len(data) >= unix.SizeofSockaddrInet6 && family(data) == unix.AF_INET6:
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte(data[8:24])).Unmap(), binary.BigEndian.Uint16(data[2:])), nil
		}
	}
	return netip.AddrPort{}, errNoOriginal
}

func family(sockaddr []byte) uint16 { return binary.NativeEndian.Uint16(sockaddr) }
