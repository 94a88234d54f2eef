// Serving: sockets, limits of connections, and the end.

package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// serving is a harness with sockets on loopback.
type serving struct {
	*harness
	addr string
	stop context.CancelFunc
	done chan error
}

func serve(t *testing.T, sockets int, change func(*setup), names ...string) *serving {
	t.Helper()
	s := &serving{harness: newHarness(t, func(c *setup) {
		c.Now = time.Now
		if change != nil {
			change(c)
		}
	}, names...), done: make(chan error, 1)}
	var packets []net.PacketConn
	var ln net.Listener
	var err error
	for range 20 { // until a port is free for both
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			continue
		}
		if packets, err = ListenPackets(t.Context(), "udp4", netip.MustParseAddrPort(ln.Addr().String()), sockets, false); err == nil {
			break
		}
		ln.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.addr, s.stop = ln.Addr().String(), cancel
	go func() { s.done <- s.Serve(ctx, packets, []net.Listener{ln}) }()
	t.Cleanup(func() {
		cancel()
		if err, open := <-s.done; open && err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial opens a TCP connection to the filter.
func (s *serving) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

func framed(m []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)
}

func readFramed(t *testing.T, conn net.Conn) *dns.Msg {
	t.Helper()
	c := dns.Conn{Conn: conn}
	m, err := c.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSockets asks through real sockets, by UDP and TCP, with one socket and
// with many.
func TestSockets(t *testing.T) {
	for _, sockets := range []int{1, 4} {
		s := serve(t, sockets, nil, "a.example")
		for _, network := range []string{"udp", "tcp"} {
			c := dns.Client{Net: network, Timeout: 5 * time.Second}
			for _, q := range []struct {
				name   string
				rcode  int
				answer []string
			}{{"a.example.", dns.RcodeSuccess, []string{"192.0.1.10"}}, {"evil.example.", dns.RcodeNameError, nil}, {"a.example.", dns.RcodeSuccess, []string{"192.0.1.10"}}} {
				r, _, err := c.Exchange(question(q.name, dns.TypeA), s.addr)
				if err != nil || r.Rcode != q.rcode || !slices.Equal(data(r), q.answer) {
					t.Errorf("%s %s: %v, %v", network, q.name, r, err)
				}
				if a, _ := s.p.final(t); a.Proto.String() != network || a.Client.Addr().String() != "127.0.0.1" || a.Client.Port() == 0 {
					t.Errorf("%s: attempt %+v", network, a)
				}
			}
		}
		if asked := s.up.asked(); len(asked) != 1 {
			t.Errorf("upstream was asked %q", asked)
		}
	}
}

// TestPipelining sends queries on one connection without waiting. A slow answer
// delays no other.
func TestPipelining(t *testing.T) {
	s := serve(t, 1, nil, "*.example")
	release := make(chan struct{})
	s.up.answerWith(func(_ dns.ResponseWriter, r *dns.Msg) bool {
		if dns.CanonicalName(r.Question[0].Name) == "a.example." {
			<-release
		}
		return false
	})
	conn := s.dial()
	slow, quick, no := question("a.example.", dns.TypeA), question("b.example.", dns.TypeA), question("evil.test.", dns.TypeA)
	conn.Write(slices.Concat(framed(packed(t, slow)), framed(packed(t, quick)), framed(packed(t, no))))
	got := []uint16{readFramed(t, conn).Id, readFramed(t, conn).Id}
	slices.Sort(got)
	want := []uint16{quick.Id, no.Id}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("replies to %v came first, want %v", got, want)
	}
	close(release)
	if m := readFramed(t, conn); m.Id != slow.Id || len(m.Answer) != 1 {
		t.Errorf("the slow one: %v", m)
	}
}

// TestStop asserts that answers in flight are still sent when Serve must stop,
// and that Serve then returns.
func TestStop(t *testing.T) {
	t.Parallel()
	s := serve(t, 1, nil, "a.example")
	asked, release := make(chan struct{}), make(chan struct{})
	s.up.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { asked <- struct{}{}; <-release; return false })
	udp, err := net.Dial("udp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	udp.SetDeadline(time.Now().Add(5 * time.Second))
	udp.Write(packed(t, question("a.example.", dns.TypeA)))
	<-asked
	idle := s.dial()
	s.stop()
	close(release)
	buf := make([]byte, 512)
	n, err := udp.Read(buf)
	if err != nil || len(unpacked(t, buf[:n]).Answer) != 1 {
		t.Errorf("the answer under way: %v", err)
	}
	if n, _ := idle.Read(make([]byte, 1)); n != 0 {
		t.Error("an idle connection got something")
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	close(s.done)
}

// TestBrokenSocket asserts that a socket that fails for good ends Serve with
// its error.
func TestBrokenSocket(t *testing.T) {
	b := newHarness(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := b.Serve(context.Background(), nil, []net.Listener{ln}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v", err)
	}
	unix, err := net.ListenPacket("unixgram", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Serve(context.Background(), []net.PacketConn{unix}, nil); err == nil {
		t.Error("Serve accepts a socket that is not UDP")
	}
}

// TestPortIsNotShared asserts that the sockets of one address share it with
// each other and with no other socket, even of the same user.
func TestPortIsNotShared(t *testing.T) {
	closeAll := func(conns []net.PacketConn) {
		for _, c := range conns {
			c.Close()
		}
	}
	mine, err := ListenPackets(t.Context(), "udp4", netip.MustParseAddrPort("127.0.0.1:0"), 3, false)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(mine)
	addr := netip.MustParseAddrPort(mine[0].LocalAddr().String())
	for _, c := range mine {
		if c.LocalAddr().String() != addr.String() {
			t.Errorf("a socket on %v, the first one is on %v", c.LocalAddr(), addr)
		}
	}
	for _, n := range []int{1, 3} {
		if more, err := ListenPackets(t.Context(), "udp4", addr, n, false); !errors.Is(err, syscall.EADDRINUSE) {
			closeAll(more)
			t.Errorf("%d more sockets: %v", n, err)
		}
	}
}
