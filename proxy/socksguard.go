// SOCKS5 guard: the strict grammar between a client and the SOCKS5 library.

package proxy

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"

	"github.com/things-go/go-socks5/statute"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// maxSOCKS is the longest message: a greeting with 255 methods, or a request
// with a name of 255 octets.
const maxSOCKS = 2 + 255 + 5

// A socksFault is why a client's message is refused.
type socksFault struct {
	reason rules.Reason
	detail string
	raw    []byte
	dest   rules.Authority // the destination in a well-formed request
	reply  []byte          // nil: the client does not speak SOCKS5
}

// Error returns the detail.
func (f *socksFault) Error() string { return f.detail }

// A socksRequest is a well-formed request.
type socksRequest struct {
	cmd  byte
	dest rules.Authority
	n    int // its length in bytes
}

// parseGreeting reads the version and the offered methods. It returns the length of the greeting,
// or 0 if more bytes are needed.
func parseGreeting(b []byte) (n int, f *socksFault) {
	if len(b) > 0 && b[0] != statute.VersionSocks5 {
		detail := "not SOCKS5"
		if b[0] == 4 {
			detail = "SOCKS4 is refused"
		} else if head.IsTokenByte(b[0]) {
			detail = "looks like HTTP on the SOCKS5 port"
		}
		return 0, &socksFault{reason: rules.MalformedRequest, detail: detail}
	}
	if len(b) < 2 {
		return 0, nil
	}
	n = 2 + int(b[1])
	noMethod := []byte{statute.VersionSocks5, statute.MethodNoAcceptable}
	if n == 2 {
		return 0, &socksFault{reason: rules.MalformedRequest, detail: "SOCKS5 greeting without a method", reply: noMethod}
	}
	if len(b) < n {
		return 0, nil
	}
	return n, nil
}

// parseSOCKSRequest reads a request: CONNECT to a name or an address, or UDP ASSOCIATE. n is 0 if more bytes are
// needed. A fault is final.
func parseSOCKSRequest(b []byte) (r socksRequest, f *socksFault) {
	refuse := func(code byte, detail string) (socksRequest, *socksFault) {
		return socksRequest{}, &socksFault{reason: rules.MalformedRequest, detail: detail, reply: replyBytes(code)}
	}
	if len(b) > 0 && b[0] != statute.VersionSocks5 {
		return refuse(statute.RepServerFailure, "SOCKS5 request with another version")
	}
	if len(b) > 2 && b[2] != 0 {
		return refuse(statute.RepServerFailure, "reserved octet of the SOCKS5 request is not 0")
	}
	if len(b) > 3 && b[3] != statute.ATYPIPv4 && b[3] != statute.ATYPIPv6 && b[3] != statute.ATYPDomain {
		return refuse(statute.RepAddrTypeNotSupported, "unknown address type in the SOCKS5 request")
	}
	if len(b) < 5 {
		return r, nil
	}
	size := 1 + int(b[4])
	switch b[3] {
	case statute.ATYPIPv4:
		size = 4
	case statute.ATYPIPv6:
		size = 16
	}
	if len(b) < 4+size+2 {
		return r, nil
	}
	r.cmd, r.n = b[1], 4+size+2
	f = r.destination(b[3], b[4:4+size])
	if f == nil {
		r.dest.Port = binary.BigEndian.Uint16(b[4+size:])
		f = r.command()
	}
	return r, f
}

// destination reads the address or name.
func (r *socksRequest) destination(kind byte, b []byte) *socksFault {
	if kind != statute.ATYPDomain {
		addr, _ := netip.AddrFromSlice(b)
		r.dest.Addr = addr.Unmap()
		return nil
	}
	b = b[1:]
	if r.cmd == statute.CommandAssociate && string(b) == "0" {
		r.dest.Addr = netip.IPv4Unspecified() // PySocks writes it so
		return nil
	}
	dest, err := rules.ParseHost(string(b))
	if err != nil {
		return &socksFault{reason: rules.MalformedName, detail: err.Error(), raw: []byte(head.Recordable(string(b))),
			reply: replyBytes(statute.RepServerFailure)}
	}
	r.dest = dest
	return nil
}

// command refuses everything except CONNECT to a port, and UDP ASSOCIATE with an address: the
// address that the client's datagrams will come from.
func (r *socksRequest) command() *socksFault {
	detail, code := "", byte(statute.RepCommandNotSupported)
	switch r.cmd {
	case statute.CommandConnect:
		if r.dest.Port != 0 {
			return nil
		}
		detail, code = "SOCKS5 CONNECT to port 0", statute.RepServerFailure
	case statute.CommandBind:
		detail = "SOCKS5 BIND is refused"
	case statute.CommandAssociate:
		if r.dest.Addr.IsValid() {
			return nil
		}
		detail = "SOCKS5 UDP ASSOCIATE with a name: it must have the address that the client sends datagrams from, or 0.0.0.0"
	default:
		detail = "unknown SOCKS5 command"
	}
	return &socksFault{reason: rules.MalformedRequest, detail: detail, reply: replyBytes(code), dest: r.dest}
}

// A socksConn is the client's connection as the library sees it. Each Read returns what is left
// of one complete message that the strict grammar accepts. Close does nothing.
type socksConn struct {
	net.Conn // nil, so that a method that the library must not use would crash

	c *client
	p *Proxy

	stage   int    // messages handed over
	message []byte // what is left of the current one
	req     socksRequest

	request  *rules.Attempt // the question, once the library has read the request
	udp      bool           // the request is UDP ASSOCIATE; request has no destination then
	fault    *socksFault
	identity *rules.Identity // who has logged in
	chosen   bool            // the method is answered already, so the library's answer is dropped
	empty    bool            // the client sent nothing at all
}

// Read gives the library the next bytes of a message that is complete and checked.
func (s *socksConn) Read(b []byte) (int, error) {
	if len(s.message) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.message)
	s.message = s.message[n:]
	return n, nil
}

// next waits for one complete message, and takes it out of the client's bytes.
func (s *socksConn) next() error {
	if s.stage == 0 {
		s.c.Deadline(s.p.limits.Head)
	}
	for {
		n, f := s.parse()
		if f != nil {
			s.fault = f
			return f
		}
		if n > 0 {
			s.message = append([]byte(nil), s.c.Bytes[:n]...)
			s.c.Discard(n)
			if s.stage == 0 {
				if s.fault = s.negotiate(s.message[2:]); s.fault != nil {
					return s.fault
				}
				s.message = []byte{statute.VersionSocks5, 1, statute.MethodNoAuth}
			}
			s.stage++
			return nil
		}
		if err := s.fill(); err != nil {
			s.unfinished(err)
			return err
		}
	}
}

func (s *socksConn) parse() (n int, f *socksFault) {
	switch s.stage {
	case 0:
		return parseGreeting(s.c.Bytes)
	case 1:
		s.req, f = parseSOCKSRequest(s.c.Bytes)
		return s.req.n, f
	}
	return 0, &socksFault{reason: rules.MalformedRequest, detail: "more than one SOCKS5 request"}
}

func (s *socksConn) fill() error {
	if s.stage == 0 && len(s.c.Bytes) == 0 {
		return s.p.await(s.c, peek.Size)
	}
	return s.c.Fill(peek.Size)
}

// unfinished records why a message did not arrive.
func (s *socksConn) unfinished(err error) {
	switch {
	case s.stage == 0 && len(s.c.Bytes) == 0:
		s.empty = true
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.fault = &socksFault{reason: rules.SniffTimeout, detail: "SOCKS5 handshake not finished in time"}
	case errors.Is(err, io.EOF):
		s.fault = &socksFault{reason: rules.MalformedRequest, detail: "the client closed its side during the SOCKS5 handshake"}
	default:
		s.fault = &socksFault{reason: rules.MalformedRequest, detail: "the connection broke during the SOCKS5 handshake"}
	}
}

// accept turns the request that the library read into the question. The request must be the
// request that the strict grammar read.
func (s *socksConn) accept(got *statute.AddrSpec) {
	if got.Port != int(s.req.dest.Port) || s.stage != 2 {
		return
	}
	a := s.p.attempt(s.c, rules.ViaSOCKS5)
	a.Identity = s.identity
	if s.udp = s.req.cmd == statute.CommandAssociate; s.udp {
		a.Proto = rules.UDP
	} else {
		a.Authority = s.req.dest.Name
		a.Dest = netip.AddrPortFrom(s.req.dest.Addr, s.req.dest.Port)
		s.p.findName(&a)
	}
	s.request = &a
}

// Write sends the library's replies.
func (s *socksConn) Write(b []byte) (int, error) {
	if s.chosen && s.stage == 1 { // the library's answer to the greeting; the client has logged in already
		s.chosen = false
		return len(b), nil
	}
	return s.c.TCP.Write(b)
}

// Close leaves the connection to its owner.
func (s *socksConn) Close() error { return nil }

// LocalAddr returns the proxy's address on the client's connection.
func (s *socksConn) LocalAddr() net.Addr { return s.c.TCP.LocalAddr() }

// RemoteAddr returns the client's address.
func (s *socksConn) RemoteAddr() net.Addr { return s.c.TCP.RemoteAddr() }
