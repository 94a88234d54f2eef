// SOCKS5 datagram header: the strict grammar of the header in front of each datagram of an
// association (RFC 1928, section 7).

package proxy

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/things-go/go-socks5/statute"

	"sallyport/proxy/datagram"
	"sallyport/proxy/head"
	"sallyport/rules"
)

// maxSOCKSNames bounds the names that an association keeps in parsed form.
const maxSOCKSNames = 64

// A socksHeader reads the headers of one association. It keeps the names that it has read, so that
// the header of a further datagram to the same name allocates nothing.
type socksHeader struct{ names map[string]rules.Authority }

// parse returns the destination of a datagram and the length of its header. A port of 0 and a
// fragment are faults with a destination.
func (h *socksHeader) parse(b []byte) (to rules.Authority, n int, f *socksFault) {
	if len(b) < 4 {
		return to, 0, malformedDatagram("SOCKS5 datagram of %d octets: its header has 10 or more", len(b))
	}
	if b[0] != 0 || b[1] != 0 {
		return to, 0, malformedDatagram("reserved octets of the SOCKS5 datagram are not 0")
	}
	switch b[3] {
	case statute.ATYPIPv4:
		n = 4 + 4 + 2
	case statute.ATYPIPv6:
		n = 4 + 16 + 2
	case statute.ATYPDomain:
		if n = 4 + 1 + 2; len(b) > 4 {
			n += int(b[4])
		}
	default:
		return to, 0, malformedDatagram("unknown address type %d in the SOCKS5 datagram", b[3])
	}
	if len(b) < n {
		return to, 0, malformedDatagram("SOCKS5 datagram of %d octets: its header has %d", len(b), n)
	}
	if b[3] == statute.ATYPDomain {
		to, f = h.name(b[5 : n-2])
	} else {
		addr, _ := netip.AddrFromSlice(b[4 : n-2])
		to.Addr = addr.Unmap()
	}
	to.Port = binary.BigEndian.Uint16(b[n-2 : n])
	switch {
	case f != nil:
		f.dest.Port = to.Port
	case b[2] != 0:
		f = malformedDatagram("SOCKS5 datagram is fragment %d: fragments are refused", b[2])
		f.dest = to
	case to.Port == 0:
		f = malformedDatagram("SOCKS5 datagram to port 0")
		f.dest = to
	}
	return to, n, f
}

// name returns the destination that a name or an address as text means.
func (h *socksHeader) name(b []byte) (rules.Authority, *socksFault) {
	if to, ok := h.names[string(b)]; ok {
		return to, nil
	}
	to, err := rules.ParseHost(string(b))
	if err != nil {
		return to, &socksFault{reason: rules.MalformedName, detail: err.Error(), raw: []byte(head.Recordable(string(b)))}
	}
	if h.names == nil || len(h.names) >= maxSOCKSNames {
		h.names = make(map[string]rules.Authority)
	}
	h.names[string(b)] = to
	return to, nil
}

func malformedDatagram(format string, args ...any) *socksFault {
	return &socksFault{reason: rules.MalformedRequest, detail: fmt.Sprintf(format, args...)}
}

// appendSOCKSHeader appends the header of a datagram from an address.
func appendSOCKSHeader(b []byte, from netip.AddrPort) []byte {
	kind := byte(statute.ATYPIPv4)
	if from.Addr().Is6() {
		kind = statute.ATYPIPv6
	}
	b = append(b, 0, 0, 0, kind)
	b = append(b, from.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, from.Port())
}

// maxReplyHeader is the longest header of a reply from an address. It fits into the free bytes in
// front of a reply.
const (
	maxReplyHeader = 4 + 16 + 2
	_              = uint(datagram.Headroom - maxReplyHeader)
)
