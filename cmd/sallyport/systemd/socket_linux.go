// Socket: what a file descriptor really is, by the kernel's word.

package systemd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// open finds out what kind of socket f is and makes a listener of it. Closing
// that closes this process's descriptor: the socket itself, and what waits in
// it, stays with the service manager.
func (s *socket) open(f *os.File) error {
	fd := int(f.Fd())
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("is no socket (%w); sallyport takes ListenStream= and ListenDatagram= alone", err)
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
		return fmt.Errorf("is a socket of family %d and type %d; sallyport takes ListenStream= and ListenDatagram= with addresses and, for admin, ListenStream= with a path", domain, kind)
	}
	if err == nil && domain == unix.AF_INET6 && s.door.Addr.Addr() == netip.IPv6Unspecified() {
		var only int
		only, err = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		s.v6only = only != 0
	}
	return err
}

// openStream makes a listener. Connections it accepts get package net's keep
// alives, whatever is set on the listener.
func (s *socket) openStream(f *os.File, domain int) error {
	fd := int(f.Fd())
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return err
	}
	if domain != unix.AF_UNIX && protocol != unix.IPPROTO_TCP {
		return fmt.Errorf("is no plain TCP but protocol %d; take SocketProtocol= out of the socket unit", protocol)
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
	return fmt.Errorf("is a listener of a kind that is not known: %v", s.listener.Addr())
}

func (s *socket) openPackets(f *os.File) (err error) {
	if protocol, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || protocol != unix.IPPROTO_UDP {
		return errors.Join(fmt.Errorf("is no plain UDP but protocol %d; take SocketProtocol= out of the socket unit", protocol), err)
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

// ownerOnly refuses a unix socket that everybody may connect to, which is the
// service manager's default: on it stands no token.
func ownerOnly(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("is the unix socket %s, which is not there: %w; restart the socket unit", path, err)
	}
	if st.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("is the unix socket %s, which every user may connect to; set SocketMode=0600, and SocketUser=, in the socket unit", path)
	}
	return nil
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
