// Batch: reads and sends many datagrams with one system call.

package dnsfilter

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many datagrams one call reads at most. With more, the cost of
	// the call is no longer noticed.
	batchSize = 32
	// slotSize is the distance of two datagrams in memory. It is no multiple of 4096,
	// because the first octets of all datagrams would then compete for few cache lines.
	slotSize = maxQuery + 192
)

// A batch holds the datagrams that one reader got at a time, and the replies to
// them. It is used by one goroutine. It calls recvmmsg and sendmmsg itself, because
// the batches of golang.org/x/net allocate an address for every datagram.
type batch struct {
	raw  syscall.RawConn
	n    int // datagrams that were read
	outs int // replies that wait to be sent

	controlSize int // octets for each of controls; 0: the socket has one address, and needs none

	in       [batchSize]message
	out      [batchSize]message
	peers    [batchSize][unix.SizeofSockaddrInet6]byte
	inVecs   [batchSize]unix.Iovec
	outVecs  [batchSize]unix.Iovec
	controls [batchSize]control
	queries  []byte // batchSize slots
	replies  []byte // batchSize rooms of maxUDP octets

	// What the calls below return. A function that is made for each call would
	// be allocated for each call.
	receiveNow, sendNow func(fd uintptr) bool
	sent                int // replies that the kernel took, or refused
	errno               syscall.Errno

	tally tally
}

// A message is struct mmsghdr of Linux.
type message struct {
	unix.Msghdr
	size uint32 // octets of the datagram that was read
}

// newBatch makes the memory for the datagrams of one reader of a socket.
func newBatch(conn packetConn) (*batch, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	size, err := reportLocal(conn, raw)
	if err != nil {
		return nil, err
	}
	b := &batch{raw: raw, controlSize: size, queries: make([]byte, batchSize*slotSize), replies: make([]byte, batchSize*maxUDP)}
	b.receiveNow, b.sendNow = b.tryReceive, b.trySend
	for i := range batchSize {
		b.inVecs[i].Base = &b.queries[i*slotSize]
		b.inVecs[i].SetLen(maxQuery)
		b.in[i].Name, b.in[i].Iov = &b.peers[i][0], &b.inVecs[i]
		b.in[i].SetIovlen(1)
		if size > 0 {
			b.in[i].Control = (*byte)(unsafe.Pointer(&b.controls[i]))
		}
		b.out[i].Iov = &b.outVecs[i]
		b.out[i].SetIovlen(1)
	}
	return b, nil
}

// receive waits until a datagram is there. It reads all that are there, up to
// batchSize, and never waits for more. Each datagram is cut off after maxQuery
// octets.
func (b *batch) receive() error {
	b.n, b.outs, b.errno = 0, 0, 0
	if err := b.raw.Read(b.receiveNow); err != nil {
		return err
	}
	if b.errno != 0 {
		return b.errno
	}
	return nil
}

// tryReceive reports whether the call is done. If it is not, the caller waits until
// the socket is readable.
func (b *batch) tryReceive(fd uintptr) bool {
	for i := range b.in {
		b.in[i].Namelen = unix.SizeofSockaddrInet6 // the kernel overwrote it
		b.in[i].SetControllen(b.controlSize)       // and this
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		case 0:
			b.n = int(n)
		}
		b.errno = errno
		return true
	}
}

// query returns a datagram that was read.
func (b *batch) query(i int) []byte {
	return b.queries[i*slotSize:][:min(int(b.in[i].size), maxQuery)]
}

// room returns memory for the reply to a datagram that was read.
func (b *batch) room(i int) []byte { return b.replies[i*maxUDP : i*maxUDP : (i+1)*maxUDP] }

// from returns the sender of a datagram. The zone of an address is the number of the
// interface.
func (b *batch) from(i int) netip.AddrPort {
	sa := b.peers[i][:b.in[i].Namelen]
	switch {
	case len(sa) == unix.SizeofSockaddrInet4 && binary.NativeEndian.Uint16(sa) == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(sa[4:8])), binary.BigEndian.Uint16(sa[2:]))
	case len(sa) == unix.SizeofSockaddrInet6 && binary.NativeEndian.Uint16(sa) == unix.AF_INET6:
		addr := netip.AddrFrom16([16]byte(sa[8:24]))
		if zone := binary.NativeEndian.Uint32(sa[24:]); zone != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(zone), 10))
		}
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(sa[2:]))
	}
	return netip.AddrPort{}
}

// control returns the control message that the reply to a datagram needs, or nothing. The next
// receive overwrites it.
func (b *batch) control(i int) []byte {
	if b.controlSize == 0 {
		return nil
	}
	n := b.controls[i].reply(int(b.in[i].Controllen))
	return unsafe.Slice((*byte)(unsafe.Pointer(&b.controls[i])), controlSize)[:n]
}

// answer adds the reply to a datagram that was read. It is sent by send.
func (b *batch) answer(i int, reply []byte) {
	o := &b.out[b.outs]
	o.Name, o.Namelen = b.in[i].Name, b.in[i].Namelen
	if b.controlSize > 0 {
		o.Control = b.in[i].Control
		o.SetControllen(b.controls[i].reply(int(b.in[i].Controllen)))
	}
	b.outVecs[b.outs].Base = &reply[0]
	b.outVecs[b.outs].SetLen(len(reply))
	b.outs++
}

// send sends the replies. A reply that the kernel refuses is lost, as a datagram may be;
// the others are sent.
func (b *batch) send() {
	b.sent = 0
	for again := -1; b.sent < b.outs; {
		b.errno = 0
		switch err := b.raw.Write(b.sendNow); {
		case err != nil:
			return // the socket is closed
		case b.errno == 0:
		case again != b.sent:
			again = b.sent // perhaps the error is about an earlier reply: some come later, by ICMP
		default:
			b.sent++
		}
	}
}

// trySend is as tryReceive.
func (b *batch) trySend(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[b.sent])), uintptr(b.outs-b.sent), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		case 0:
			b.sent += int(n)
		}
		b.errno = errno
		return true
	}
}
