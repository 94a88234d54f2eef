// Upstream query: sends one question to one upstream, on a socket of its own, and
// reads the reply: it checks ID, question and flags.

package dnsfilter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// The reasons why a message from an upstream is not an answer.
var (
	errMismatch       = errors.New("reply is to another question")
	errNoEDNS         = errors.New("server does not understand EDNS")
	errTruncated      = errors.New("reply is truncated")
	errTooManyRecords = errors.New("reply has more than 512 records")
)

// errAnswered cancels a try because another upstream has answered.
var errAnswered = errors.New("another upstream answered first")

// maxUnpacked bounds the records that are unpacked from a reply. Each record
// can take a kilobyte, because its unpacked name is a copy, even if the message
// holds the name only once.
const maxUnpacked = 2 * maxRecords

// ask sends one question and waits for its answer until ctx ends. It sends a
// datagram from a new source port, with a random ID and random letter case
// (0x20). It asks by TCP if the answer is truncated, and again without EDNS if
// the server does not support EDNS. name ends in a dot. No EDNS option of a
// client is passed on. A probe is about the server, not about the name, so ask
// may return no message for it. If another server answers first and this one
// has already taken more than its usual time, the try counts as failed.
func (f *Filter) ask(ctx context.Context, u *server, name string, w want, probe bool) (m *dns.Msg, err error) {
	began, since := f.clock(), time.Now()
	defer func() {
		timeoutError := context.Cause(ctx) == errAnswered && time.Since(since) > u.retryAfter(f.cfg.TryTimeout)
		if ctx.Err() != context.Canceled || timeoutError { // a cancelled try is not the server's failure
			f.recordTry(u, m, err, probe, f.clock()-began)
		}
	}()
	for _, edns := range [...]bool{true, false} {
		m, err = f.askOnce(ctx, u, name, w, edns, probe)
		if !errors.Is(err, errNoEDNS) {
			break
		}
	}
	return m, err
}

// askOnce is ask with or without EDNS.
func (f *Filter) askOnce(ctx context.Context, u *server, name string, w want, edns, probe bool) (*dns.Msg, error) {
	network, letterCaseAt := u.Over.String(), u.letterCaseAt(f.clock())
	if letterCaseAt == caseKeptByTCP {
		network = "tcp"
	}
	query, err := upstreamQuery(name, w, queryForm{edns: edns, mixed: network == "udp" && letterCaseAt == caseKept, padded: u.Over.Proven(), ad: u.confirms})
	if err != nil {
		return nil, err
	}
	r, err := f.roundTrip(ctx, u, network, query)
	switch {
	case network != "udp":
	case r.caseChanged && letterCaseAt == caseKept:
		return f.askAgain(ctx, u, name, w, edns)
	case errors.Is(err, errTruncated) && probe:
		return nil, nil // an answer is all that a probe needs, and TCP may be blocked
	case errors.Is(err, errTruncated):
		r, err = f.roundTrip(ctx, u, "tcp", query)
	}
	if err == nil && letterCaseAt == caseKept && network == "udp" {
		f.recordCase(u, caseKept)
	}
	return r.m, err
}

// reply is the answer of one upstream.
type reply struct {
	m           *dns.Msg
	caseChanged bool // the question came back in another letter case
}

// roundTrip sends a packed query and waits for the answer until ctx ends. network is
// how to ask an upstream by UDP or TCP.
func (f *Filter) roundTrip(ctx context.Context, u *server, network string, query []byte) (r reply, err error) {
	began := time.Now()
	switch u.Over { // an upstream that proves who it is has no other way
	case rules.OverTLS:
		r, err = f.roundTripTLS(ctx, u, query)
	case rules.OverHTTPS:
		r, err = f.roundTripHTTPS(ctx, u, query)
	default:
		r, err = f.roundTripPlain(ctx, u, network, query)
	}
	if r.m != nil || errors.Is(err, errTruncated) || errors.Is(err, errNoEDNS) {
		u.addSample(time.Since(began))
	}
	return r, err
}

// roundTripPlain is roundTrip by UDP or TCP, over a new connection.
func (f *Filter) roundTripPlain(ctx context.Context, u *server, network string, query []byte) (reply, error) {
	conn, err := f.cfg.Dial(ctx, network, u.text)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return reply{}, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(past) })
	defer stop()
	if network == "tcp" {
		return roundTripTCP(conn, query)
	}
	return roundTripUDP(ctx, conn, query, u.retryAfter(f.cfg.TryTimeout))
}

// caseChangedWait is how long to wait for a reply in the right letter case
// after a reply in another case, which may be forged.
const caseChangedWait = 100 * time.Millisecond

// roundTripUDP waits for the datagram that answers the query. It sends the
// query again if no answer comes in time, and doubles the wait each time (RFC
// 6298, section 5.5). It sends the same query from the same port, so an answer
// to any copy counts, and a guess is no easier. It ignores all other datagrams,
// such as those with another ID or another question: an attacker's guess must
// not end the wait.
func roundTripUDP(ctx context.Context, conn net.Conn, query []byte, wait time.Duration) (reply, error) {
	if _, err := conn.Write(query); err != nil {
		return reply{}, err
	}
	next := time.Now().Add(wait)
	last, _ := ctx.Deadline()
	var caseChanged reply
	var why error
	for buf := make([]byte, 4096); ; {
		conn.SetReadDeadline(earlier(next, last))
		if ctx.Err() != nil { // otherwise the new deadline could replace the deadline that ends this read
			conn.SetReadDeadline(past)
		}
		n, err := conn.Read(buf)
		var timeout net.Error
		switch {
		case err == nil:
			r, err := readReply(buf[:n], query)
			switch {
			case r.caseChanged && !caseChanged.caseChanged:
				caseChanged, why = r, err
				next = time.Now().Add(caseChangedWait)
			case r.caseChanged:
			case err == nil || errors.Is(err, errNoEDNS) || errors.Is(err, errTruncated):
				return r, err
			}
		case !errors.As(err, &timeout) || !timeout.Timeout() || ctx.Err() != nil || !time.Now().Before(last):
			return reply{}, err
		case caseChanged.caseChanged:
			return caseChanged, why
		default:
			if _, err := conn.Write(query); err != nil {
				return reply{}, err
			}
			wait *= 2
			next = time.Now().Add(wait)
		}
	}
}

// earlier returns the earlier of two deadlines. A zero b means none.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// roundTripTCP reads one message. A wrong message is an error, because others
// cannot inject one. For the same reason the letter case does not matter.
func roundTripTCP(conn net.Conn, query []byte) (reply, error) {
	framed := append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query))), query...)
	if _, err := conn.Write(framed); err != nil {
		return reply{}, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return reply{}, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return reply{}, err
	}
	return readReply(buf, query)
}

// readReply parses r if it answers the query: it must have the same ID and the
// same question. If r has the question in another letter case, the reply is
// marked so, even if it has other faults.
func readReply(r, query []byte) (reply, error) {
	if len(r) < headerSize || r[0] != query[0] || r[1] != query[1] {
		return reply{}, errMismatch
	}
	flags := binary.BigEndian.Uint16(r[2:])
	if flags&flagQR == 0 || flags&opcodeMask != 0 {
		return reply{}, errMismatch
	}
	edns := query[11] == 1
	rcode := int(flags & 0xf)
	if len(r) == headerSize && edns && (rcode == dns.RcodeFormatError || rcode == dns.RcodeNotImplemented) {
		return reply{}, errNoEDNS // some servers send only the header
	}
	end, _ := skipPlainName(query, headerSize)
	end += 4
	if binary.BigEndian.Uint16(r[4:]) != 1 || len(r) < end || !sameQuestion(r[headerSize:end], query[headerSize:end]) {
		return reply{}, errMismatch
	}
	out := reply{caseChanged: !bytes.Equal(r[headerSize:end], query[headerSize:end])}
	if edns && (rcode == dns.RcodeFormatError || rcode == dns.RcodeNotImplemented) {
		return out, errNoEDNS
	}
	if flags&flagTC != 0 {
		return out, errTruncated
	}
	records := 0
	for i := 6; i < headerSize; i += 2 {
		records += int(binary.BigEndian.Uint16(r[i:]))
	}
	if records > maxUnpacked {
		return out, errTooManyRecords
	}
	m := new(dns.Msg)
	if err := m.Unpack(r); err != nil {
		return out, err
	}
	out.m = m
	return out, nil
}

// sameQuestion compares two questions of the same length. It ignores the letter
// case of names.
func sameQuestion(a, b []byte) bool {
	name := len(a) - 4
	for i := range a {
		x, y := a[i], b[i]
		if i < name && 'A' <= x && x <= 'Z' {
			x |= 0x20
		}
		if i < name && 'A' <= y && y <= 'Z' {
			y |= 0x20
		}
		if x != y {
			return false
		}
	}
	return true
}
