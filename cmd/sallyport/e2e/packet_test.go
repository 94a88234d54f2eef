//go:build linux

// Packets: the parts of IP, TCP, UDP and DNS that an assertion needs.

package e2e

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// packet is one packet that arrived in the internet.
type packet struct {
	proto    string // "tcp", "udp", "icmp", or the number of another protocol
	src, dst netip.AddrPort
	syn      bool   // the first packet of a TCP connection
	icmp     byte   // the type of an ICMP message
	payload  []byte // above TCP or UDP, capped
	query    string // the name in a DNS query; "?": unreadable
}

// String shows a packet in a failure.
func (p packet) String() string {
	s := fmt.Sprintf("%s %v > %v", p.proto, p.src, p.dst)
	switch {
	case p.query != "":
		return s + " query " + p.query
	case p.syn:
		return s + " SYN"
	}
	return fmt.Sprintf("%s %d bytes %.40q", s, len(p.payload), p.payload)
}

// maxPayload bounds the stored bytes of each packet: a ClientHello fits.
const maxPayload = 4096

// parsePacket reads one IP packet. Bytes that it cannot read become a packet of an
// unknown protocol, so that the tests see everything that arrived.
func parsePacket(b []byte) packet {
	p := packet{proto: "unreadable"}
	if len(b) < 20 {
		return p
	}
	var src, dst netip.Addr
	var next byte
	switch b[0] >> 4 {
	case 4:
		head := int(b[0]&15) * 4
		src, _ = netip.AddrFromSlice(b[12:16])
		dst, _ = netip.AddrFromSlice(b[16:20])
		next = b[9]
		if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 || head > len(b) {
			p.proto = "fragment"
			p.src, p.dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
			return p
		}
		b = b[head:]
	case 6:
		if len(b) < 40 {
			return p
		}
		src, _ = netip.AddrFromSlice(b[8:24])
		dst, _ = netip.AddrFromSlice(b[24:40])
		next = b[6]
		b = b[40:]
		if next == 0 && len(b) >= 8 { // hop-by-hop options: multicast listener reports
			next, b = b[0], b[8:]
		}
	}
	return parseTransport(p, next, src, dst, b)
}

func parseTransport(p packet, next byte, src, dst netip.Addr, b []byte) packet {
	p.src, p.dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	head := 0
	switch {
	case next == 1 || next == 58:
		p.proto = "icmp"
		if len(b) > 0 {
			p.icmp = b[0]
		}
		return p
	case next == 6 && len(b) >= 20:
		p.proto, head = "tcp", int(b[12]>>4)*4
		p.syn = b[13]&0x12 == 0x02 // SYN without ACK
	case next == 17 && len(b) >= 8:
		p.proto, head = "udp", 8
	default:
		p.proto = fmt.Sprintf("protocol-%d", next)
		return p
	}
	p.src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	p.dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	if head <= len(b) {
		p.payload = append([]byte(nil), b[head:min(len(b), head+maxPayload)]...)
	}
	if p.dst.Port() == 53 && len(p.payload) > 0 {
		p.query = queryName(p.proto, p.payload)
	}
	return p
}

// probe is the question with which the gateway checks an idle resolver: it asks for
// the root's name servers. No client causes this question.
const probe = "the root's name servers"

// queryName returns the name in a query, or "?" if it cannot read the query.
func queryName(proto string, b []byte) string {
	if proto == "tcp" {
		if len(b) == 2 {
			return "" // the length prefix, sent by itself
		}
		if int(binary.BigEndian.Uint16(b)) == len(b)-2 {
			b = b[2:]
		}
	}
	var m dns.Msg
	if m.Unpack(b) != nil || len(m.Question) == 0 {
		return "?"
	}
	if q := m.Question[0]; q.Name == "." && q.Qtype == dns.TypeNS {
		return probe
	}
	return strings.TrimSuffix(strings.ToLower(m.Question[0].Name), ".")
}
