// Sniff: waits for a client's first bytes and recognises them without consuming them, within
// one deadline and fixed limits.

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

// A sniffResult describes a client's first bytes: it has a fault, or else what they show.
type sniffResult struct {
	shown   rules.Shown
	tls     bool // begins like TLS: the client understands an alert
	http    bool // begins like HTTP/1: the client understands a denial page
	hello   hello.Hello
	size    int       // if tls is true: bytes of the records that hold the ClientHello
	line    head.Line // without tls: the first line so far
	scanned int       // how many bytes were fed to line
	head    head.Head
	fault   rules.Reason
	detail  string
	raw     []byte
	err     error // why no more could be read
}

// addTo adds the result to the question.
func (s *sniffResult) addTo(a *rules.Attempt) {
	a.Shown, a.Fault, a.Raw = s.shown, s.fault, s.raw
	if !a.Unproven || s.detail != "" {
		a.Detail = s.detail
	}
	a.SNI, a.ECH = s.hello.SNI, s.hello.ECH
	if s.head.HasHost {
		a.Host, a.HostAddr, a.HostPort = s.head.Host.Name, s.head.Host.Addr, s.head.Host.Port
	}
}

// textWait is how long the proxy holds bytes that only resemble the beginning of a request. It
// counts from the first byte. A request that is sent in pieces has its line complete by then.
// Clients of other protocols hardly notice the delay.
const textWait = 20 * time.Millisecond

// sniff waits until c.Bytes can be recognised. One absolute deadline bounds all of it. HTTP is
// only recognised, not read to its end.
//
// On ports 80 and 443 sniff looks only for the protocol of the port. Port 0 stands for flows that
// only their bytes identify. On all other ports, bytes that cannot become a ClientHello or a
// request are opaque at once. Bytes that only resemble the beginning of a request are opaque when
// the client ends them. If eager is set, they are also opaque after textWait. line then continues
// to watch for the byte that would make them a request.
//
// A client gets sniff_timeout if it has shown nothing when it leaves or when the time is over. A
// client that ends inside a ClientHello or, on port 80, inside a request line gets
// malformed_request.
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
		if p.draining.Load() {
			p.endWait(c) // else the line above would undo what the drain did
		}
		if err := c.Fill(hello.MaxRecords); err != nil {
			if !s.settled(c.Bytes, port, err, until != end) {
				s.unfinished(c.Bytes, err)
			}
			return s
		}
	}
}

// examine recognises b, the bytes so far. It reports false if more are needed.
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
	case head.Alike: // on the port of HTTP the policy gives the reason
		if s.detail = detail; port != portHTTP {
			s.shown, s.fault = rules.Unseen, rules.MalformedRequest
		}
		return true
	}
	return s.examineText(b)
}

// examineText looks for a request line. It does not wait for the end of a line that no strict
// parser would accept. It refuses a line that is too long to be held.
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

// settled recognises bytes when no more of them will come: the client has ended them, or the wait
// is over (late). It reports false if these bytes are not enough.
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

// examineOldTLS judges a record whose version is not 3.x. Some servers accept a version below
// 16 if a ClientHello is in the record. Other protocols begin with a length that equals the
// number of a handshake record.
func (s *sniffResult) examineOldTLS(b []byte) (done bool) {
	const kind = hello.RecordHeader // the position of the first message's type
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

// sniffHead reads the rest of a request head that will be relayed unchanged.
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

// unfinished records why no more bytes will come.
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
		s.fault, s.detail = rules.MalformedRequest, "the client closed its side before its first message was complete"
	default:
		s.fault, s.detail = rules.MalformedRequest, "the connection broke before the first message was complete"
	}
}
