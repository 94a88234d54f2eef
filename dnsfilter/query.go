// Query: parses the usual form of a query from its bytes, without allocating.

package dnsfilter

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// Sizes of the wire format.
const (
	headerSize  = 12
	maxWireName = 255  // RFC 1035, section 2.3.4
	maxUDP      = 1232 // fits every path without fragments (RFC 9715)
	optSize     = 11   // an OPT record without options
)

// Header bits, as in the 16 bits after the ID.
const (
	flagQR = 1 << 15
	flagTC = 1 << 9
	flagRD = 1 << 8
	flagRA = 1 << 7
	flagCD = 1 << 4

	opcodeMask = 0xf << 11
	// unusualFlags are not set in a query of the usual form. All other flags
	// mean nothing in a query and are ignored.
	unusualFlags = flagQR | opcodeMask | flagTC
)

// forwarded reports whether queries of a type are forwarded at all.
func forwarded(qtype uint16) bool {
	return qtype == dns.TypeA || qtype == dns.TypeAAAA || qtype == dns.TypeHTTPS || qtype == dns.TypeSVCB || qtype == dns.TypeDS || qtype == dns.TypeDNSKEY
}

// query is one parsed query. The goroutine that read the query owns msg until
// the query is cloned.
type query struct {
	msg      []byte
	qend     int // msg[headerSize:qend] is the question
	qtype    uint16
	edns, do bool
	size     uint16 // if edns is true: the UDP payload size that the client accepts

	cookie       uint16          // offset in msg of the COOKIE option's data; 0: no cookie
	cookieSize   uint8           // its length in bytes
	serverCookie serverCookie    // if cookie is true: the server cookie for the reply
	proven       bool            // the source address is proven
	who          *rules.Identity // what the client has proven beside its address; nil: nothing
	pins         bool            // the addresses of the answer are pinned to the client, whatever Config.Pins is

	client  netip.AddrPort // unmapped
	proto   rules.Proto
	flow    uint64
	arrived time.Time
	tally   *tally // counts the replies of the query's batch; nil: the query came alone
}

func (q *query) id() uint16    { return binary.BigEndian.Uint16(q.msg) }
func (q *query) flags() uint16 { return binary.BigEndian.Uint16(q.msg[2:]) }

// wireName returns the name in the question, in the client's letter case.
func (q *query) wireName() []byte { return q.msg[headerSize : q.qend-4] }

// limit returns the largest allowed size of the reply.
func (q *query) limit() int {
	switch {
	case q.proto == rules.TCP:
		return dns.MaxMsgSize
	case !q.proven:
		return min(maxAmplification*len(q.msg), dns.MinMsgSize)
	case q.edns:
		return min(max(int(q.size), dns.MinMsgSize), maxUDP)
	}
	return dns.MinMsgSize
}

// optLen returns the size of the reply's OPT record without extended error.
func (q *query) optLen() int {
	switch {
	case !q.edns:
		return 0
	case q.cookie != 0:
		return optSize + cookieOptionSize
	}
	return optSize
}

// parse reads q.msg if it is a query of the usual form: one question of class
// IN with an uncompressed name, and nothing else except an OPT record of EDNS
// version 0. It reports whether that is so. answerMalformed handles all other
// messages.
func (q *query) parse() bool {
	m := q.msg
	if len(m) < headerSize+5 || q.flags()&unusualFlags != 0 {
		return false
	}
	counts := binary.BigEndian.Uint64(m[4:])
	if counts>>1 != 1<<47 { // one question, no answers, no authority records, 0 or 1 additional records
		return false
	}
	end, ok := skipPlainName(m, headerSize)
	if !ok || len(m) < end+4 {
		return false
	}
	q.qend = end + 4
	q.qtype = binary.BigEndian.Uint16(m[end:])
	if binary.BigEndian.Uint16(m[end+2:]) != dns.ClassINET {
		return false
	}
	if counts&1 == 0 {
		return len(m) == q.qend
	}
	return q.parseOPT(m[q.qend:])
}

// parseOPT reads the rest of a message, which must be one OPT record of version
// 0. It keeps the first COOKIE option (RFC 7873, section 5.2). It checks the
// lengths of the other options and ignores them, because none is meant for this
// server.
func (q *query) parseOPT(r []byte) bool {
	if len(r) < optSize || r[0] != 0 || binary.BigEndian.Uint16(r[1:]) != dns.TypeOPT || r[6] != 0 {
		return false
	}
	if int(binary.BigEndian.Uint16(r[9:])) != len(r)-optSize {
		return false
	}
	for o := r[optSize:]; len(o) > 0; {
		if len(o) < 4 || len(o) < 4+int(binary.BigEndian.Uint16(o[2:])) {
			return false
		}
		n := int(binary.BigEndian.Uint16(o[2:]))
		if binary.BigEndian.Uint16(o) == dns.EDNS0COOKIE && q.cookie == 0 {
			if !validCookieSize(n) {
				return false
			}
			q.cookie, q.cookieSize = uint16(len(q.msg)-len(o)+4), uint8(n)
		}
		o = o[4+n:]
	}
	q.edns, q.do, q.size = true, r[7]&0x80 != 0, binary.BigEndian.Uint16(r[3:])
	return true
}

// skipPlainName returns the end of the uncompressed name at off.
func skipPlainName(m []byte, off int) (int, bool) {
	for p := off; p < len(m) && p-off < maxWireName; {
		l := int(m[p])
		switch {
		case l == 0:
			return p + 1, true
		case l > rules.MaxLabel: // a compression pointer or an undefined label type
			return 0, false
		}
		p += 1 + l
	}
	return 0, false
}

// keySize is the size of the longest key.
const keySize = maxWireName + 3

// appendKey appends the cache key of a question: the name's wire form in lower
// case, and the type. want.appendTo appends the rest for a client that wants
// signatures.
func appendKey(key, wireName []byte, qtype uint16) []byte {
	for _, c := range wireName { // length octets are below 'A'
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		key = append(key, c)
	}
	return append(key, byte(qtype>>8), byte(qtype))
}

// appendWireName appends the wire form of a canonical name.
func appendWireName(b []byte, n rules.Name) []byte {
	s := n.String()
	for len(s) > 0 {
		l := 0
		for l < len(s) && s[l] != '.' {
			l++
		}
		b = append(append(b, byte(l)), s[:l]...)
		s = s[min(l+1, len(s)):]
	}
	return append(b, 0)
}

// nameOf turns an uncompressed wire name into a Name. It refuses a label with a
// dot in it: no host name has one, and it would read as two labels.
func nameOf(wire []byte) (rules.Name, error) {
	var buf [maxWireName]byte
	text := buf[:0]
	for p := 0; p < len(wire) && wire[p] != 0; {
		label := wire[p+1 : p+1+int(wire[p])]
		if p > 0 {
			text = append(text, '.')
		}
		for _, c := range label {
			if c == '.' {
				return rules.Name{}, rules.ErrNameByte
			}
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			text = append(text, c)
		}
		p += 1 + len(label)
	}
	return rules.ParseName(string(text))
}
