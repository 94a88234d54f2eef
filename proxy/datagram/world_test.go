// A world for tests: a real policy, names with public addresses, and sockets on loopback that stand
// for the destinations.

package datagram

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sallyport/rules"
	"sallyport/rules/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const worldConfig = `
[[client]]
name    = "lab"
sources = ["127.0.0.0/8"]
profiles = []

[[client]]
name    = "other"
sources = ["10.0.0.0/8"]
profiles = []

[[rule]]
id     = "time"
client = "lab"
to     = ["time.example", "inside.example", "gone.example", "two.example", "slow.example"]
udp    = [123, 5000]
reason = "test"

[[rule]]
id     = "addr"
client = "lab"
to     = ["8.8.8.9"]
udp    = [161]
reason = "test"

[[rule]]
id     = "all"
client = "other"
to     = ["8.8.8.9"]
udp    = [161, 162, 163, 164, 165]
reason = "test"
`

// A record is one final decision.
type record struct {
	a rules.Attempt
	d rules.Decision
}

type world struct {
	t    testing.TB
	live *rules.Live
	*Table
	group *Group

	generation atomic.Int64 // of the look-ups: another answer each time
	slow       chan struct{}
	allowed    func() // called after a final allow; nil: nothing

	mu      sync.Mutex
	origins map[netip.AddrPort]*net.UDPConn
	peers   map[string]netip.AddrPort
	dials   []netip.AddrPort
	records []record
	closes  []rules.Close
	replies []string // to all clients: "client content"
	opened  int      // repliers that are not closed
}

func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, live: new(rules.Live), origins: map[netip.AddrPort]*net.UDPConn{}, peers: map[string]netip.AddrPort{}, slow: make(chan struct{})}
	var flows atomic.Uint64
	cfg := Config{Gate: w, Generation: w.live.Load, Closed: w.closed, Resolve: w.resolve, Connect: w.connect, Remote: w.remote,
		NextFlow: func() uint64 { return flows.Add(1) }}
	if change != nil {
		change(&cfg)
	}
	w.Table = New(cfg)
	w.group = w.Group(FrontEnd{Ask: ask, Open: w.open})
	w.policy(worldConfig)
	t.Cleanup(func() {
		w.group.Close(rules.EndClean)
		w.Table.Close(rules.EndDrain)
		for _, o := range w.origins {
			o.Close()
		}
		if w.opened != 0 {
			t.Errorf("%d repliers are open", w.opened)
		}
	})
	return w
}

func ask(_ netip.AddrPort, to rules.Authority) rules.Attempt {
	return rules.Attempt{Via: rules.ViaSOCKS5, Authority: to.Name, Dest: netip.AddrPortFrom(to.Addr, to.Port)}
}

func (w *world) policy(text string) { w.policyAt(text, time.Now()) }

func (w *world) policyAt(text string, now time.Time) {
	w.t.Helper()
	c, problems := site.Parse("test.toml", site.Disk{}, []byte(text), nil)
	if c == nil {
		w.t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, now)
	w.live.Swap(&rules.Generation{Policy: p})
}

func (w *world) Decide(a rules.Attempt) rules.Decision {
	d := w.live.Decide(a)
	if !a.Provisional || !d.Allowed() {
		w.mu.Lock()
		w.records = append(w.records, record{a, d})
		w.mu.Unlock()
	}
	if w.allowed != nil && !a.Provisional && d.Allowed() {
		w.allowed()
	}
	return d
}

func (w *world) Preview(a rules.Attempt) rules.Decision { return w.live.Preview(a) }

func (w *world) closed(c rules.Close) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closes = append(w.closes, c)
}

func (w *world) resolve(ctx context.Context, d rules.Decision, a rules.Attempt) ([]netip.Addr, rules.Attempt, error) {
	one := func(s string) ([]netip.Addr, rules.Attempt, error) {
		addr := netip.MustParseAddr(s)
		if a.Fault = d.Reach(netip.AddrPortFrom(addr, a.Dest.Port())); a.Fault != rules.ReasonNone {
			a.Dest = netip.AddrPortFrom(addr, a.Dest.Port())
			w.Decide(a)
			return nil, a, ErrDenied
		}
		return []netip.Addr{addr}, a, nil
	}
	switch a.Authority.String() {
	case "":
		return one(a.Dest.Addr().String())
	case "time.example":
		if w.generation.Add(1) > 1 {
			return one("8.8.4.4")
		}
		return one("8.8.8.8")
	case "inside.example":
		return one("10.1.2.3")
	case "two.example":
		return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("8.8.8.8")}, a, nil
	case "slow.example":
		select {
		case <-w.slow:
		case <-ctx.Done():
			return nil, a, &Failure{rules.DialTimedOut, ctx.Err()}
		}
		return one("8.8.8.8")
	}
	return nil, a, &Failure{rules.DialUnresolved, errors.New("no such name")}
}

func (w *world) connect(ctx context.Context, to netip.AddrPort) (*net.UDPConn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials = append(w.dials, to)
	o := w.origins[to]
	if o == nil {
		return nil, syscall.ENETUNREACH
	}
	conn, err := connect(ctx, o.LocalAddr().(*net.UDPAddr).AddrPort())
	if err == nil {
		w.peers[conn.LocalAddr().String()] = to
	}
	return conn, err
}

func (w *world) remote(conn *net.UDPConn) netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peers[conn.LocalAddr().String()]
}

// origin returns a socket that stands for an address.
func (w *world) origin(addr string) *net.UDPConn {
	w.t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.origins[netip.MustParseAddrPort(addr)] = conn
	return conn
}

type replier struct {
	w      *world
	client netip.AddrPort
	from   netip.AddrPort
}

func (w *world) open(client netip.AddrPort, _ rules.Authority, from netip.AddrPort) (Replier, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	return &replier{w, client, from}, nil
}

func (r *replier) Reply(b []byte) error {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if bytes.Equal(b[Headroom:], []byte("unwanted")) {
		return syscall.EMSGSIZE
	}
	r.w.replies = append(r.w.replies, r.client.String()+" "+r.from.String()+" "+string(b[Headroom:]))
	return nil
}

func (r *replier) Close() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.w.opened--
}

var client = netip.MustParseAddrPort("127.0.0.1:4000")

// send sends a datagram of client to host:port.
func (w *world) send(to, content string) { w.sendFrom(client, to, content) }

func (w *world) sendFrom(from netip.AddrPort, to, content string) {
	w.t.Helper()
	host, err := rules.ParseAuthority(to, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.group.Send(from, host, []byte(content))
}

// receive returns the next datagram at an origin, and where it came from.
func (w *world) receive(o *net.UDPConn) (string, netip.AddrPort) {
	w.t.Helper()
	b := make([]byte, 1<<16)
	o.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, from, err := o.ReadFromUDPAddrPort(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b[:n]), from
}

// nothing fails if a datagram arrived at an origin.
func (w *world) nothing(o *net.UDPConn) {
	w.t.Helper()
	o.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	b := make([]byte, 1<<16)
	if n, _, err := o.ReadFromUDPAddrPort(b); err == nil {
		w.t.Errorf("the origin got %q", b[:n])
	}
}
