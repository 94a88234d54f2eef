// Datagrams that TPROXY brought here: what is permitted by the original destination, how a flow is
// answered, and how it ends.

package proxy

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sallyport/proxy/datagram"
	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// A divertedWorld is a udpWorld whose datagrams arrive as if TPROXY had delivered them.
type divertedWorld struct {
	*udpWorld
	d *diverter

	mu    sync.Mutex
	pins  map[netip.Addr][]rules.Name
	froms []netip.AddrPort // of replies
	fails error            // of the next ways to reply
}

func newDivertedDatagrams(t testing.TB) *divertedWorld {
	t.Helper()
	w := &divertedWorld{pins: map[netip.Addr][]rules.Name{}}
	w.udpWorld = newUDPWorld(t, func(c *Config) {
		c.Pinned = func(_, addr netip.Addr) []rules.Name {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.pins[addr]
		}
	})
	w.own.Listeners = append(w.own.Listeners, netip.MustParseAddrPort("127.0.0.1:3130"))
	w.policy(udpConfig)
	w.d = &diverter{p: w.p, reply: w.reply}
	w.d.group = w.p.datagrams.Group(datagram.FrontEnd{Ask: w.d.ask, Open: w.d.open})
	t.Cleanup(func() { w.d.group.Close(rules.EndClean) })
	return w
}

func (w *divertedWorld) reply(from, to netip.AddrPort) (datagram.Replier, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.froms = append(w.froms, from)
	if w.fails != nil {
		return nil, w.fails
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	return &testReplier{conn, to}, err
}

// replies returns the addresses that replies came from.
func (w *divertedWorld) replies() []netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.froms)
}

type testReplier struct {
	conn *net.UDPConn
	to   netip.AddrPort
}

func (r *testReplier) Reply(b []byte) error {
	_, err := r.conn.WriteToUDPAddrPort(b[datagram.Headroom:], r.to)
	return err
}

func (r *testReplier) Close() { r.conn.Close() }

func (w *divertedWorld) pin(addr, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pins[netip.MustParseAddr(addr)] = []rules.Name{proxytest.Name(w.t, name)}
}

// send lets a datagram of a client's socket arrive, on its way to an address; "": the kernel does
// not know where to.
func (w *divertedWorld) send(from *net.UDPConn, to, content string) {
	w.t.Helper()
	var control []byte
	if to != "" {
		control = controlOf(netip.MustParseAddrPort(to))
	}
	w.d.arrived(from.LocalAddr().(*net.UDPAddr).AddrPort(), []byte(content), control)
}

// controlOf is the control message with an original destination, as the kernel writes it.
func controlOf(to netip.AddrPort) []byte {
	level, kind := int32(unix.SOL_IP), int32(unix.IP_ORIGDSTADDR)
	addr := make([]byte, unix.SizeofSockaddrInet4)
	family := uint16(unix.AF_INET)
	at := 4
	if to.Addr().Is6() {
		level, kind, family, at = unix.SOL_IPV6, unix.IPV6_ORIGDSTADDR, unix.AF_INET6, 8
		addr = make([]byte, unix.SizeofSockaddrInet6)
	}
	binary.NativeEndian.PutUint16(addr, family)
	binary.BigEndian.PutUint16(addr[2:], to.Port())
	copy(addr[at:], to.Addr().AsSlice())
	return message(level, kind, addr)
}

func message(level, kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(len(data))))
	binary.NativeEndian.PutUint32(b[8:], uint32(level))
	binary.NativeEndian.PutUint32(b[12:], uint32(kind))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

// The original destination decides: its address, or the pin that the DNS filter holds.
func TestDivertedDatagrams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, to, pin string
		reason        rules.Reason
		detail        string
	}{
		{"an address of a rule", "8.8.8.9:123", "", 0, ""},
		{"an address of a rule, another port of it", "8.8.8.9:161", "", 0, ""},
		{"a pinned address", "8.8.8.8:123", "a.example", 0, ""},
		{"an address of a permitted name that is not pinned", "8.8.8.8:123", "", rules.IPLiteral, ""},
		{"pinned for a name that no rule names", "8.8.8.8:123", "evil.example", rules.IPLiteral, ""},
		{"pinned for a name that a rule names for TCP", "8.8.8.8:123", "mixed.example", rules.ProtocolNotListed, ""},
		{"another port", "8.8.8.9:124", "", rules.PortNotListed, ""},
		{"another port, pinned", "8.8.8.8:124", "a.example", rules.PortNotListed, ""},
		{"QUIC", "8.8.8.9:443", "", rules.ProtocolNotListed, ""},
		{"an unlisted address", unlisted + ":123", "", rules.IPLiteral, ""},
		{"an unlisted address, IPv6", "[2001:4860::1]:123", "", rules.IPLiteral, ""},
		{"a private address, pinned", "10.9.9.9:123", "inside.example", rules.PrivateAddress, ""},
		{"loopback", "127.0.0.1:123", "", rules.IPLiteral, ""},
		{"broadcast", "255.255.255.255:123", "", rules.IPLiteral, ""},
		{"multicast", "224.0.0.251:5353", "", rules.IPLiteral, ""},
		{"the socket itself", "127.0.0.1:3130", "", rules.Self, ""},
		{"nothing brought it here", "", "", rules.MalformedRequest, "not brought here by TPROXY: the kernel reports no original destination"},
		{"DNS, to an address of a rule", "8.8.8.9:53", "", rules.MalformedRequest, "the packet filter must redirect port 53 to [listen] dns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newDivertedDatagrams(t)
			if c.pin != "" {
				w.pin(netip.MustParseAddrPort(c.to).Addr().String(), c.pin)
			}
			client := w.socket("127.0.0.1:0")
			var o *net.UDPConn
			if c.to != "" && strings.Contains(c.to, ".") {
				o = w.origin(c.to)
			}
			w.send(client, c.to, "what time?")
			if c.reason != rules.ReasonNone {
				a := w.wantOne(rules.Deny, c.reason).a
				if a.Via != rules.ViaUDP || a.Proto != rules.UDP || a.SourceProven || !strings.Contains(a.Detail, c.detail) ||
					c.to != "" && (a.Original.String() != c.to || a.Dest != a.Original) {
					t.Errorf("attempt %+v", a)
				}
				if o != nil {
					w.nothing(o)
				}
				if s := w.p.Stats().Datagrams; s.Dropped[datagram.Denied] != 1 || s.DatagramsIn != 0 || len(w.replies()) != 0 {
					t.Errorf("%+v", s)
				}
				return
			}
			got, from := w.receive(o)
			if got != "what time?" {
				t.Errorf("arrived %q", got)
			}
			o.WriteToUDPAddrPort([]byte("late"), from)
			if got, _ := w.receive(client); got != "late" {
				t.Errorf("the client got %q", got)
			}
			a := w.wantOne(rules.Allow, rules.ReasonNone).a
			if a.Via != rules.ViaUDP || a.Proto != rules.UDP || a.Original.String() != c.to || a.Dest != a.Original || !a.ByAddress || a.SourceProven ||
				(len(a.Pinned) == 1) != (c.pin != "") {
				t.Errorf("attempt %+v", a)
			}
			if len(w.lookedUp()) > 0 || !slices.Equal(w.replies(), []netip.AddrPort{a.Original}) {
				t.Errorf("looked up %v, replies from %v", w.lookedUp(), w.replies())
			}
			w.d.group.Close(rules.EndClean)
			if end := w.wantClosed(); end.BytesIn != 10 || end.BytesOut != 4 || end.Dialed.String() != c.to {
				t.Errorf("end %+v", end)
			}
		})
	}
}

// A synthetic address stands for its name, which the proxy resolves itself. The replies come from the
// synthetic address.
func TestDivertedToASyntheticAddress(t *testing.T) {
	t.Parallel()
	w := newDivertedDatagrams(t)
	w.p.cfg.SyntheticName = func(_ *rules.Generation, _, addr netip.Addr) (rules.Name, bool) {
		switch addr.String() {
		case "198.18.0.1":
			return proxytest.Name(t, "a.example"), true
		case "198.18.0.2":
			return proxytest.Name(t, "evil.example"), true
		}
		return rules.Name{}, addr.String() == "198.18.0.3"
	}
	client, o := w.socket("127.0.0.1:0"), w.origin("8.8.8.8:123")
	w.send(client, "198.18.0.1:123", "what time?")
	got, from := w.receive(o)
	o.WriteToUDPAddrPort([]byte("late"), from)
	if reply, _ := w.receive(client); got != "what time?" || reply != "late" || !slices.Equal(w.replies(), []netip.AddrPort{netip.MustParseAddrPort("198.18.0.1:123")}) {
		t.Errorf("arrived %q, reply %q from %v", got, reply, w.replies())
	}
	a := w.wantOne(rules.Allow, rules.ReasonNone).a
	if a.Authority.String() != "a.example" || a.Dest.String() != "8.8.8.8:123" || a.Original.String() != "198.18.0.1:123" || a.ByAddress {
		t.Errorf("attempt %+v", a)
	}
	for i, c := range []struct {
		to     string
		reason rules.Reason
	}{{"198.18.0.2:123", rules.NotListed}, {"198.18.0.3:123", rules.IPLiteral}, {"198.18.0.1:124", rules.PortNotListed}} {
		w.send(client, c.to, "exfiltration")
		if ds := w.journal.decisions(); len(ds) != i+2 || ds[i+1].d.Why() != c.reason {
			t.Errorf("%s: decisions %+v", c.to, ds)
		}
	}
	w.nothing(o)
}

// A flow ends with its rule. It does not end with its pin, but no other flow begins then.
func TestDivertedFlowEndsWithItsRule(t *testing.T) {
	t.Parallel()
	w := newDivertedDatagrams(t)
	w.pin("8.8.8.8", "a.example")
	client, o := w.socket("127.0.0.1:0"), w.origin("8.8.8.8:123")
	w.send(client, "8.8.8.8:123", "1")
	w.receive(o)
	w.mu.Lock()
	clear(w.pins)
	w.mu.Unlock()
	w.send(client, "8.8.8.8:123", "2")
	if got, _ := w.receive(o); got != "2" {
		t.Errorf("arrived %q", got)
	}
	w.send(w.socket("127.0.0.1:0"), "8.8.8.8:123", "another flow")
	w.nothing(o)
	w.policy(worldConfig)
	if n := w.p.Recheck(); n != 1 {
		t.Errorf("%d flows ended", n)
	}
	if end := w.wantClosed(); end.Cause != rules.EndPolicy || end.BytesIn != 2 {
		t.Errorf("end %+v", end)
	}
	w.eventually("the end of the flow", func() bool { return w.d.group.Flows() == 0 })
	w.send(client, "8.8.8.8:123", "3")
	w.nothing(o)
	ds := w.journal.decisions()
	if len(ds) != 3 || ds[1].d.Why() != rules.IPLiteral || ds[2].d.Why() != rules.IPLiteral {
		t.Errorf("decisions %+v", ds)
	}
}

// If there is no way to reply, nothing is sent.
func TestDivertedWithoutReply(t *testing.T) {
	t.Parallel()
	w := newDivertedDatagrams(t)
	w.fails = syscall.EPERM
	client, o := w.socket("127.0.0.1:0"), w.origin("8.8.8.9:123")
	w.send(client, "8.8.8.9:123", "1")
	if end := w.wantClosed(); end.Cause != rules.DialFailed || end.BytesIn != 0 {
		t.Errorf("end %+v", end)
	}
	w.nothing(o)
}

// A panic about one datagram denies that datagram only.
func TestDivertedPanic(t *testing.T) {
	t.Parallel()
	w := newDivertedDatagrams(t)
	w.p.cfg.Pinned = func(_, addr netip.Addr) []rules.Name {
		if addr.String() == "8.8.8.8" {
			panic("test")
		}
		return nil
	}
	client, o := w.socket("127.0.0.1:0"), w.origin("8.8.8.9:123")
	w.send(client, "8.8.8.8:123", "1")
	w.wantOne(rules.Deny, rules.MalformedRequest)
	w.send(client, "8.8.8.9:123", "2")
	if got, _ := w.receive(o); got != "2" || w.p.Stats().Panics != 1 {
		t.Errorf("arrived %q", got)
	}
}
