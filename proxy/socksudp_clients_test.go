// SOCKS5 UDP tests: clients that log in, and clients of the other address family.

package proxy

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"sallyport/rules"
)

// Who has logged in for the association asks all of its questions, also those of the DNS filter.
func TestUDPLogin(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	w.users(strings.Replace(loginConfig, "tcp    =", "udp    = [5000]\ntcp    =", 1), "alice:open sesame")
	o, c := w.origin("8.8.8.8:5000"), &udpClient{w: w, conn: w.socket("127.0.0.1:0")}
	c.control = w.dial(w.socks)
	io.WriteString(c.control, "\x05\x02\x00\x02"+socksLogin("alice", "open sesame")+associateRequest("0.0.0.0:0"))
	b := make([]byte, 2+2+10)
	if _, err := io.ReadFull(c.control, b); err != nil || string(b[:8]) != "\x05\x02\x01\x00\x05\x00\x00\x01" {
		t.Fatalf("answer %x, %v", b, err)
	}
	c.relay = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[8:])), binary.BigEndian.Uint16(b[12:]))
	c.send(header("a.example", 5000) + "x")
	w.receive(o)
	if a := w.wantOne(rules.Allow, rules.ReasonNone).a; a.Identity == nil || a.Identity.User != "alice" {
		t.Errorf("identity %+v", a.Identity)
	}
	c.send(header("8.8.8.8", 53) + "query")
	w.receive(c.conn)
	if w.mu.Lock(); len(w.queries) != 1 || w.queries[0] != "127.0.0.1 user:alice query" {
		t.Errorf("queries %q", w.queries)
	}
	w.mu.Unlock()
	c.send(header("a.example", 0))
	w.eventually("denial", func() bool { return len(w.journal.decisions()) == 2 })
	if a := w.journal.decisions()[1].a; a.Identity == nil || a.Fault != rules.MalformedRequest {
		t.Errorf("%+v", a)
	}
	// Another user of the same host finds the port of the association.
	other := w.socket("127.0.0.1:0")
	other.WriteToUDPAddrPort([]byte(header("8.8.8.8", 5000)+"as alice"), c.relay)
	w.eventually("denial", func() bool { return len(w.journal.decisions()) == 3 })
	if a := w.journal.decisions()[2].a; a.Identity != nil || !strings.Contains(a.Detail, "another client or port") {
		t.Errorf("%+v", a)
	}
	w.nothing(o)
}

// Without a login there is no association for a client that must log in.
func TestUDPWithoutLogin(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	w.users(loginConfig, "alice:open sesame")
	conn := w.dial(w.socks)
	io.WriteString(conn, greeting+associateRequest("0.0.0.0:0"))
	io.Copy(io.Discard, conn)
	w.wantOne(rules.Deny, rules.Unauthenticated)
	if w.p.Stats().Associations != 0 {
		t.Error("an association is open")
	}
}

// An association has the address of its TCP connection, also on a listener for all addresses of both
// families. Its replies come from there.
func TestUDPFamilies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ listen, dial string }{{"[::1]:0", "[::1]"}, {"[::]:0", "[::1]"}, {"[::]:0", "127.0.0.1"}, {"[::]:0", "127.0.0.5"}, {"0.0.0.0:0", "127.0.0.5"}} {
		w := newUDPWorld(t, nil)
		w.policy(strings.Replace(udpConfig, `["127.0.0.0/8"]`, `["127.0.0.0/8", "::1"]`, 1))
		ctx, cancel := context.WithCancel(t.Context())
		l, err := Listen(ctx, "tcp", netip.MustParseAddrPort(c.listen))
		if err != nil {
			t.Skip("no IPv6: ", err)
		}
		served := make(chan error, 1)
		go func() { served <- w.p.ServeSOCKS5(ctx, l) }()
		o := w.origin("8.8.8.9:161")
		_, port, _ := net.SplitHostPort(l.Addr().String())
		control := w.dial(netip.MustParseAddrPort(c.dial + ":" + port))
		io.WriteString(control, greeting+associateRequest("[::]:0"))
		b := make([]byte, 2+4)
		io.ReadFull(control, b)
		addr := make([]byte, map[byte]int{1: 4, 4: 16}[b[5]])
		io.ReadFull(control, addr)
		io.ReadFull(control, b[:2])
		bound, _ := netip.AddrFromSlice(addr)
		relay := netip.AddrPortFrom(bound, binary.BigEndian.Uint16(b))
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(relay))
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(header("8.8.8.9", 161) + "ask"))
		_, from := w.receive(o)
		o.WriteToUDPAddrPort([]byte("answer"), from)
		if n, err := conn.Read(b[:cap(b)]); err != nil || n == 0 {
			t.Errorf("%+v: %v", c, err)
		}
		if bound.String() != strings.Trim(c.dial, "[]") {
			t.Errorf("%+v: the association is at %v", c, bound)
		}
		if a := w.wantOne(rules.Allow, rules.ReasonNone).a; a.Client != conn.LocalAddr().(*net.UDPAddr).AddrPort() {
			t.Errorf("%+v: client %v", c, a.Client)
		}
		conn.Close()
		control.Close()
		cancel()
		<-served
	}
}
