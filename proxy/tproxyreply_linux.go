// Replies of TPROXY: datagrams whose source is an address and port of another host.

package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"math/bits"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"sallyport/proxy/datagram"
)

// replySockets send datagrams from any address. A UDP socket that is bound to such an address would
// need capabilities while the process runs: one for the address, and one for a port below 1024. A
// raw socket needs CAP_NET_RAW only when it is opened, and one is enough for all flows of a family.
// The proxy writes the UDP header itself (RFC 768); the kernel writes the IP header.
type replySockets struct{ v4, v6 *net.IPConn }

// openReplies opens the sockets for these families.
func openReplies(ctx context.Context, v4, v6 bool) (*replySockets, error) {
	r := &replySockets{}
	var err, err6 error
	if v4 {
		r.v4, err = openReply(ctx, "ip4:17", "127.0.0.1")
	}
	if v6 {
		r.v6, err6 = openReply(ctx, "ip6:17", "::1")
	}
	if err = errors.Join(err, err6); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// openReply opens one raw socket. The kernel would give it a copy of the datagrams to the address
// that it is bound to; the filter drops them.
func openReply(ctx context.Context, network, bind string) (*net.IPConn, error) {
	lc := net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) error {
		if err := setOptions(raw, transparentOption(network[:3])); err != nil {
			return err
		}
		nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		var err error
		cerr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
		})
		return errors.Join(cerr, err)
	}}
	pc, err := lc.ListenPacket(ctx, network, bind)
	if err != nil {
		return nil, err
	}
	return pc.(*net.IPConn), nil
}

func (r *replySockets) close() {
	for _, c := range []*net.IPConn{r.v4, r.v6} {
		if c != nil {
			c.Close()
		}
	}
}

var errNoReplySocket = errors.New("no socket for replies of this family")

// open returns the way from an address to a client.
func (r *replySockets) open(from, to netip.AddrPort) (datagram.Replier, error) {
	conn := r.v4
	if from.Addr().Is6() {
		conn = r.v6
	}
	if conn == nil || from.Addr().Is4() != to.Addr().Is4() {
		return nil, errNoReplySocket
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	f := &replyFlow{raw: raw, from: from.Port(), to: to.Port(), pseudo: pseudoSum(from.Addr(), to.Addr())}
	f.control, f.client = sourceControl(from.Addr()), sockaddrOf(to.Addr())
	f.send = f.sendTo
	return f, nil
}

// A replyFlow sends the replies of one flow.
type replyFlow struct {
	raw      syscall.RawConn
	from, to uint16
	pseudo   uint64        // the sum over the addresses and the protocol
	control  []byte        // the source address
	client   unix.Sockaddr // the client's address

	send func(fd uintptr) bool // sendTo, made once
	b    []byte                // to send
	err  error
}

const udpHeader = 8

// Reply sends b with a UDP header in front.
func (f *replyFlow) Reply(b []byte) error {
	b = b[datagram.Headroom-udpHeader:]
	if len(b) > datagram.MaxContent {
		return unix.EMSGSIZE
	}
	binary.BigEndian.PutUint16(b, f.from)
	binary.BigEndian.PutUint16(b[2:], f.to)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[6:], 0)
	binary.BigEndian.PutUint16(b[6:], checksum(f.pseudo+uint64(len(b)), b))
	f.b = b
	if err := f.raw.Write(f.send); err != nil {
		return err
	}
	return f.err
}

// sendTo sends f.b. It does not wait: if the buffer is full, the reply is lost, as on any link.
func (f *replyFlow) sendTo(fd uintptr) bool {
	_, f.err = unix.SendmsgN(int(fd), f.b, f.control, f.client, unix.MSG_DONTWAIT)
	f.b = nil
	return true
}

// Close does nothing: the socket belongs to all flows.
func (f *replyFlow) Close() {}

// sourceControl is the control message with a source address (ip(7), ipv6(7)).
func sourceControl(from netip.Addr) []byte {
	if from.Is4() {
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: from.As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: from.As16()})
}

func sockaddrOf(to netip.Addr) unix.Sockaddr {
	if to.Is4() {
		return &unix.SockaddrInet4{Addr: to.As4()}
	}
	return &unix.SockaddrInet6{Addr: to.As16()}
}

// pseudoSum is the sum over the parts of the pseudo-header that do not change in a flow: the
// addresses and the protocol (RFC 768; RFC 8200, section 8.1).
func pseudoSum(from, to netip.Addr) uint64 {
	a, b := from.As16(), to.As16() // of IPv4 in its mapped form: both halves begin with the same words
	sum := uint64(unix.IPPROTO_UDP)
	first := 0
	if from.Is4() {
		first = 12
	}
	for i := first; i < 16; i += 2 {
		sum += uint64(binary.BigEndian.Uint16(a[i:])) + uint64(binary.BigEndian.Uint16(b[i:]))
	}
	return sum
}

// checksum is the Internet checksum (RFC 1071) of b, with sum added. The result 0 is sent as all
// ones, because 0 means that there is none.
func checksum(sum uint64, b []byte) uint16 {
	var carry uint64
	for ; len(b) >= 8; b = b[8:] {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), 0)
		sum += carry
	}
	for ; len(b) >= 2; b = b[2:] {
		sum, carry = bits.Add64(sum, uint64(binary.BigEndian.Uint16(b)), 0)
		sum += carry
	}
	if len(b) == 1 {
		sum, carry = bits.Add64(sum, uint64(b[0])<<8, 0)
		sum += carry
	}
	sum = sum>>32 + sum&0xffffffff
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum == 0xffff {
		return 0xffff
	}
	return ^uint16(sum)
}
