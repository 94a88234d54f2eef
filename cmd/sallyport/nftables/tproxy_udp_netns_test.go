//go:build linux

// Tests of TPROXY and datagrams in the kernel.

package nftables

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Datagrams arrive at a transparent socket too, with their addresses unchanged: documented
// ones and others, because sallyport decides. DNS and QUIC do not, except QUIC of a client
// with a rule for UDP 443. The filter passes only other protocols of rules for every
// protocol and port.
func TestTPROXYDatagrams(t *testing.T) {
	needsRootAndNft(t)
	client, gw, internet := newRouted(t)
	got := gw.receiveTransparent(":3130")
	gw.serve("udp", ":5300", "filter")
	gw.serve("udp", ":7", "echo")
	config := tproxySite(`"[::]:3130"`)
	gw.must("nft", "-f", rulesetOf(t, config))
	gw.routes(config)
	internet.arrived()
	for _, c := range []struct{ from, to, want string }{
		{"10.77.0.10", "93.184.0.51:514", "93.184.0.51:514"},
		{"10.77.0.10", "93.184.0.1:514", "93.184.0.1:514"},
		{"10.77.0.11", "93.184.0.51:514", "93.184.0.51:514"},
		{"fd77::10", "[2a00:1450::51]:514", "[2a00:1450::51]:514"},
		{"10.77.0.10", "93.184.0.1:853", "93.184.0.1:853"},
		{"10.77.0.10", "93.184.0.99:443", "93.184.0.99:443"}, // a rule of this client lists every port of it
		{"10.77.0.10", "93.184.0.1:443", "93.184.0.1:443"},
		{"10.77.0.12", "93.184.0.1:443", ""}, // of this one none does, whatever the rules of the next client are
		{"fd77::11", "[2a00:1450::51]:514", ""},
		{"10.77.0.10", "10.77.0.1:7", ""},
	} {
		_ = client.send(c.from, c.to)
		select {
		case to := <-got:
			if to != c.want {
				t.Errorf("%s to %s: arrived for %s, want %q", c.from, c.to, to, c.want)
			}
		case <-time.After(map[bool]time.Duration{true: brief, false: patient}[c.want == ""]):
			if c.want != "" {
				t.Errorf("%s to %s: did not arrive", c.from, c.to)
			}
		}
	}
	client.expect(0, `
		udp -          8.8.8.8:53        filter
		udp -          93.184.0.99:53    filter
		udp 10.77.0.12 93.184.0.1:443    prohibited
		udp -          10.77.0.1:7       echo`)
	if n := internet.arrived(); n != 0 {
		t.Errorf("%d packets got out", n)
	}
	if err := client.raw("ip4:gre", "93.184.0.99", make([]byte, 32)); err != nil || internet.arrived() != 1 {
		t.Errorf("every protocol to one address: %v", err)
	}
}

// receiveTransparent returns where the datagrams are headed that TPROXY gives to a socket.
func (n *namespace) receiveTransparent(address string) <-chan string {
	n.t.Helper()
	var p net.PacketConn
	err := n.as(0, func() (err error) {
		lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
			_ = raw.Control(func(fd uintptr) {
				err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1),
					unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1), unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, 1))
			})
			return err
		}}
		p, err = lc.ListenPacket(context.Background(), "udp", address)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { p.Close() })
	out := make(chan string, 16)
	go func() {
		b, control := make([]byte, 512), make([]byte, 128)
		for {
			_, k, _, _, err := p.(*net.UDPConn).ReadMsgUDPAddrPort(b, control)
			if err != nil {
				return
			}
			messages, _ := unix.ParseSocketControlMessage(control[:k])
			for _, m := range messages {
				sa, err := unix.ParseOrigDstAddr(&m)
				switch sa := sa.(type) {
				case *unix.SockaddrInet4:
					out <- netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
				case *unix.SockaddrInet6:
					out <- netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)).String()
				default:
					out <- fmt.Sprint(err)
				}
			}
		}
	}()
	return out
}

// send sends one datagram and waits for no answer.
func (n *namespace) send(from, to string) error {
	c, err := n.dial(0, "udp", from, to, brief)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("?"))
	return err
}
