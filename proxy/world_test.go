// A world for tests: a real policy, names with public addresses, and origins on loopback that
// stand for them and record what arrives.

package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// worldConfig permits what most tests need; 8.8.8.x stands for the outside.
const worldConfig = `
[[client]]
name    = "lab"
sources = ["127.0.0.0/8"]
profiles = []

[[rule]]
id     = "web"
client = "lab"
to     = ["a.example", "b.example", "gone.example", "inside.example", "mixed.example"]
tcp    = [80, 443, 5000]
reason = "test"

[[rule]]
id     = "addr"
client = "lab"
to     = ["8.8.8.9"]
tcp    = [443, 5000]
reason = "test"

[[rule]]
id     = "opaque"
client = "lab"
to     = ["8.8.8.7"]
any    = true
reason = "test"
`

// worldNames are the answers of the world's resolver.
func worldNames() map[string][]netip.Addr {
	addr := netip.MustParseAddr
	return map[string][]netip.Addr{
		"a.example":      {addr("8.8.8.8")},
		"b.example":      {addr("8.8.8.6")},
		"gone.example":   {addr("8.8.8.1")},
		"inside.example": {addr("10.1.2.3"), addr("127.0.0.1"), addr("fd00::1")},
		"mixed.example":  {addr("10.1.2.3"), addr("8.8.8.8")},
	}
}

type world struct {
	t       testing.TB
	p       *Proxy
	live    *rules.Live
	own     rules.Own
	journal *recorder
	names   map[string][]netip.Addr // the resolver's answers
	http    netip.AddrPort
	socks   netip.AddrPort

	mu      sync.Mutex
	origins map[netip.AddrPort]*origin
	peers   map[string]netip.AddrPort // local address of an upstream socket -> the address that it stands for
	dials   []netip.AddrPort
	lookups []string
}

// impatient sets short limits for handshakes and first bytes.
func impatient(c *Config) { c.Limits.Sniff, c.Limits.Head = 300*time.Millisecond, 300*time.Millisecond }

// newWorld starts a proxy with both front ends. change may be nil.
func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, live: new(rules.Live), names: worldNames(), origins: map[netip.AddrPort]*origin{}, own: rules.Own{Found: new(rules.Found)}, peers: map[string]netip.AddrPort{}}
	w.journal = &recorder{next: w.live}
	var flows atomic.Uint64
	cfg := Config{
		Gate: w.journal, Generation: w.live.Load, Closed: w.journal.closed, Lookup: w.lookup, Connect: w.connect, Found: w.own.Found,
		NextFlow: func() uint64 { return flows.Add(1) },
		Limits:   Limits{Sniff: 10 * time.Second, Head: 10 * time.Second},
		textWait: time.Second, pinWait: 250 * time.Millisecond, // a test that sends byte by byte may be interrupted for a long time
	}
	if change != nil {
		change(&cfg)
	}
	w.p = New(cfg)
	w.p.remote = w.remote
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	serve := func(f func(context.Context, net.Listener) error) netip.AddrPort {
		l, err := Listen(ctx, "tcp", netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		served.Add(1)
		go func() {
			defer served.Done()
			if err := f(ctx, l); err != nil {
				t.Error(err)
			}
		}()
		return unmapped(l.Addr())
	}
	w.http, w.socks = serve(w.p.ServeHTTP), serve(w.p.ServeSOCKS5)
	w.own.Listeners = []netip.AddrPort{w.http, w.socks, netip.MustParseAddrPort("127.0.0.1:9180")}
	w.policy(worldConfig)
	t.Cleanup(func() {
		cancel()
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		w.p.Drain(ctx)
		served.Wait()
		for _, o := range w.origins {
			o.close()
		}
	})
	return w
}

// policy puts a configuration in force.
func (w *world) policy(text string) {
	w.t.Helper()
	w.policyAt(text, time.Now())
}

// policyAt puts a configuration in force as of now.
func (w *world) policyAt(text string, now time.Time) {
	w.t.Helper()
	c, problems := site.Parse("test.toml", site.Disk{Files: noDisk{}}, []byte(text), nil)
	if c == nil {
		w.t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, w.own, now)
	w.live.Swap(&rules.Generation{Policy: p})
}

func (w *world) lookup(_ context.Context, _ *rules.Generation, n rules.Name) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookups = append(w.lookups, n.String())
	if addrs, ok := w.names[n.String()]; ok {
		return addrs, nil
	}
	return nil, errors.New("no such name")
}

// connect connects to the loopback listener that stands for addr.
func (w *world) connect(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials = append(w.dials, addr)
	o := w.origins[addr]
	if o == nil {
		return nil, syscall.ECONNREFUSED
	}
	conn, err := connectTCP(ctx, unmapped(o.l.Addr()))
	if err == nil {
		w.peers[conn.LocalAddr().String()] = addr
	}
	return conn, err
}

func (w *world) remote(conn *net.TCPConn) netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peers[conn.LocalAddr().String()]
}

// dialed returns the addresses that were connected to.
func (w *world) dialed() []netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dials)
}

func (w *world) lookedUp() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lookups)
}
