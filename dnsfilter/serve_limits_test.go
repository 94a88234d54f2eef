// TCP clients that break the framing, are slow, or come by the hundred.

package dnsfilter

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestBadFraming asserts that a message that begins but does not end, or has an
// impossible length, is recorded as a denial with its reason, and with its
// question if that arrived. It also asserts that the connection is closed. A
// connection that sends nothing, or ends between two messages, is no attempt
// (RFC 7766, section 8).
func TestBadFraming(t *testing.T) {
	t.Parallel()
	query := framed(packed(t, question("a.example.", dns.TypeA)))
	whole := packed(t, withEDNS(question("a.example.", dns.TypeAAAA), 1232))
	response := framed(append([]byte{0, 1, 0x80}, query[5:]...))
	const end, wait = "closes", "waits"
	for _, c := range []struct {
		what  string
		bytes []byte
		then  string
		why   rules.Reason // ReasonNone: no attempt
		name  string       // of the question, if readable
	}{
		{"nothing", nil, end, rules.ReasonNone, ""},
		{"nothing", nil, wait, rules.ReasonNone, ""},
		{"half a length", []byte{0}, end, rules.MalformedRequest, ""},
		{"half a length", []byte{0}, wait, rules.SniffTimeout, ""},
		{"a length alone", query[:2], end, rules.MalformedRequest, ""},
		{"a length alone", query[:2], wait, rules.SniffTimeout, ""},
		{"half a message", query[:20], end, rules.MalformedRequest, ""},
		{"half a message", query[:20], wait, rules.SniffTimeout, ""},
		{"all but the end", framed(whole)[:2+len(whole)-1], end, rules.MalformedRequest, "a.example"},
		{"all but the end", framed(whole)[:2+len(whole)-1], wait, rules.SniffTimeout, "a.example"},
		{"length 0", []byte{0, 0}, wait, rules.MalformedRequest, ""},
		{"length 65535", []byte{255, 255, 1, 2, 3}, wait, rules.MalformedRequest, ""},
		{"length 4097", []byte{16, 1}, end, rules.MalformedRequest, ""},
		{"a response", response, wait, rules.MalformedRequest, ""},
	} {
		t.Run(c.what+", "+c.then, func(t *testing.T) {
			s := serve(t, 1, func(c *setup) { c.TCPIdle = 200 * time.Millisecond }, "a.example")
			conn := s.dial()
			conn.Write(c.bytes)
			if c.then == end {
				conn.(*net.TCPConn).CloseWrite()
			}
			if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read %d octets, %v", n, err)
			}
			eventually(t, "the end of the connection", func() bool { return s.conns.held.Held() == 0 })
			if c.why == rules.ReasonNone {
				if n := len(s.p.attempts); n != 0 {
					t.Errorf("%d attempts", n)
				}
				return
			}
			a, d := s.p.final(t)
			if d.Allowed() || d.Why() != c.why || a.Authority.String() != c.name || a.Detail == "" || !a.SourceProven {
				t.Errorf("%s: %+v", d.Why(), a)
			}
		})
	}
}

// resetConn is a connection that is reset after some bytes.
type resetConn struct {
	net.Conn
	first []byte
}

func (c *resetConn) Read(b []byte) (int, error) {
	if len(c.first) == 0 {
		return 0, syscall.ECONNRESET
	}
	n := copy(b, c.first)
	c.first = c.first[n:]
	return n, nil
}

func (c *resetConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(knownClient + ":4711"))
}

// TestReset asserts that a reset in the middle of a message is a denial, and a
// reset between messages is not.
func TestReset(t *testing.T) {
	query := framed(packed(t, question("a.example.", dns.TypeA)))
	for n := range len(query) {
		b := newHarness(t, nil, "a.example")
		ours, theirs := net.Pipe()
		defer theirs.Close()
		s := &service{f: b.Filter, conns: map[*tcpConn]struct{}{}}
		s.admit(t.Context(), &resetConn{ours, query[:n]})
		s.readers.Wait()
		if n == 0 {
			if len(b.p.attempts) != 0 {
				t.Error("a connection that sent nothing is an attempt")
			}
			continue
		}
		if a, d := b.p.final(t); d.Why() != rules.MalformedRequest || a.Proto != rules.TCP || a.Client.Addr().String() != knownClient {
			t.Errorf("after %d octets: %s, %+v", n, d.Why(), a)
		}
	}
}

// TestBrokenAfterAQuery asserts that a whole query before a broken message is
// answered, and that the broken message is recorded.
func TestBrokenAfterAQuery(t *testing.T) {
	s := serve(t, 1, nil, "a.example")
	conn, query := s.dial(), framed(packed(t, question("a.example.", dns.TypeA)))
	conn.Write(append(query, query[:7]...))
	conn.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(conn); len(b) < len(query) || err != nil {
		t.Errorf("answered %x, %v", b, err)
	}
	eventually(t, "the end of the connection", func() bool { return s.conns.held.Held() == 0 })
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	var served, denied int
	for i, d := range s.p.verdicts {
		switch {
		case d.Allowed() && !s.p.attempts[i].Provisional:
			served++
		case d.Why() == rules.MalformedRequest:
			denied++
		}
	}
	if served != 1 || denied != 1 {
		t.Errorf("%d served, %d denied", served, denied)
	}
}

// TestTrickle asserts that slow bytes do not extend the deadline.
func TestTrickle(t *testing.T) {
	t.Parallel()
	s := serve(t, 1, func(c *setup) { c.TCPIdle = 200 * time.Millisecond }, "a.example")
	conn := s.dial()
	began := time.Now()
	for _, b := range framed(packed(t, question("a.example.", dns.TypeA))) {
		if _, err := conn.Write([]byte{b}); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n, _ := conn.Read(make([]byte, 1)); n != 0 || time.Since(began) > 5*time.Second {
		t.Errorf("answered a query that took %v to arrive", time.Since(began))
	}
}

// TestConnectionLimits asserts the limits of connections for one client and in
// all: a further connection is denied with reason limit, and closing a
// connection makes room.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, 1, func(c *setup) { c.Limits.TCP, c.Limits.TCPPerClient = 4, 2 }, "a.example")
	exchange := func(conn net.Conn) error {
		if _, err := conn.Write(framed(packed(t, question("a.example.", dns.TypeA)))); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 14))
		return err
	}
	one, two := s.dial(), s.dial()
	for _, conn := range []net.Conn{one, two} {
		if err := exchange(conn); err != nil {
			t.Fatal(err)
		}
		s.p.final(t)
	}
	if exchange(s.dial()) == nil {
		t.Error("a third connection is served")
	}
	a, _ := s.p.final(t)
	if a.Fault != rules.Limit || a.Via != rules.ViaDNS || a.Proto != rules.TCP {
		t.Errorf("attempt %+v", a)
	}
	one.Close()
	eventually(t, "room for another", func() bool { return exchange(s.dial()) == nil })
}

// allUnknown is a Gate that previews every address as an unknown client.
type allUnknown struct{ rules.Gate }

func (allUnknown) Preview(rules.Attempt) rules.Decision { return rules.Decision{} }

// TestUnknownClientsHaveFewConnections asserts that unknown clients cannot use
// up the connections of known clients.
func TestUnknownClientsHaveFewConnections(t *testing.T) {
	s := serve(t, 1, func(c *setup) { c.Gate = allUnknown{c.Gate} }, "a.example")
	s.unknownConns.held.Set(1, 1)
	exchange := func(conn net.Conn) error {
		if _, err := conn.Write(framed(packed(t, question("a.example.", dns.TypeA)))); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 14))
		return err
	}
	if err := exchange(s.dial()); err != nil {
		t.Fatal(err)
	}
	s.p.final(t)
	if exchange(s.dial()) == nil {
		t.Error("a second connection of unknown clients is served")
	}
	if a, _ := s.p.final(t); a.Fault != rules.Limit {
		t.Errorf("attempt %+v", a)
	}
	if s.conns.held.Held() != 0 {
		t.Error("unknown clients used up the clients' connections")
	}
}
