// The harness of the prefetch tests: a filter whose upstream is a pipe, with
// the clock of a synctest bubble.

package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// prefetchHarness is a filter with prefetch and an upstream behind a pipe.
type prefetchHarness struct {
	*Filter
	t  *testing.T
	up *authority

	gens *generations

	mu     sync.Mutex
	names  []string            // names that the policy permits
	fresh  map[string][]string // by name: the addresses that the packet filter gets
	down   bool                // the upstream fails
	mute   uint16              // the upstream never answers questions of this type
	tries  []string            // addresses that the filter tried to connect to
	takes  time.Duration       // time from a question to its answer
	jitter float64

	serving sync.WaitGroup // the upstream's goroutines
}

const upstreamAddr = "192.0.2.53:53"

func newPrefetchHarness(t *testing.T, names ...string) *prefetchHarness {
	t.Helper()
	b := &prefetchHarness{t: t, up: newZone(t), names: names, fresh: map[string][]string{}, takes: 10 * time.Millisecond, jitter: 1}
	b.Filter, b.gens = b.setup(upstreamAddr).filter(t)
	return b
}

func (b *prefetchHarness) setup(upstream string) setup {
	return setup{Config{
		Gate: always{}, ProbeEvery: -1,
		Dial: b.dial, PrefetchNames: b.ahead, Prefetched: b.prefetched, Pins: true, Jitter: func() float64 { return b.jitter },
	}, ResolverConfig{
		Upstreams: []rules.Upstream{{Over: rules.OverTCP, Addr: netip.MustParseAddrPort(upstream)}},
		Hosts:     map[rules.Name][]netip.Addr{mustName(b.t, "fixed.test"): {netip.MustParseAddr("192.0.1.99")}},
	}}
}

// serve runs the filter without a socket until the test ends.
func (b *prefetchHarness) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, nil, nil) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
		b.Close()
		b.serving.Wait()
	})
}

func (b *prefetchHarness) ahead(*rules.Generation) (names []rules.Name) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.names {
		names = append(names, mustName(b.t, n))
	}
	return names
}

func (b *prefetchHarness) permit(names ...string) {
	b.mu.Lock()
	b.names = names
	b.mu.Unlock()
	b.PolicyChanged()
}

func (b *prefetchHarness) prefetched(name rules.Name, addrs []netip.Addr, ttl time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh[name.String()] = append(b.fresh[name.String()], fmt.Sprint(join(addrs), " ", ttl))
}

func (b *prefetchHarness) dial(_ context.Context, _, address string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries = append(b.tries, address)
	if b.down {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	mute, takes := b.mute, b.takes
	b.serving.Go(func() { b.serveOne(theirs, mute, takes) })
	return ours, nil
}

// newTries returns how often the upstream was tried since the last call.
func (b *prefetchHarness) newTries() (n int, last string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n = len(b.tries); n > 0 {
		last = b.tries[n-1]
	}
	b.tries = nil
	return n, last
}

// breakDown makes the upstream fail, or answer again.
func (b *prefetchHarness) breakDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// serveOne answers one question as the upstream.
func (b *prefetchHarness) serveOne(c net.Conn, mute uint16, takes time.Duration) {
	u := b.up
	defer c.Close()
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	buf, m := make([]byte, binary.BigEndian.Uint16(size[:])), new(dns.Msg)
	if _, err := io.ReadFull(c, buf); err != nil || m.Unpack(buf) != nil {
		return
	}
	u.mu.Lock()
	u.queries = append(u.queries, strings.ToLower(m.Question[0].Name)+" "+dns.Type(m.Question[0].Qtype).String())
	u.mu.Unlock()
	time.Sleep(takes) // in the bubble's time
	wire, err := u.reply(m).Pack()
	if err == nil && m.Question[0].Qtype != mute {
		_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...))
	}
}

// wait lets time pass.
func (b *prefetchHarness) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// pinned returns the names that an address is pinned to for a client that never
// asked.
func (b *prefetchHarness) pinned(addr string) string { return pinsOf(b.Filter, knownClient, addr) }
