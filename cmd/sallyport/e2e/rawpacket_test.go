//go:build linux

// Raw packets: IP packets made by hand, as a client with a raw socket or a
// packet socket sends them.

package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Protocols and flags of the packets that the tests build.
const (
	protoTCP, protoUDP       = 6, 17
	protoICMP, protoICMPv6   = 1, 58
	moreFragments            = 0x2000 // an IPv4 flag, in the field of the offset
	tcpSYN, tcpACK, tcpPush  = 0x02, 0x10, 0x08
	nextHopByHop, nextDstOpt = 0, 60
	nextFragment, nextRoute  = 44, 43
)

// ipPacket makes a packet of either family. fragment and options are only for IPv4.
func ipPacket(src, dst netip.Addr, proto byte, fragment uint16, options, payload []byte) []byte {
	if dst.Is6() {
		head := []byte{0x60, 0, 0, 0, 0, 0, proto, 64}
		binary.BigEndian.PutUint16(head[4:], uint16(len(payload)))
		return append(append(append(head, src.AsSlice()...), dst.AsSlice()...), payload...)
	}
	head := make([]byte, 12, 20)
	head[0], head[8], head[9] = byte(0x45+len(options)/4), 64, proto
	binary.BigEndian.PutUint16(head[2:], uint16(20+len(options)+len(payload)))
	binary.BigEndian.PutUint16(head[4:], 0x5a5a) // identification: the same for all fragments
	binary.BigEndian.PutUint16(head[6:], fragment)
	head = append(append(append(head, src.AsSlice()...), dst.AsSlice()...), options...)
	binary.BigEndian.PutUint16(head[10:], checksum(head))
	return append(head, payload...)
}

// segment makes a TCP segment, datagram a UDP datagram, and echo an echo request.
// All have the right checksum, because a filter must not drop them for a wrong
// checksum.
func segment(src, dst netip.AddrPort, flags byte, payload string) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	binary.BigEndian.PutUint32(b[4:], 1000)
	b[12], b[13], b[14] = 5<<4, flags, 0x40
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[16:], transportSum(src.Addr(), dst.Addr(), protoTCP, b))
	return b
}

func datagram(src, dst netip.AddrPort, payload string) []byte {
	b := make([]byte, 8)
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[6:], transportSum(src.Addr(), dst.Addr(), protoUDP, b))
	return b
}

func echo(src, dst netip.Addr, payload string) (proto byte, message []byte) {
	b := append([]byte{8, 0, 0, 0, 0x12, 0x34, 0, 1}, payload...)
	if dst.Is4() {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
		return protoICMP, b
	}
	b[0] = 128
	binary.BigEndian.PutUint16(b[2:], transportSum(src, dst, protoICMPv6, b))
	return protoICMPv6, b
}

func transportSum(src, dst netip.Addr, proto byte, b []byte) uint16 {
	pseudo := append(src.AsSlice(), dst.AsSlice()...)
	pseudo = append(pseudo, 0, proto, byte(len(b)>>8), byte(len(b)))
	return checksum(append(pseudo, b...))
}

// checksum returns the Internet checksum.
func checksum(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		sum += uint32(c) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// sendRaw sends a packet that carries its own IP header, from the calling thread.
func sendRaw(dst netip.Addr, packet []byte) error {
	family, to := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte(dst.AsSlice()[:4])})
	if dst.Is6() {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Addr: dst.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, packet, 0, to)
}

// sendFrame sends a packet below IP, to the neighbour with that hardware
// address, from the calling thread.
func sendFrame(iface string, neighbour net.HardwareAddr, packet []byte) error {
	index, err := ifindex(iface)
	if err != nil {
		return err
	}
	proto := uint16(unix.ETH_P_IP)
	if packet[0]>>4 == 6 {
		proto = unix.ETH_P_IPV6
	}
	proto = proto<<8 | proto>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	to := &unix.SockaddrLinklayer{Protocol: proto, Ifindex: index, Halen: 6}
	copy(to.Addr[:], neighbour)
	return unix.Sendto(fd, packet, 0, to)
}
