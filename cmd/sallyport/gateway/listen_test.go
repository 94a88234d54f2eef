// Tests of the listeners: each accepts exactly the addresses that are listed.

package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/rules/site"
)

// 0.0.0.0 means every IPv4 address. A listener on it must not accept IPv6.
func TestUnspecifiedIPv4IsNotIPv6(t *testing.T) {
	every := []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}
	s, err := Listen(t.Context(), site.Listen{HTTP: every, SOCKS5: every, DNS: every, Transparent: every}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.listeners()) != 4 {
		t.Fatalf("%d listeners", len(s.listeners()))
	}
	for _, l := range s.listeners() {
		if ip := l.addr.(*net.TCPAddr).IP; ip.To4() == nil {
			t.Errorf("%s listens on %v", l.name, l.addr)
		}
	}
	for _, p := range s.dnsUDP {
		if ip := p.LocalAddr().(*net.UDPAddr).IP; ip.To4() == nil {
			t.Errorf("dns listens on %v", p.LocalAddr())
		}
	}
}

// freePort returns a port that is free for streams and datagrams of both families.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "[::]:0")
		if err != nil {
			t.Fatal(err)
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			p.Close()
			return uint16(l.Addr().(*net.TCPAddr).Port)
		}
	}
	t.Fatal("no port is free for streams and datagrams")
	return 0
}

// Wildcards of both families, or a wildcard and single addresses, can share a port.
// Each address is served, by streams and by datagrams. A listed address answers
// datagrams from that address.
func TestListenersOfOnePort(t *testing.T) {
	for _, c := range []struct{ listed, served, refused string }{
		{"0.0.0.0 [::]", "127.0.0.1 127.0.0.2 [::1]", ""},
		{"[::] 0.0.0.0", "127.0.0.1 [::1]", ""},
		{"127.0.0.1 0.0.0.0", "127.0.0.1 127.0.0.2", "[::1]"},
		{"0.0.0.0 127.0.0.1 127.0.0.2", "127.0.0.1 127.0.0.2 127.0.0.3", "[::1]"},
		{"[::1] [::]", "127.0.0.1 [::1]", ""},
		{"127.0.0.1 [::]", "127.0.0.1 127.0.0.2 [::1]", ""},
		{"127.0.0.1 [::] 0.0.0.0 [::1]", "127.0.0.1 127.0.0.2 [::1]", ""},
		{"127.0.0.1 [::1]", "127.0.0.1 [::1]", "127.0.0.2"},
	} {
		t.Run(c.listed, func(t *testing.T) {
			at := func(port uint16) (list []netip.AddrPort) {
				for _, a := range strings.Fields(c.listed) {
					list = append(list, netip.MustParseAddrPort(fmt.Sprintf("%s:%d", a, port)))
				}
				return list
			}
			proxyPort, dnsPort := freePort(t), freePort(t)
			l := site.Listen{HTTP: at(proxyPort), DNS: at(dnsPort)}
			s, err := Listen(t.Context(), l, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, a := range strings.Fields(c.served) {
				for _, port := range []uint16{proxyPort, dnsPort} {
					if err := reaches(a, port); err != nil {
						t.Errorf("streams to %s: %v", a, err)
					}
				}
				if got := s.datagramAt(t, a, dnsPort); got == "" || slices.Contains(strings.Fields(c.listed), a) && got != a {
					t.Errorf("datagrams to %s come to the socket of %q", a, got)
				}
			}
			for _, a := range strings.Fields(c.refused) {
				if reaches(a, proxyPort) == nil || reaches(a, dnsPort) == nil {
					t.Errorf("streams to %s are accepted", a)
				}
			}
		})
	}
}

func reaches(addr string, port uint16) error {
	c, err := net.Dial("tcp", addr+fmt.Sprintf(":%d", port))
	if err == nil {
		c.Close()
	}
	return err
}

// datagramAt sends one datagram and returns the address of the socket that receives
// it.
func (s *Sockets) datagramAt(t *testing.T, addr string, port uint16) string {
	t.Helper()
	c, err := net.Dial("udp", addr+fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make(chan string, len(s.dnsUDP))
	for _, p := range s.dnsUDP {
		_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
		go func() {
			if _, _, err := p.ReadFrom(make([]byte, 16)); err == nil {
				host, _, _ := net.SplitHostPort(p.LocalAddr().String())
				if strings.Contains(host, ":") {
					host = "[" + host + "]"
				}
				got <- host
				return
			}
			got <- ""
		}()
	}
	if _, err := c.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	first := <-got
	for _, p := range s.dnsUDP {
		_ = p.SetReadDeadline(time.Now()) // the other readers end
	}
	for range len(s.dnsUDP) - 1 {
		<-got
	}
	return first
}

// Sockets that share a port still keep a second sallyport from starting.
func TestListenersOfOnePortTwice(t *testing.T) {
	port := freePort(t)
	l := site.Listen{}
	for _, a := range []string{"0.0.0.0", "[::]", "127.0.0.1"} {
		l.DNS = append(l.DNS, netip.MustParseAddrPort(fmt.Sprintf("%s:%d", a, port)))
	}
	s, err := Listen(t.Context(), l, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if again, err := Listen(t.Context(), l, nil); err == nil || !errors.Is(err, syscall.EADDRINUSE) {
		again.Close()
		t.Errorf("a second one: %v", err)
	}
}

// A wildcard of each family shares a port with the other.
func TestWildcardsOfTwoFrontEnds(t *testing.T) {
	every4, every6 := netip.MustParseAddrPort(fmt.Sprintf("0.0.0.0:%d", freePort(t))), netip.AddrPort{}
	every6 = netip.AddrPortFrom(netip.IPv6Unspecified(), every4.Port())
	s, err := Listen(t.Context(), site.Listen{HTTP: []netip.AddrPort{every6}, SOCKS5: []netip.AddrPort{every4}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// For a missing permission the remedy differs between a port and a unix socket.
func TestListenErrorsNameTheirCure(t *testing.T) {
	for _, c := range []struct{ network, addr, want string }{
		{"tcp", "10.20.30.1:53", "let systemd hold the sockets"},
		{"unix", "/run/sallyport/admin.sock", "this user may not create a file in /run/sallyport; make it the owner of that directory, or change [listen] admin"},
	} {
		if err := listenError("admin", c.network, c.addr, syscall.EACCES); !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.network, c.addr, err, c.want)
		}
	}
}
