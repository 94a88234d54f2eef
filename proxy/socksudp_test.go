// SOCKS5 UDP tests: who may use an association, what it carries, and how it ends.

package proxy

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"sallyport/proxy/datagram"
	"sallyport/rules"
)

// A datagram to a name and its reply: one decision, and one end with the bytes of the content.
func TestUDPByName(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	o, c := w.origin("8.8.8.8:123"), w.associated()
	for range 3 {
		c.send(header("A.example.", 123) + "what time?")
	}
	for range 2 {
		w.receive(o)
	}
	got, from := w.receive(o)
	if got != "what time?" {
		t.Errorf("origin got %q", got)
	}
	o.WriteToUDPAddrPort([]byte("late"), from)
	if got, at := w.receive(c.conn); got != header("8.8.8.8", 123)+"late" || at != c.relay {
		t.Errorf("client got %q from %v", got, at)
	}
	a := w.wantOne(rules.Allow, rules.ReasonNone).a
	if a.Via != rules.ViaSOCKS5 || a.Proto != rules.UDP || a.Authority.String() != "a.example" || a.Dest.String() != "8.8.8.8:123" ||
		a.Client != c.conn.LocalAddr().(*net.UDPAddr).AddrPort() || !a.SourceProven || len(a.Resolved) != 1 {
		t.Errorf("attempt %+v", a)
	}
	if n := len(w.lookedUp()); n != 1 {
		t.Errorf("%d look-ups", n)
	}
	s := w.p.Stats()
	if s.Associations != 1 || s.Datagrams.Flows != 1 || s.Datagrams.DatagramsIn != 3 || s.BytesIn != 30 || s.BytesOut != 4 {
		t.Errorf("%+v", s)
	}
	c.control.Close()
	end := w.wantClosed()
	if end.Cause != rules.EndClean || end.BytesIn != 30 || end.BytesOut != 4 || end.Dialed.String() != "8.8.8.8:123" {
		t.Errorf("end %+v", end)
	}
}

// What a datagram asks for is decided by its own destination, and nothing is dialed after a denial.
func TestUDPDenials(t *testing.T) {
	t.Parallel()
	fragment := []byte(header("a.example", 123) + "x")
	fragment[2] = 1
	last := []byte(header("a.example", 123) + "x")
	last[2] = 0x80
	reserved := []byte(header("a.example", 123) + "x")
	reserved[1] = 1
	for _, c := range []struct {
		name, sent string
		reason     rules.Reason
		detail     string
		drop       datagram.Drop
	}{
		{"a name that no rule has", header("evil.example", 123) + "x", rules.NotListed, "", datagram.Denied},
		{"a name that a rule has for TCP", header("mixed.example", 443) + "x", rules.ProtocolNotListed, "", datagram.Denied},
		{"another port", header("a.example", 124) + "x", rules.PortNotListed, "", datagram.Denied},
		{"an address", header("8.8.8.8", 123) + "x", rules.IPLiteral, "", datagram.Denied},
		{"a mapped address", header("::ffff:8.8.8.8", 123) + "x", rules.IPLiteral, "", datagram.Denied},
		{"an IPv6 address", header("2001:db8::1", 123) + "x", rules.IPLiteral, "", datagram.Denied},
		{"an address as a name", header("8.8.8.10", 123) + "x", rules.IPLiteral, "", datagram.Denied},
		{"loopback", header("127.0.0.1", 123) + "x", rules.IPLiteral, "", datagram.Denied},
		{"broadcast", header("255.255.255.255", 123) + "x", rules.IPLiteral, "", datagram.Denied},
		{"a name that leads inside", header("inside.example", 123) + "x", rules.PrivateAddress, "", datagram.Denied},

		{"a fragment", string(fragment), rules.MalformedRequest, "fragment 1", datagram.Malformed},
		{"the last fragment", string(last), rules.MalformedRequest, "fragment 128", datagram.Malformed},
		{"reserved octets", string(reserved), rules.MalformedRequest, "reserved", datagram.Malformed},
		{"port 0", header("a.example", 0) + "x", rules.MalformedRequest, "port 0", datagram.Malformed},
		{"address type 2", "\x00\x00\x00\x02abcdef", rules.MalformedRequest, "address type 2", datagram.Malformed},
		{"nothing", "", rules.MalformedRequest, "0 octets", datagram.Malformed},
		{"half a header", header("a.example", 123)[:9], rules.MalformedRequest, "9 octets", datagram.Malformed},
		{"a name longer than the datagram", "\x00\x00\x00\x03\xffa", rules.MalformedRequest, "its header has 262", datagram.Malformed},
		{"no name", header("", 123) + "x", rules.MalformedName, "", datagram.Malformed},
		{"a name of 255 octets", header(strings.Repeat("a.", 127)+"a", 123) + "x", rules.MalformedName, "", datagram.Malformed},
		{"NUL in a permitted tail", header("evil.example\x00.a.example", 123) + "x", rules.MalformedName, "", datagram.Malformed},
		{"an octal address", header("0177.0.0.1", 123) + "x", rules.MalformedName, "", datagram.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newUDPWorld(t, nil)
			cl := w.associated()
			cl.send(c.sent)
			if a := w.denial(c.reason); !strings.Contains(a.Detail, c.detail) || a.Client.Port() != cl.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() {
				t.Errorf("detail %q, client %v", a.Detail, a.Client)
			}
			w.eventually("count", func() bool { return w.p.Stats().Datagrams.Dropped[c.drop] == 1 })
			w.nothing(cl.conn)
			if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 && c.reason != rules.PrivateAddress {
				t.Errorf("looked up %v, dialed %v", w.lookedUp(), w.dialed())
			}
		})
	}
}

// The records of refused headers have the destination as a destination.
func TestUDPRefusedHeaderOnRecord(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	b := []byte(header("A.example", 123))
	b[2] = 2
	w.associated().send(string(b))
	if a := w.denial(rules.MalformedRequest); a.Authority.String() != "a.example" || a.Dest.Port() != 123 || len(a.Raw) > 0 {
		t.Errorf("%+v", a)
	}
}

// Only the address of the TCP connection may use the association; any port of it, if the request
// named none. A datagram of another client opens nothing, and is counted and recorded with its own address.
func TestUDPOfAnotherClient(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	o, c := w.origin("8.8.8.9:161"), w.associated()
	other := w.socket("127.0.0.9:0")
	other.WriteToUDPAddrPort([]byte(header("8.8.8.9", 161)+"secret"), c.relay)
	a := w.denial(rules.MalformedRequest)
	if a.SourceProven || a.Client != other.LocalAddr().(*net.UDPAddr).AddrPort() || !strings.Contains(a.Detail, "another client") {
		t.Errorf("%+v", a)
	}
	w.nothing(o)
	if n := w.p.Stats().Datagrams.Dropped[datagram.OtherClient]; n != 1 || len(w.dialed()) > 0 {
		t.Errorf("%d of other clients, dialed %v", n, w.dialed())
	}
	second := w.socket("127.0.0.1:0")
	second.WriteToUDPAddrPort([]byte(header("8.8.8.9", 161)+"mine"), c.relay)
	got, from := w.receive(o)
	o.WriteToUDPAddrPort([]byte("yours"), from)
	if back, _ := w.receive(second); got != "mine" || back != header("8.8.8.9", 161)+"yours" {
		t.Errorf("got %q and %q", got, back)
	}
	w.nothing(c.conn)
}

// PySocks, a client in much use, writes the address 0.0.0.0 as the name "0".
func TestUDPAssociateOfPySocks(t *testing.T) {
	t.Parallel()
	r, fault := parseSOCKSRequest([]byte(nameRequest(3, "0", 4000)))
	if fault != nil || r.dest.Addr != netip.IPv4Unspecified() || r.dest.Port != 4000 {
		t.Errorf("%+v, %v", r, fault)
	}
	if _, fault = parseSOCKSRequest([]byte(nameRequest(1, "0", 4000))); fault == nil || fault.reason != rules.MalformedName {
		t.Errorf("CONNECT to it: %v", fault)
	}
}

// If the request names a port, only that port may use the association.
func TestUDPOfANamedPort(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	o, mine, other := w.origin("8.8.8.9:161"), w.socket("127.0.0.1:0"), w.socket("127.0.0.1:0")
	_, relay := w.ask(mine.LocalAddr().String())
	other.WriteToUDPAddrPort([]byte(header("8.8.8.9", 161)+"secret"), relay)
	w.denial(rules.MalformedRequest)
	w.nothing(o)
	mine.WriteToUDPAddrPort([]byte(header("8.8.8.9", 161)+"mine"), relay)
	if got, _ := w.receive(o); got != "mine" {
		t.Errorf("got %q", got)
	}
}

// The sockets of open associations are known by their port, so that no client's datagram is sent to one.
func TestUDPPortsOfAssociations(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	conn, relay := w.ask("0.0.0.0:0")
	_, second := w.ask("0.0.0.0:0")
	if !w.p.HasAssociation(relay.Port()) || !w.p.HasAssociation(second.Port()) || w.p.HasAssociation(1) {
		t.Error("an open association is not known")
	}
	conn.Close()
	w.eventually("end", func() bool { return w.p.Stats().Associations == 1 })
	w.eventually("closed", func() bool { return !w.p.HasAssociation(relay.Port()) })
	if !w.p.HasAssociation(second.Port()) {
		t.Error("the other one is not known any more")
	}
}

// Requests that get no association.
func TestUDPAssociateRefused(t *testing.T) {
	t.Parallel()
	const chosen = "\x05\x00"
	for _, c := range []struct {
		name, request, answer string
		reason                rules.Reason
		detail                string
		change                func(*Config)
	}{
		{"another address", associateRequest("192.0.2.7:4000"), reply(1), rules.MalformedRequest, "datagrams from 192.0.2.7: they must come from the address of the connection, 127.0.0.1", nil},
		{"an IPv6 address", associateRequest("[::1]:4000"), reply(1), rules.MalformedRequest, "::1", nil},
		{"a name", nameRequest(3, "a.example", 443), reply(7), rules.MalformedRequest, "UDP ASSOCIATE with a name", nil},
		{"an unknown client", associateRequest("0.0.0.0:0"), reply(2), rules.UnknownClient, "", func(c *Config) { c.Gate = unknowing{c.Gate} }},
		{"no Gate", associateRequest("0.0.0.0:0"), reply(2), rules.UnknownClient, "", func(c *Config) { c.Gate.(*recorder).next = (*rules.Policy)(nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newUDPWorld(t, c.change)
			conn := w.dial(w.socks)
			io.WriteString(conn, greeting+c.request)
			got, err := io.ReadAll(conn)
			if err != nil || string(got) != chosen+c.answer {
				t.Errorf("answer %x, %v", got, err)
			}
			r := w.wantOne(rules.Deny, c.reason)
			if !strings.Contains(r.a.Detail, c.detail) || r.a.Via != rules.ViaSOCKS5 {
				t.Errorf("detail %q", r.a.Detail)
			}
			if w.p.Stats().Associations != 0 {
				t.Error("an association is open")
			}
		})
	}
}

// unknowing makes every client unknown.
type unknowing struct{ rules.Gate }

func (s unknowing) Preview(a rules.Attempt) rules.Decision {
	a.Client = netip.MustParseAddrPort("192.0.2.99:1")
	return s.Gate.Preview(a)
}

func (s unknowing) Decide(a rules.Attempt) rules.Decision {
	a.Client = netip.MustParseAddrPort("192.0.2.99:1")
	return s.Gate.Decide(a)
}

// The quota of associations and of flows.
func TestUDPQuotas(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, func(c *Config) { c.Limits.UDPFlows = 8 })
	c := w.associated()
	w.associated()
	conn := w.dial(w.socks)
	io.WriteString(conn, greeting+associateRequest("0.0.0.0:0"))
	if got, _ := io.ReadAll(conn); string(got) != "\x05\x00"+reply(1) {
		t.Errorf("answer %x", got)
	}
	if a := w.denial(rules.Limit); !strings.Contains(a.Detail, "quota of associations") {
		t.Errorf("detail %q", a.Detail)
	}
	w.p.SetUDPFlows(4) // one flow for each client
	w.origin("8.8.8.9:161")
	w.origin("8.8.8.9:123")
	c.send(header("8.8.8.9", 161) + "x")
	c.send(header("8.8.8.9", 123) + "x")
	w.eventually("the flow and the denial", func() bool { return len(w.journal.decisions()) == 3 })
	for _, r := range w.journal.decisions()[1:] {
		if port := r.a.Dest.Port(); port == 161 != r.d.Allowed() || port == 123 && r.a.Detail != "the client's quota of limits.udp_flows is reached" {
			t.Errorf("port %d: %v %q", port, r.d.Why(), r.a.Detail)
		}
	}
}
