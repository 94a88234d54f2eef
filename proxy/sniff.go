// Sniff: waits for a tunnel client's first bytes and names what they are,
// without using them up, within one deadline and fixed limits.

package proxy

import (
	"errors"
	"io"
	"os"

	"sallyport/rules"
)

// portTLS is the port that carries TLS only.
const portTLS = 443

// A sight is what a client's first bytes were. Either there is a fault or
// shown says what they are.
type sight struct {
	shown  rules.Shown
	tls    bool // begins like TLS, so an alert is understood
	http   bool // begins like HTTP/1, so a page is understood
	hello  hello
	size   int // of tls: bytes of the hello's records
	head   head
	fault  rules.Reason
	detail string
	raw    []byte
	err    error // why no more could be read
}

// show puts what was seen into the question.
func (s *sight) show(a *rules.Attempt) {
	a.Shown, a.Fault, a.Detail, a.Raw = s.shown, s.fault, s.detail, s.raw
	a.SNI, a.ECH = s.hello.sni, s.hello.ech
	if s.head.hasHost {
		a.Host, a.HostAddr, a.HostPort = s.head.host.Name, s.head.host.Addr, s.head.host.Port
	}
}

// sniff awaits enough of c.pre to name it. One absolute deadline spans all of
// it. What looks like HTTP is only recognised, not read to its end.
//
// A client that leaves, or stays, without having shown anything is a
// sniff_timeout; one that ends within a hello or a request line that it began
// is a malformed_request.
//
// On ports 80 and 443 only what belongs there is looked for; port 0 is for
// flows whose bytes alone tell.
func (p *Proxy) sniff(c *client, port uint16) (s sight) {
	if s.fault, s.detail = p.beginSniff(c); s.fault != rules.ReasonNone {
		return s
	}
	defer p.endSniff(c)
	c.deadline(p.limits.Sniff)
	defer c.deadline(0)
	var scan helloScan
	for {
		if s.look(c.pre, port, &scan) {
			return s
		}
		if err := c.fill(maxHelloRecords); err != nil {
			s.unfinished(c.pre, err)
			return s
		}
	}
}

// look names b, the bytes so far. It answers false where more are needed.
func (s *sight) look(b []byte, port uint16, scan *helloScan) (done bool) {
	if len(b) == 0 {
		return false
	}
	if s.tls = b[0] == recordHandshake; s.tls {
		return s.lookTLS(b, port, scan)
	}
	s.shown = rules.ShownOpaque
	if port == portTLS {
		s.detail = firstBytesText(b[0])
		return true
	}
	switch like, detail := hides(b); like {
	case perhaps:
		return false
	case alike: // on the port that carries HTTP only the policy says why not
		if s.detail = detail; port != portHTTP {
			s.shown, s.fault = rules.Unseen, rules.MalformedRequest
		}
		return true
	}
	return s.lookHTTP(b)
}

func (s *sight) lookHTTP(b []byte) (done bool) {
	switch looksHTTP(b) {
	case perhaps:
		if len(b) < maxHead {
			return false
		}
		s.fault, s.detail = rules.SniffTooLong, "first line longer than 32 KiB"
	case alike:
		s.http = true
	}
	return true
}

func (s *sight) lookTLS(b []byte, port uint16, scan *helloScan) (done bool) {
	if port == portHTTP {
		s.shown, s.detail = rules.ShownOpaque, "looks like TLS"
		return true
	}
	var more bool
	if s.hello, s.fault, s.detail, more = scan.parse(b); more {
		return false
	}
	if s.fault == rules.NotTLS && port != portTLS {
		s.fault = rules.MalformedRequest // some servers take such records for TLS
	}
	if s.fault == rules.ReasonNone {
		s.shown, s.size = rules.ShownTLS, scan.next
	} else {
		s.raw = s.hello.sniRaw
	}
	return true
}

// sniffHead reads the rest of a request head that will be relayed as it is.
func (f *flow) sniffHead() (s sight) {
	s.http = true
	f.c.deadline(f.p.limits.Sniff)
	defer f.c.deadline(0)
	for {
		var more bool
		if s.head, s.fault, s.detail, more = parseHead(f.c.pre); !more {
			s.shown = rules.ShownHTTP
			return s
		}
		if err := f.c.fill(maxHead + 1); err != nil {
			s.unfinished(f.c.pre, err)
			return s
		}
	}
}

// unfinished says why there will be no more bytes.
func (s *sight) unfinished(b []byte, err error) {
	s.err = err
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.fault, s.detail = rules.SniffTimeout, ""
	case errors.Is(err, errFull):
		s.fault, s.detail = rules.SniffTooLong, ""
	case len(b) == 0:
		s.fault, s.detail = rules.SniffTimeout, "the client left without sending anything"
	case err == io.EOF:
		s.fault, s.detail = rules.MalformedRequest, "the client ended before its first message did"
	default:
		s.fault, s.detail = rules.MalformedRequest, "the connection broke before the first message ended"
	}
}
