// Malformed: queries that are not of the usual form, read with the library.

package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// fault is the reason to refuse a message without a decision about its name.
type fault struct {
	rcode  int // -1: no reply
	detail string
}

// answerMalformed answers a message that parse did not accept. Nearly always
// such a message breaks the protocol or uses something that no real client
// needs. The message is recorded as an attempt like any other.
func (f *Filter) answerMalformed(q *query, out []byte) []byte {
	flt := q.inspect()
	a := q.attempt(f.cfg.Generation(), flt)
	d := f.cfg.Gate.Decide(a)
	if d.Why() == rules.UnknownClient || d.Why() == rules.Unauthenticated {
		return f.deny(q, f.resolverOf(a.Generation), &a, d, out)
	}
	if flt.rcode < 0 || d.Client == nil && !f.unknownReplies.allow(f.clock()) {
		f.observe(q, KindDropped, 0)
		return out
	}
	text := flt.detail
	if d.Client == nil { // unknown clients get only the code
		text = ""
	}
	f.observe(q, KindMalformed, flt.rcode)
	return appendError(out, q, flt.rcode, dns.ExtendedErrorCodeOther, text)
}

// attempt returns the attempt for a message that inspect has read.
func (q *query) attempt(g *rules.Generation, flt fault) rules.Attempt {
	a := rules.Attempt{
		Generation: g, Flow: q.flow, Via: rules.ViaDNS, Client: q.client, Identity: q.who, SourceProven: q.proven, Proto: q.proto, QType: q.qtype,
		Fault: rules.MalformedRequest, Detail: flt.detail, Raw: bytes.Clone(q.msg[:min(len(q.msg), maxRaw)]),
	}
	if q.qend > 0 {
		if name, err := nameOf(q.wireName()); err == nil {
			a.Authority = name
		}
	}
	return a
}

// inspect returns what is wrong with a message. It fills q as far as the
// message can be read, so that the reply can repeat the question.
func (q *query) inspect() fault {
	q.qend, q.qtype, q.edns, q.cookie = 0, 0, false, 0
	if len(q.msg) < headerSize {
		return fault{-1, "message is shorter than its header"}
	}
	flags := q.flags()
	if flags&flagQR != 0 {
		return fault{-1, "message is a response"} // two servers could reply to each other for ever
	}
	if op := int(flags & opcodeMask >> 11); op != dns.OpcodeQuery {
		return fault{dns.RcodeNotImplemented, "opcode " + dns.OpcodeToString[op]}
	}
	if n := binary.BigEndian.Uint16(q.msg[4:]); n != 1 { // RFC 9619
		return fault{dns.RcodeFormatError, fmt.Sprintf("%d questions", n)}
	}
	end, ok := skipPlainName(q.msg, headerSize)
	if !ok || end+4 > len(q.msg) { // a compression pointer here could only point into the header
		return fault{dns.RcodeFormatError, "question cannot be read"}
	}
	q.qend, q.qtype = end+4, binary.BigEndian.Uint16(q.msg[end:])
	if class := binary.BigEndian.Uint16(q.msg[end+2:]); class != dns.ClassINET {
		return fault{dns.RcodeRefused, "class " + dns.Class(class).String()}
	}
	if q.qtype == dns.TypeAXFR || q.qtype == dns.TypeIXFR {
		return fault{dns.RcodeRefused, "zone transfer"}
	}
	q.peekOPT()
	return q.inspectRecords()
}

// peekOPT sets the EDNS fields if an OPT record follows the question, even if
// its options or later records are broken. The reply to a broken OPT record has
// an OPT record, too (RFC 6891, section 7).
func (q *query) peekOPT() {
	r := q.msg[q.qend:]
	if len(r) < optSize || binary.BigEndian.Uint32(q.msg[6:]) != 0 || r[0] != 0 || binary.BigEndian.Uint16(r[1:]) != dns.TypeOPT {
		return
	}
	q.edns, q.do, q.size = true, r[7]&0x80 != 0, binary.BigEndian.Uint16(r[3:])
}

// inspectRecords returns what is wrong after the question.
func (q *query) inspectRecords() fault {
	m := new(dns.Msg)
	if err := unpackWhole(m, q.msg); err != nil {
		return fault{dns.RcodeFormatError, err.Error()}
	}
	if len(m.Answer)+len(m.Ns) > 0 {
		return fault{dns.RcodeFormatError, "query has answers"}
	}
	var opt *dns.OPT
	for _, rr := range m.Extra {
		o, ok := rr.(*dns.OPT)
		if !ok {
			return fault{dns.RcodeFormatError, "query has a record of type " + dns.Type(rr.Header().Rrtype).String()}
		}
		if opt != nil || o.Hdr.Name != "." { // RFC 6891, section 6.1.1
			return fault{dns.RcodeFormatError, "OPT record is repeated or has a name"}
		}
		opt = o
	}
	if opt != nil {
		q.edns, q.do, q.size = true, opt.Do(), opt.UDPSize()
		if opt.Version() != 0 {
			return fault{dns.RcodeBadVers, fmt.Sprintf("EDNS version %d", opt.Version())}
		}
		if n, ok := badCookie(opt); ok {
			return fault{dns.RcodeFormatError, fmt.Sprintf("COOKIE option of %d octets", n)}
		}
	}
	return fault{dns.RcodeFormatError, "message is truncated or has data after its end"}
}

// badCookie returns the length of the first COOKIE option, and whether that
// length is invalid.
func badCookie(opt *dns.OPT) (int, bool) {
	for _, o := range opt.Option {
		if c, ok := o.(*dns.EDNS0_COOKIE); ok {
			n := len(c.Cookie) / 2 // hexadecimal
			return n, !validCookieSize(n)
		}
	}
	return 0, false
}

// unpackWhole is a strict Unpack: the counts in the header must be right, and
// no data may follow.
func unpackWhole(m *dns.Msg, msg []byte) error {
	if err := m.Unpack(msg); err != nil {
		return err
	}
	for i, got := range [...]int{len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra)} {
		if int(binary.BigEndian.Uint16(msg[4+2*i:])) != got {
			return errors.New("record counts in the header do not match the message")
		}
	}
	return nil
}
