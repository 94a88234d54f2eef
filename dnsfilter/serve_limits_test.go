// Serving TCP to clients who break its framing, take their time, or come by the
// hundred.

package dnsfilter

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestBadFraming holds that a connection that breaks the framing is an
// attempt and is closed, and one that is cut off or silent is closed (F17).
func TestBadFraming(t *testing.T) {
	query := packed(t, question("a.example.", dns.TypeA))
	for _, c := range []struct {
		what    string
		bytes   []byte
		attempt bool
	}{
		{"nothing", nil, false},
		{"half a length", []byte{0}, false},
		{"half a message", framed(query)[:9], false},
		{"length 0", []byte{0, 0}, true},
		{"length 65535", []byte{255, 255, 1, 2, 3}, true},
		{"a response", framed(append([]byte{0, 1, 0x80}, query[3:]...)), true},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := serve(t, 1, func(c *setup) { c.TCPIdle = 100 * time.Millisecond }, "a.example")
			conn := s.dial()
			conn.Write(c.bytes)
			if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read %d octets, %v", n, err)
			}
			if c.attempt {
				eventually(t, "the attempt", func() bool { s.p.mu.Lock(); defer s.p.mu.Unlock(); return len(s.p.attempts) == 1 })
				if !denied(t, s.bench, rules.MalformedRequest) {
					t.Error("no denial")
				}
			}
		})
	}
}

// TestTrickle holds that octets that trickle in do not move the deadline.
func TestTrickle(t *testing.T) {
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

// TestConnectionLimits holds that one client, and all together, have so many
// connections; one more is refused with reason limit, and room comes back (F17).
func TestConnectionLimits(t *testing.T) {
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
	if a.Fault != rules.Limit || a.Via != rules.DNS || a.Proto != rules.TCPProto {
		t.Errorf("attempt %+v", a)
	}
	one.Close()
	eventually(t, "room for another", func() bool { return exchange(s.dial()) == nil })
}

// knowsNobody is a Gate that previews every address as an unknown client's.
type knowsNobody struct{ rules.Gate }

func (knowsNobody) Preview(rules.Attempt) rules.Decision { return rules.Decision{} }

// TestStrangersShareFewConnections holds that addresses of no client cannot
// take the connections of those that are known.
func TestStrangersShareFewConnections(t *testing.T) {
	s := serve(t, 1, func(c *setup) { c.Gate = knowsNobody{c.Gate} }, "a.example")
	s.foreign.set(1, 1)
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
		t.Error("a second connection of strangers is served")
	}
	if a, _ := s.p.final(t); a.Fault != rules.Limit {
		t.Errorf("attempt %+v", a)
	}
	if s.conns.all != 0 {
		t.Error("strangers took the clients' connections")
	}
}
