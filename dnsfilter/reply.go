// Reply: writes errors, denials and cached answers as bytes, with the query's own
// letters and the time to live that is left.

package dnsfilter

import (
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// noEDE means no extended error (RFC 8914). The code is from the range for
// private use.
const noEDE = 0xffff

// maxExtraText bounds the text of an extended error.
const maxExtraText = 200

// appendHead appends the header and the question of a reply to q.
func appendHead(out []byte, q *query, rcode int) []byte {
	start := len(out)
	flags := flagQR | flagRA | q.flags()&(flagRD|flagCD|opcodeMask) | uint16(rcode&0xf)
	out = append(out, q.msg[0], q.msg[1], byte(flags>>8), byte(flags), 0, 0, 0, 0, 0, 0, 0, 0)
	if q.qend > 0 {
		out[start+5] = 1
		out = append(out, q.msg[headerSize:q.qend]...)
	}
	return out
}

// appendOPT appends our OPT record if the client sent one. The record has a
// server cookie if the client sent a cookie, and an extended error unless ede
// is noEDE. appendOPT counts the record in the header at start.
func appendOPT(out []byte, start int, q *query, rcode int, ede uint16, text string) []byte {
	if !q.edns {
		return out
	}
	do := byte(0)
	if q.do {
		do = 0x80
	}
	out[start+11]++
	out = append(out, 0, 0, byte(dns.TypeOPT), maxUDP>>8, maxUDP&0xff, byte(rcode>>4), 0, do, 0, 0, 0)
	options := len(out)
	if q.cookie != 0 {
		out = append(out, 0, dns.EDNS0COOKIE, 0, clientCookieSize+serverCookieSize)
		out = append(out, q.msg[q.cookie:][:clientCookieSize]...)
		out = append(out, q.serverCookie[:]...)
	}
	if room := q.limit() - (len(out) - start) - 6; ede != noEDE && room >= 0 {
		text = cut(text, min(room, maxExtraText))
		out = append(out, 0, dns.EDNS0EDE, 0, byte(2+len(text)), byte(ede>>8), byte(ede))
		out = append(out, text...)
	}
	binary.BigEndian.PutUint16(out[options-2:], uint16(len(out)-options))
	return out
}

// cut shortens s to at most n bytes, at a space if one is near the end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	for i := n; i > n-20 && i > 0; i-- {
		if s[i] == ' ' {
			return s[:i]
		}
	}
	return s[:n]
}

// appendError appends a reply without records.
func appendError(out []byte, q *query, rcode int, ede uint16, text string) []byte {
	start := len(out)
	out = appendHead(out, q, rcode)
	return appendOPT(out, start, q, rcode, ede, text)
}

// appendTruncated appends a reply with TC set, so that the client asks again by
// TCP (RFC 7766, section 5). Apart from our cookie, the reply is no longer than
// the query.
func appendTruncated(out []byte, q *query) []byte {
	start := len(out)
	out = appendHead(out, q, dns.RcodeSuccess)
	out[start+2] |= flagTC >> 8
	return appendOPT(out, start, q, dns.RcodeSuccess, noEDE, "")
}

// appendNegative appends NXDOMAIN or NODATA with a SOA record. The client may
// cache it for ten seconds, so that it soon sees the effect of a reload.
func appendNegative(out []byte, q *query, rcode int, ede uint16, text string) []byte {
	start := len(out)
	out = appendHead(out, q, rcode)
	out[start+9]++
	name := q.wireName()
	switch up := 1 + int(name[0]); {
	case len(name) == 1 || rcode == dns.RcodeNameError && name[up] == 0:
		out = append(out, 0) // the root
	case rcode == dns.RcodeNameError: // the parent is the owner: it has no such child
		out = append(out, 0xc0, byte(headerSize+up))
	default:
		out = append(out, 0xc0, headerSize)
	}
	out = append(out, deniedSOA...)
	return appendOPT(out, start, q, rcode, ede, text)
}

// deniedSOA is a SOA record without its owner: type, class, TTL, length,
// primary server, mailbox, serial, refresh, retry, expire and minimum. Server
// and mailbox are below .invalid, so that they lead to no real host. TTL and
// minimum are ten seconds.
const deniedSOA = "\x00\x06\x00\x01\x00\x00\x00\x0a\x00\x37" +
	"\x09sallyport\x07invalid\x00" + "\x06nobody\x07invalid\x00" +
	"\x00\x00\x00\x01\x00\x00\x07\x08\x00\x00\x03\x84\x00\x09\x3a\x80\x00\x00\x00\x0a"

// appendCached appends the answer e with its TTLs reduced by age, for a client
// that reaches all its addresses. It reports whether the answer fits; if not,
// out is unchanged.
func appendCached(out []byte, q *query, e *entry, age time.Duration) ([]byte, bool) {
	start := len(out)
	size := len(e.wire) + q.optLen()
	if size > q.limit() || q.qend != e.qend {
		return out, false
	}
	out = append(out, e.wire...)
	m := out[start:]
	copy(m, q.msg[:2])
	flags := flagQR | flagRA | q.flags()&(flagRD|flagCD) | uint16(e.rcode)
	binary.BigEndian.PutUint16(m[2:], flags)
	copy(m[headerSize:], q.msg[headerSize:q.qend])
	if secs := uint32(age / time.Second); secs > 0 {
		for _, off := range e.ttls {
			ttl := binary.BigEndian.Uint32(m[off:])
			binary.BigEndian.PutUint32(m[off:], ttl-min(ttl, secs))
		}
	}
	return appendOPT(out, start, q, int(e.rcode), noEDE, ""), true
}

// ede returns the extended error code for the reason of a denial.
func ede(r rules.Reason) uint16 {
	switch r {
	case rules.UnknownClient, rules.Unauthenticated:
		return dns.ExtendedErrorCodeProhibited
	case rules.Draining, rules.JournalUnavailable:
		return dns.ExtendedErrorCodeNotReady
	case rules.DNSBogus:
		return dns.ExtendedErrorCodeDNSBogus
	case rules.Limit, rules.MalformedRequest:
		return dns.ExtendedErrorCodeOther
	}
	return dns.ExtendedErrorCodeBlocked
}
