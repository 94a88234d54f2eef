// Sniff: waits for a tunnel client's first bytes and names what they are,
// without using them up, within one deadline and fixed limits.

package proxy

import (
	"errors"
	"io"
	"os"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/hello"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// Ports that carry one protocol only.
const (
	portHTTP = 80
	portTLS  = 443
)

// A sniffResult is what a client's first bytes were. Either there is a fault or
// shown says what they are.
type sniffResult struct {
	shown   rules.Shown
	tls     bool // begins like TLS, so an alert is understood
	http    bool // begins like HTTP/1, so a page is understood
	hello   hello.Hello
	size    int       // of tls: bytes of the hello's records
	line    head.Line // of what is not TLS: its first line so far
	scanned int       // bytes that line has taken
	head    head.Head
	fault   rules.Reason
	detail  string
	raw     []byte
	err     error // why no more could be read
}

// addTo puts what was seen into the question.
func (s *sniffResult) addTo(a *rules.Attempt) {
	a.Shown, a.Fault, a.Detail, a.Raw = s.shown, s.fault, s.detail, s.raw
	a.SNI, a.ECH = s.hello.SNI, s.hello.ECH
	if s.head.HasHost {
		a.Host, a.HostAddr, a.HostPort = s.head.Host.Name, s.head.Host.Addr, s.head.Host.Port
	}
}

// textWait is how long a beginning that is no more than like a request's is
// held, from its first byte on. A request that is sent in pieces has its line
// together by then; a client of another protocol hardly notices.
const textWait = 20 * time.Millisecond

// sniff awaits enough of c.Bytes to name it. One absolute deadline spans all of
// it. What looks like HTTP is only recognised, not read to its end.
//
// On ports 80 and 443 only what belongs there is looked for; port 0 is for
// flows whose bytes alone tell. On all others what cannot become a hello or a
// request is named at once; what is only like the beginning of a request, when
// the client ends it, or, where eager, after textWait. It is opaque then, and
// line tells those who pass it on what would make it a request.
//
// A client that leaves, or stays, without having shown anything is a
// sniff_timeout; one that ends within a hello or, on port 80, within a request
// line is a malformed_request.
func (p *Proxy) sniff(c *client, port uint16, eager bool) (s sniffResult) {
	if s.fault, s.detail = p.beginSniff(c); s.fault != rules.ReasonNone {
		return s
	}
	defer p.endSniff(c)
	defer c.Deadline(0)
	end := time.Now().Add(p.limits.Sniff)
	soon := end
	var scan hello.Scan
	for {
		if s.examine(c.Bytes, port, &scan) {
			return s
		}
		until := end
		if eager && s.scanned > 0 && s.line.Patience() == head.Brief {
			if soon == end {
				soon = time.Now().Add(min(p.cfg.textWait, p.limits.Sniff))
			}
			until = soon
		}
		c.TCP.SetReadDeadline(until)
		if err := c.Fill(hello.MaxRecords); err != nil {
			if !s.settled(c.Bytes, port, err, until != end) {
				s.unfinished(c.Bytes, err)
			}
			return s
		}
	}
}

// examine names b, the bytes so far. It answers false where more are needed.
func (s *sniffResult) examine(b []byte, port uint16, scan *hello.Scan) (done bool) {
	if len(b) == 0 {
		return false
	}
	if s.tls = b[0] == hello.RecordHandshake; s.tls {
		return s.examineTLS(b, port, scan)
	}
	s.shown = rules.ShownOpaque
	if port == portTLS {
		s.detail = hello.FirstByteText(b[0])
		return true
	}
	switch like, detail := head.Lookalike(b); like {
	case head.Perhaps:
		return false
	case head.Alike: // on the port that carries HTTP only the policy says why not
		if s.detail = detail; port != portHTTP {
			s.shown, s.fault = rules.Unseen, rules.MalformedRequest
		}
		return true
	}
	return s.examineText(b)
}

// examineText looks for a request. A line that is none in any strict reading is
// not waited for, and one that is too long to be held is refused.
func (s *sniffResult) examineText(b []byte) (done bool) {
	like := s.line.Feed(b[s.scanned:])
	s.scanned = len(b)
	switch {
	case like == head.Alike:
		s.http = true
	case like == head.Perhaps && s.line.Patience() != head.None:
		if len(b) <= head.MaxRequestLine {
			return false
		}
		s.fault, s.detail = rules.SniffTooLong, head.TargetTooLong
	}
	return true
}

// settled names what will not become more than it is: the client has ended it,
// or has been waited for long enough (late). It answers false where that says
// nothing.
func (s *sniffResult) settled(b []byte, port uint16, err error, late bool) bool {
	switch {
	case s.tls || len(b) == 0 || port == portHTTP:
		return false
	case err == io.EOF:
		s.http = s.scanned > 0 && s.line.AtEnd() == head.Alike
		return true
	}
	return late && errors.Is(err, os.ErrDeadlineExceeded)
}

func (s *sniffResult) examineTLS(b []byte, port uint16, scan *hello.Scan) (done bool) {
	if port == portHTTP {
		s.shown, s.detail = rules.ShownOpaque, "looks like TLS"
		return true
	}
	if port != portTLS && len(b) > 1 && b[1] != 3 {
		return s.examineOldTLS(b)
	}
	var more bool
	if s.hello, s.fault, s.detail, more = scan.Parse(b); more {
		return false
	}
	if s.fault == rules.NotTLS && port != portTLS {
		s.fault = rules.MalformedRequest
	}
	if s.fault == rules.ReasonNone {
		s.shown, s.size = rules.ShownTLS, scan.Size
	} else {
		s.raw = s.hello.RawSNI
	}
	return true
}

// examineOldTLS judges a record whose version is not 3.x. Some servers take one
// below 16 for TLS all the same, if a hello is in it. Other protocols begin with
// a length that has the number of a handshake record.
func (s *sniffResult) examineOldTLS(b []byte) (done bool) {
	const kind = hello.RecordHeader // where the type of the first message stands
	switch {
	case b[1] >= 0x10, len(b) > kind && b[kind] != hello.TypeClientHello && hello.RecordSize(b) > 0:
		s.tls, s.shown = false, rules.ShownOpaque
		return s.examineText(b)
	case len(b) <= kind:
		return false
	}
	s.fault, s.detail = rules.MalformedRequest, "record version is not 3.x"
	return true
}

// sniffHead reads the rest of a request head that will be relayed as it is.
func (f *flow) sniffHead() (s sniffResult) {
	s.http = true
	f.c.Deadline(f.p.limits.Sniff)
	defer f.c.Deadline(0)
	for {
		var more bool
		if s.head, s.fault, s.detail, more = head.Parse(f.c.Bytes); !more {
			s.shown = rules.ShownHTTP
			return s
		}
		if err := f.c.Fill(head.MaxHead + 1); err != nil {
			s.unfinished(f.c.Bytes, err)
			return s
		}
	}
}

// unfinished says why there will be no more bytes.
func (s *sniffResult) unfinished(b []byte, err error) {
	s.err = err
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.fault, s.detail = rules.SniffTimeout, ""
	case errors.Is(err, peek.ErrFull):
		s.fault, s.detail = rules.SniffTooLong, ""
	case len(b) == 0:
		s.fault, s.detail = rules.SniffTimeout, "the client left without sending anything"
	case err == io.EOF:
		s.fault, s.detail = rules.MalformedRequest, "the client ended before its first message did"
	default:
		s.fault, s.detail = rules.MalformedRequest, "the connection broke before the first message ended"
	}
}
