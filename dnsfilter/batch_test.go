// Batch: many datagrams at a time, each with its own answer, whatever happens to the others.

package dnsfilter

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// waiting is a filter whose socket holds datagrams before anybody reads them.
type waiting struct {
	*harness
	conn *net.UDPConn
	to   netip.AddrPort
}

func newWaiting(t *testing.T, network, addr string, change func(*setup), names ...string) *waiting {
	t.Helper()
	w := &waiting{harness: newHarness(t, func(c *setup) {
		c.Now = time.Now
		if change != nil {
			change(c)
		}
	}, names...)}
	pc, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Skip(err) // no IPv6
	}
	w.conn = pc.(*net.UDPConn)
	w.to = w.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return w
}

// client opens a socket that takes datagrams from the filter's address only.
func (w *waiting) client(at string) *net.UDPConn {
	w.t.Helper()
	conn, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr(at), w.to.Port()).String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn.(*net.UDPConn)
}

// serve begins to read the socket. The function that it returns ends that and waits.
func (w *waiting) serve() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, []net.PacketConn{w.conn}, nil) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

func answerOf(t *testing.T, conn net.Conn) *dns.Msg {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return unpacked(t, buf[:n])
}

// Cached, denied, unreadable and oversize datagrams, and some whose answer an upstream
// has, wait together. Each gets its own answer and one record; the answers are counted.
func TestBatchOfDifferentQueries(t *testing.T) {
	counted := make(chan Answer, 1000)
	w := newWaiting(t, "udp4", "127.0.0.1:0", func(c *setup) { c.Observe = func(a Answer) { counted <- a } }, "a.example", "b.example")
	w.send(question("a.example.", dns.TypeA)) // into the cache
	<-counted
	w.p.mu.Lock()
	w.p.attempts, w.p.verdicts = nil, nil
	w.p.mu.Unlock()
	const rounds = 12 // more than one batch, and less than a socket holds
	conn, ids := w.client("127.0.0.1"), map[uint16]int{}
	ask := func(m *dns.Msg, rcode int) { ids[m.Id] = rcode; conn.Write(packed(t, m)) }
	for i := range rounds {
		for k, q := range []struct {
			name  string
			rcode int
		}{{"a.example.", dns.RcodeSuccess}, {"evil.example.", dns.RcodeNameError}, {"b.example.", dns.RcodeSuccess}} {
			m := question(q.name, dns.TypeA)
			m.Id = uint16(i*8 + k)
			ask(m, q.rcode)
		}
		conn.Write([]byte("short")) // no answer
		long := question("a.example.", dns.TypeA)
		long.Id = uint16(i*8 + 3)
		ids[long.Id] = dns.RcodeFormatError
		conn.Write(append(packed(t, long), make([]byte, maxQuery)...))
		conn.Write(nil) // a datagram without octets
	}
	stop := w.serve()
	for range 4 * rounds {
		m := answerOf(t, conn)
		if rcode, asked := ids[m.Id]; !asked || m.Rcode != rcode || (rcode == dns.RcodeSuccess) != (len(m.Answer) == 1) {
			t.Errorf("answer %v, asked %v, want %s", m, asked, dns.RcodeToString[rcode])
		}
		delete(ids, m.Id)
	}
	stop()
	close(counted)
	sums := map[Kind]int{}
	for a := range counted {
		if a.Latency < 0 || a.Latency > time.Minute || a.Proto != rules.UDP {
			t.Errorf("counted %+v", a)
		}
		sums[a.Kind] += a.Count
	}
	if sums[KindMalformed] != rounds || sums[KindDropped] != 2*rounds || sums[KindDenied] != rounds || sums[KindCached]+sums[KindUpstream] != 2*rounds {
		t.Errorf("counted %v", sums)
	}
	finals := map[rules.Reason]int{}
	for i, a := range w.p.attempts {
		if d := w.p.verdicts[i]; !d.Allowed() || !a.Provisional {
			finals[d.Reason]++
		}
	}
	if finals[rules.ReasonNone] != 2*rounds || finals[rules.NotListed] != rounds || finals[rules.MalformedRequest] != 3*rounds {
		t.Errorf("records: %v", finals)
	}
}

// A socket of both families answers clients of both, each from the address that was asked.
func TestBatchOfBothFamilies(t *testing.T) {
	w := newWaiting(t, "udp", "[::]:0", nil, "a.example")
	clients := map[string]*net.UDPConn{"127.0.0.1": w.client("127.0.0.1"), "::1": w.client("::1")}
	for i := range uint16(10) {
		for _, conn := range clients {
			m := question("evil.example.", dns.TypeA)
			m.Id = i
			conn.Write(packed(t, m))
		}
	}
	stop := w.serve()
	for at, conn := range clients {
		for i := range uint16(10) {
			if m := answerOf(t, conn); m.Id != i || m.Rcode != dns.RcodeNameError {
				t.Errorf("%s: %v", at, m)
			}
		}
	}
	stop()
	asked := map[string]int{}
	for _, a := range w.p.attempts {
		asked[a.Client.Addr().String()]++
	}
	if len(asked) != 2 || asked["127.0.0.1"] != 10 || asked["::1"] != 10 {
		t.Errorf("the clients were %v", asked)
	}
}

// A panic about one query of a batch costs the others nothing.
func TestBatchWithAPanic(t *testing.T) {
	w := newWaiting(t, "udp4", "127.0.0.1:0", func(c *setup) {
		decide := c.Gate
		c.Gate = gateFunc(func(a rules.Attempt) rules.Decision {
			if strings.HasPrefix(a.Authority.String(), "broken") {
				panic("on purpose")
			}
			return decide.Decide(a)
		})
	})
	conn := w.client("127.0.0.1")
	for i, name := range []string{"a.test.", "broken.test.", "b.test."} {
		m := question(name, dns.TypeA)
		m.Id = uint16(i)
		conn.Write(packed(t, m))
	}
	defer w.serve()()
	for _, id := range []uint16{0, 2} {
		if m := answerOf(t, conn); m.Id != id || m.Rcode != dns.RcodeNameError {
			t.Errorf("%v, want the answer to %d", m, id)
		}
	}
}

// Serve ends while a batch is answered: every query of the batch gets its answer.
func TestBatchAtTheEnd(t *testing.T) {
	busy, release := make(chan struct{}, 16), make(chan struct{})
	w := newWaiting(t, "udp4", "127.0.0.1:0", func(c *setup) {
		decide := c.Gate
		c.Gate = gateFunc(func(a rules.Attempt) rules.Decision { busy <- struct{}{}; <-release; return decide.Decide(a) })
	})
	conn := w.client("127.0.0.1")
	for i := range uint16(8) {
		m := question("evil.test.", dns.TypeA)
		m.Id = i
		conn.Write(packed(t, m))
	}
	stop := w.serve()
	<-busy // the first one of the batch
	done := make(chan struct{})
	go func() { stop(); close(done) }()
	for w.running.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	<-w.running.Load().ended
	close(release)
	for i := range uint16(8) {
		if m := answerOf(t, conn); m.Id != i {
			t.Errorf("%v, want the answer to %d", m, i)
		}
	}
	<-done
}

// A socket that another process opened, as systemd passes it, is read in the same way.
func TestBatchOfAPassedSocket(t *testing.T) {
	w := newWaiting(t, "udp4", "127.0.0.1:0", nil)
	w.pass()
	conn := w.client("127.0.0.1")
	left := map[uint16]bool{}
	for i := range uint16(100) {
		m := question("evil.test.", dns.TypeA)
		m.Id, left[i] = i, true
		conn.Write(packed(t, m))
	}
	defer w.serve()()
	for range 100 { // several readers: in any order
		delete(left, answerOf(t, conn).Id)
	}
	if len(left) > 0 {
		t.Errorf("no answer to %v", left)
	}
	if err := w.Alive(t.Context()); err != nil {
		t.Error(err)
	}
}
