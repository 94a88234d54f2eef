// Listen: opens every listener of a configuration, or none. Sockets that systemd
// holds are used as they are.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"sallyport/cmd/sallyport/systemd"
	"sallyport/dnsfilter"
	"sallyport/proxy"
	"sallyport/rules/site"
)

// Listen opens every listener that was not inherited. On an error it closes all of
// them. The error names the listener, the cause and the remedy.
func Listen(ctx context.Context, l site.Listen, inherited *systemd.Sockets) (s *Sockets, err error) {
	s = &Sockets{}
	defer inherited.Close()
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := inherited.Match(doors(l)); err != nil {
		return s, err
	}
	streams := l.Streams()
	for _, f := range []struct {
		key    string
		addrs  []netip.AddrPort
		into   *[]net.Listener
		listen opener
	}{
		{"http", l.HTTP, &s.http, proxy.Listen}, {"https", l.HTTPS, &s.https, proxy.Listen}, {"socks5", l.SOCKS5, &s.socks5, proxy.Listen},
		{"transparent", l.Transparent, &s.transparent, proxy.Listen}, {"tproxy", l.TPROXY, &s.tproxy, proxy.ListenTPROXY},
	} {
		if *f.into, err = listenAll(ctx, f.key, f.addrs, streams, inherited, f.listen); err != nil {
			return s, err
		}
	}
	if err := s.openTPROXY(ctx, l.TPROXY); err != nil {
		return s, err
	}
	if err := s.openDNS(ctx, l.DNS, streams, inherited); err != nil {
		return s, err
	}
	if s.admin = inherited.Listener(adminDoor(l.Admin)); s.admin == nil {
		s.admin, err = listenAdmin(ctx, l.Admin, streams)
	}
	return s, err
}

// openTPROXY opens a datagram socket beside each TCP listener for TPROXY, with the
// same port.
func (s *Sockets) openTPROXY(ctx context.Context, list []netip.AddrPort) error {
	for _, l := range s.tproxy {
		a := l.Addr().(*net.TCPAddr).AddrPort()
		conn, err := proxy.ListenTPROXYDatagrams(ctx, networkOf("udp", a, list), a)
		if err != nil {
			return listenError("tproxy", "udp", a.String(), err)
		}
		s.tproxyUDP = append(s.tproxyUDP, conn)
	}
	return nil
}

// openDNS opens the DNS listeners. An address that is listed beside a wildcard has
// datagram sockets of its own, which need no control messages. They are opened after
// the sockets of the wildcard, which check that the port is free.
func (s *Sockets) openDNS(ctx context.Context, list, streams []netip.AddrPort, inherited *systemd.Sockets) error {
	for _, a := range list {
		if site.Spanned(a, list) {
			continue
		}
		d := dnsDoor{AddrPort: a, stream: networkOf("tcp", a, streams), packet: networkOf("udp", a, list), sockets: runtime.GOMAXPROCS(0)}
		if slices.ContainsFunc(list, func(o netip.AddrPort) bool { return site.Spans(a, o, list) }) {
			d.sockets = max(d.sockets, 2) // so that they share the port
		}
		udp, tcp, err := d.listen(ctx, inherited)
		s.dnsUDP = append(s.dnsUDP, udp...)
		if tcp != nil {
			s.dnsTCP = append(s.dnsTCP, tcp)
		}
		if err != nil {
			return err
		}
	}
	for _, a := range list {
		if !site.Spanned(a, list) {
			continue
		}
		udp := inherited.Packets(door("dns", "udp", a))
		if len(udp) == 0 {
			var err error
			if udp, err = dnsfilter.ListenPackets(ctx, networkOf("udp", a, list), a, runtime.GOMAXPROCS(0), true); err != nil {
				return listenError("dns", "udp", a.String(), err)
			}
		}
		s.dnsUDP = append(s.dnsUDP, udp...)
	}
	return nil
}

// networkOf returns the network of a listener as package net names it. all are
// the listeners of the same transport: without the suffix 4 or 6, package net
// would let a listener on 0.0.0.0 or [::] accept both families.
func networkOf(network string, a netip.AddrPort, all []netip.AddrPort) string {
	switch {
	case a.Addr().Is4():
		return network + "4"
	case site.OnlyIPv6(a, all):
		return network + "6"
	}
	return network
}

// unspanned returns the addresses that no wildcard with the same port covers. An
// address cannot have two stream listeners.
func unspanned(list, streams []netip.AddrPort) []netip.AddrPort {
	return slices.DeleteFunc(slices.Clone(list), func(a netip.AddrPort) bool { return site.Spanned(a, streams) })
}

// doors returns the sockets that a configuration listens on, in the terms of
// systemd.
func doors(l site.Listen) (out []systemd.Door) {
	streams := l.Streams()
	add := func(key, network string, list []netip.AddrPort) {
		if network == "tcp" {
			list = unspanned(list, streams)
		}
		for _, a := range list {
			out = append(out, door(key, network, a))
		}
	}
	add("http", "tcp", l.HTTP)
	add("https", "tcp", l.HTTPS)
	add("socks5", "tcp", l.SOCKS5)
	add("transparent", "tcp", l.Transparent)
	add("dns", "tcp", l.DNS)
	add("dns", "udp", l.DNS)
	if l.Admin != "" {
		out = append(out, adminDoor(l.Admin))
	}
	return out
}

func door(key, network string, a netip.AddrPort) systemd.Door {
	return systemd.Door{Key: key, Network: network, Addr: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}
}

func adminDoor(text string) systemd.Door {
	if path, unix := strings.CutPrefix(text, "unix:"); unix {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs // systemd passes absolute paths
		}
		return systemd.Door{Key: "admin", Network: "unix", Path: path}
	}
	a, _ := netip.ParseAddrPort(text)
	return door("admin", "tcp", a)
}

// listenConfig returns the settings of the DNS and admin listeners. Like
// proxy.Listen they use TCP and never MPTCP, which packet filters and sandboxes
// support less well.
func listenConfig() *net.ListenConfig {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return &c
}

// An opener opens a TCP listener of the proxy.
type opener func(ctx context.Context, network string, addr netip.AddrPort) (net.Listener, error)

// listenAll opens the listeners of one front end of the proxy.
func listenAll(ctx context.Context, key string, addrs, streams []netip.AddrPort, inherited *systemd.Sockets, open opener) (out []net.Listener, err error) {
	for _, a := range unspanned(addrs, streams) {
		l := inherited.Listener(door(key, "tcp", a))
		if l == nil {
			if l, err = open(ctx, networkOf("tcp", a, streams), a); err != nil {
				return out, listenError(key, "tcp", a.String(), err)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// A dnsDoor is one address that the DNS filter listens on.
type dnsDoor struct {
	netip.AddrPort
	stream, packet string // the networks for package net
	sockets        int    // number of datagram sockets
}

// listen opens the same port for streams and for datagrams. It opens the stream
// socket first, because a stream socket is exclusive: it keeps a second
// sallyport away while the datagram sockets, which share the port, are opened.
// Where a datagram socket was inherited, listen opens no other: queries that
// wait in a new socket would be lost at the next restart. On an error the
// caller closes what listen returns.
func (d dnsDoor) listen(ctx context.Context, inherited *systemd.Sockets) (udp []net.PacketConn, tcp net.Listener, err error) {
	a := d.AddrPort
	held := inherited.Listener(door("dns", "tcp", a))
	udp = inherited.Packets(door("dns", "udp", a))
	for tries := 0; ; tries++ {
		if tcp = held; tcp == nil {
			if tcp, err = listenConfig().Listen(ctx, d.stream, a.String()); err != nil {
				return udp, nil, listenError("dns", "tcp", a.String(), err)
			}
		}
		if len(udp) > 0 {
			return udp, tcp, nil
		}
		port := uint16(tcp.Addr().(*net.TCPAddr).Port)
		udp, err = dnsfilter.ListenPackets(ctx, d.packet, netip.AddrPortFrom(a.Addr(), port), d.sockets, false)
		if err == nil {
			return udp, tcp, nil
		}
		tcp.Close()
		if a.Port() != 0 || tries == 20 || !errors.Is(err, syscall.EADDRINUSE) { // the port that the system chose may be in use for datagrams
			return nil, nil, listenError("dns", "udp", a.String(), err)
		}
	}
}

// listenAdmin opens the admin listener. Only its owner can use a unix socket.
func listenAdmin(ctx context.Context, text string, streams []netip.AddrPort) (net.Listener, error) {
	path, unix := strings.CutPrefix(text, "unix:")
	if text == "" {
		return nil, nil
	}
	if !unix {
		network := "tcp"
		if a, err := netip.ParseAddrPort(text); err == nil {
			network = networkOf(network, a, streams)
		}
		l, err := listenConfig().Listen(ctx, network, text)
		if err != nil {
			return nil, listenError("admin", "tcp", text, err)
		}
		return l, nil
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
		if c, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
			c.Close()
			return nil, listenError("admin", "unix", path, syscall.EADDRINUSE)
		}
		_ = os.Remove(path) // the socket of a process that has ended
	}
	old := syscall.Umask(0o177)
	l, err := listenConfig().Listen(ctx, "unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, listenError("admin", "unix", path, err)
	}
	return l, nil
}

// listenError adds the listener and the remedy to an error.
func listenError(key, network, addr string, err error) error {
	cure := "correct [listen] " + key
	switch {
	case errors.Is(err, syscall.EPERM) && key == "tproxy":
		cure = "TPROXY needs CAP_NET_RAW and nothing else: AmbientCapabilities=CAP_NET_RAW in the unit (sallyport sockets writes it), or setcap cap_net_raw+ep on the binary; or use [listen] transparent, which needs no capability"
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := net.SplitHostPort(addr)
		cure = fmt.Sprintf("another program, perhaps another sallyport, uses this port (see: ss -lntup 'sport = :%s'); stop it, or change [listen] %s", port, key)
		if network == "unix" {
			cure = "another sallyport uses this socket; stop it, or change [listen] admin"
		}
	case errors.Is(err, syscall.EACCES) && network == "unix":
		cure = "this user may not create a file in " + filepath.Dir(addr) + "; make it the owner of that directory, or change [listen] " + key
	case errors.Is(err, syscall.EACCES):
		cure = "ports below 1024 need a privilege; let systemd hold the sockets (the installed units do), or use a higher port in [listen] " + key + " and let the packet filter redirect to it"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		cure = "this host has no such address; correct [listen] " + key
	}
	return fmt.Errorf("cannot listen on %s %s for %s: %w: %s", network, addr, key, RootCause(err), cure)
}

// RootCause returns the system's error inside an error of package net.
func RootCause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
