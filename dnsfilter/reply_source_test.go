// Reply source: a connected socket drops replies from another address than it asked.

package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// Every address of a wildcard socket answers from itself: with a batch, and after an upstream was
// asked; queries that waited before the filter began, and later ones; also with a socket that another
// process opened.
func TestReplyLeavesFromTheAskedAddress(t *testing.T) {
	for _, c := range []struct {
		network, listen string
		asked           []string
	}{
		{"udp4", "0.0.0.0:0", []string{"127.0.0.1", "127.0.0.2", "127.0.0.5"}},
		{"udp6", "[::]:0", []string{"::1"}},
		{"udp", "[::]:0", []string{"127.0.0.1", "::1", "127.0.0.2", "127.0.0.5"}},
		{"udp4", "127.0.0.2:0", []string{"127.0.0.2"}},
	} {
		for _, passed := range []bool{false, true} {
			t.Run(c.network+" "+c.listen, func(t *testing.T) {
				w := newWaiting(t, c.network, c.listen, nil, "*.b.example")
				if passed {
					w.pass()
				}
				var clients []*net.UDPConn
				for i, at := range c.asked {
					clients = append(clients, w.client(at))
					ask(t, clients[i], uint16(i), "evil.example.")
				}
				stop := w.serve()
				defer stop()
				for i, conn := range clients {
					wantAnswer(t, conn, uint16(i), dns.RcodeNameError)
					ask(t, conn, 100, "evil.example.")
					wantAnswer(t, conn, 100, dns.RcodeNameError)
					late := fmt.Sprintf("a%d.b.example.", i) // not in the cache
					w.up.add(&dns.A{Hdr: dns.RR_Header{Name: late, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 1, 11)})
					ask(t, conn, 200, late)
					wantAnswer(t, conn, 200, dns.RcodeSuccess)
				}
			})
		}
	}
}

// pass replaces the socket with a copy, as systemd passes it.
func (w *waiting) pass() {
	w.t.Helper()
	file, err := w.conn.File()
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	w.conn.Close()
	pc, err := net.FilePacketConn(file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.conn = pc.(*net.UDPConn)
}

func ask(t *testing.T, conn net.Conn, id uint16, name string) {
	t.Helper()
	m := question(name, dns.TypeA)
	m.Id = id
	if _, err := conn.Write(packed(t, m)); err != nil {
		t.Fatal(err)
	}
}

func wantAnswer(t *testing.T, conn net.Conn, id uint16, rcode int) {
	t.Helper()
	if m := answerOf(t, conn); m.Id != id || m.Rcode != rcode {
		t.Errorf("from %v: %v, want the answer to %d, %s", conn.RemoteAddr(), m, id, dns.RcodeToString[rcode])
	}
}

// Only a socket on a wildcard address asks the kernel for the address of each datagram.
func TestOnlyWildcardsReadControlMessages(t *testing.T) {
	for _, c := range []struct {
		network, listen string
		level, option   int
		want            int
	}{
		{"udp4", "0.0.0.0:0", unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
		{"udp", "[::]:0", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		{"udp4", "127.0.0.1:0", unix.IPPROTO_IP, unix.IP_PKTINFO, 0},
		{"udp6", "[::1]:0", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 0},
	} {
		w := newWaiting(t, c.network, c.listen, nil)
		b, err := newBatch(w.conn)
		if err != nil {
			t.Fatal(err)
		}
		got := -1
		b.raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), c.level, c.option) })
		if got != c.want || err != nil || b.controlSize != c.want*controlSize || (b.in[0].Control != nil) != (c.want == 1) {
			t.Errorf("%s: option %d, %v, room for %d octets", c.listen, got, err, b.controlSize)
		}
		w.conn.Close()
	}
}

// The control message of a reply, for each that the kernel may write beside a datagram. An index
// of an interface is kept only with a link-local address of IPv6.
func TestControlOfAReply(t *testing.T) {
	v4 := func(index byte, source, asked string) []byte {
		s, a := netip.MustParseAddr(source).As4(), netip.MustParseAddr(asked).As4()
		return bytes.Join([][]byte{native(uint32(index)), s[:], a[:]}, nil)
	}
	v6 := func(asked string, index byte) []byte {
		a := netip.MustParseAddr(asked).As16()
		return append(a[:], native(uint32(index))...)
	}
	for _, c := range []struct {
		name        string
		level, kind int32
		info        []byte
		size        int
		want        []byte // nil: no control message
	}{
		{"IPv4", unix.IPPROTO_IP, unix.IP_PKTINFO, v4(3, "192.0.2.1", "192.0.2.1"), unix.CmsgSpace(12), v4(0, "192.0.2.1", "192.0.2.1")},
		{"IPv4 broadcast: the kernel says what to answer from", unix.IPPROTO_IP, unix.IP_PKTINFO, v4(3, "192.0.2.1", "192.0.2.255"), unix.CmsgSpace(12), v4(0, "192.0.2.1", "192.0.2.255")},
		{"IPv4 that waited", unix.IPPROTO_IP, unix.IP_PKTINFO, v4(0, "0.0.0.0", "192.0.2.1"), unix.CmsgSpace(12), v4(0, "192.0.2.1", "192.0.2.1")},
		{"IPv4 multicast that waited", unix.IPPROTO_IP, unix.IP_PKTINFO, v4(0, "0.0.0.0", "224.0.0.1"), unix.CmsgSpace(12), nil},
		{"IPv4 link-local", unix.IPPROTO_IP, unix.IP_PKTINFO, v4(3, "169.254.0.1", "169.254.0.1"), unix.CmsgSpace(12), v4(0, "169.254.0.1", "169.254.0.1")},
		{"IPv6", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("2001:db8::1", 3), unix.CmsgSpace(20), v6("2001:db8::1", 0)},
		{"IPv6 loopback", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("::1", 1), unix.CmsgSpace(20), v6("::1", 0)},
		{"IPv6 link-local", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("fe80::1", 3), unix.CmsgSpace(20), v6("fe80::1", 3)},
		{"IPv6 multicast", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("ff02::1", 3), unix.CmsgSpace(20), nil},
		{"mapped", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("::ffff:192.0.2.1", 3), unix.CmsgSpace(20), v6("::ffff:192.0.2.1", 0)},
		{"mapped link-local", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("::ffff:169.254.0.1", 3), unix.CmsgSpace(20), v6("::ffff:169.254.0.1", 0)},
		{"mapped multicast", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("::ffff:224.0.0.1", 3), unix.CmsgSpace(20), nil},
		{"another message", unix.SOL_SOCKET, unix.SCM_TIMESTAMP, make([]byte, 16), unix.CmsgSpace(16), nil},
		{"cut off", unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, v6("2001:db8::1", 3), unix.CmsgLen(19), nil},
		{"IPv4, cut off", unix.IPPROTO_IP, unix.IP_PKTINFO, v4(3, "192.0.2.1", "192.0.2.1"), unix.CmsgLen(11), nil},
		{"nothing", unix.IPPROTO_IP, unix.IP_PKTINFO, v4(3, "192.0.2.1", "192.0.2.1"), 0, nil},
	} {
		m := control{header: unix.Cmsghdr{Level: c.level, Type: c.kind}}
		m.header.SetLen(unix.CmsgLen(len(c.info)))
		copy(m.info[:], c.info)
		n := m.reply(c.size)
		switch {
		case c.want == nil && n != 0:
			t.Errorf("%s: a control message of %d octets, want none", c.name, n)
		case c.want != nil && (n != c.size || !bytes.Equal(m.info[:len(c.want)], c.want)):
			t.Errorf("%s: %d octets with % x, want %d with % x", c.name, n, m.info, c.size, c.want)
		}
	}
	if got, want := uintptr(controlSize), uintptr(unix.CmsgSpace(unix.SizeofInet6Pktinfo)); got != want || unsafe.Offsetof(control{}.info) != uintptr(unix.CmsgLen(0)) {
		t.Errorf("a control has %d octets, and the information at %d; the kernel has %d and %d", got, unsafe.Offsetof(control{}.info), want, unix.CmsgLen(0))
	}
}

func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
