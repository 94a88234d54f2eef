// Socket: asks the kernel what kind of socket a file descriptor is.

package systemd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// open makes a listener of f, according to its kind of socket. Closing the listener
// closes the descriptor of this process only. The service manager keeps the socket
// and the connections that wait in it.
func (s *socket) open(f *os.File) error {
	fd := int(f.Fd())
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("is no socket (%w); sallyport accepts only ListenStream= and ListenDatagram=", err)
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	inet := domain == unix.AF_INET || domain == unix.AF_INET6
	switch {
	case kind == unix.SOCK_STREAM && (inet || domain == unix.AF_UNIX):
		err = s.openStream(f, domain)
	case kind == unix.SOCK_DGRAM && inet:
		err = s.openPackets(f)
	default:
		return fmt.Errorf("is a socket of family %d and type %d; sallyport accepts ListenStream= and ListenDatagram= with addresses and, for admin, ListenStream= with a path", domain, kind)
	}
	if err == nil && domain == unix.AF_INET6 && s.door.Addr.Addr() == netip.IPv6Unspecified() {
		var only int
		only, err = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		s.v6only = only != 0
	}
	return err
}

// openStream makes a listener. Its connections have the keep-alives of package net,
// not the keep-alives of the listener.
func (s *socket) openStream(f *os.File, domain int) error {
	fd := int(f.Fd())
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return err
	}
	if domain != unix.AF_UNIX && protocol != unix.IPPROTO_TCP {
		return fmt.Errorf("is no plain TCP but protocol %d; remove SocketProtocol= from the socket unit", protocol)
	}
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening == 0 {
		return errors.Join(errors.New("does not listen; set Accept=no in the socket unit"), err)
	}
	if s.listener, err = net.FileListener(f); err != nil {
		return err
	}
	switch a := s.listener.Addr().(type) {
	case *net.TCPAddr:
		s.door = Door{Network: "tcp", Addr: unmapped(a.AddrPort())}
		return nil
	case *net.UnixAddr:
		s.door = Door{Network: "unix", Path: a.Name}
		return ownerOnly(a.Name)
	}
	return fmt.Errorf("is a listener of an unsupported kind: %v", s.listener.Addr())
}

func (s *socket) openPackets(f *os.File) (err error) {
	if protocol, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || protocol != unix.IPPROTO_UDP {
		return errors.Join(fmt.Errorf("is no plain UDP but protocol %d; remove SocketProtocol= from the socket unit", protocol), err)
	}
	if s.packets, err = net.FilePacketConn(f); err != nil {
		return err
	}
	a, ok := s.packets.LocalAddr().(*net.UDPAddr)
	if !ok {
		return fmt.Errorf("has the address %v", s.packets.LocalAddr())
	}
	s.door = Door{Network: "udp", Addr: unmapped(a.AddrPort())}
	return nil
}

// ownerOnly rejects a unix socket that every user may connect to, which is the
// service manager's default: no token protects such a socket.
func ownerOnly(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("is the unix socket %s, whose file does not exist: %w; restart the socket unit", path, err)
	}
	if st.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("is the unix socket %s, which every user may connect to; set SocketMode=0600, and SocketUser=, in the socket unit", path)
	}
	return nil
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
