// Upstream health: upstreams that fail and recover.

package dnsfilter

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestHealth asserts that the filter detects an upstream that is down, asks it
// last, and detects its recovery.
func TestHealth(t *testing.T) {
	t.Parallel()
	dead := newAuthority(t)
	dead.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { return true })
	b := newHarness(t, func(c *setup) {
		c.Upstreams = append(dead.upstream(), c.Upstreams...)
		c.TryTimeout = 300 * time.Millisecond
	}, "*.example")
	b.ask("a.example.", dns.TypeA)
	if err := b.Healthy(); err != nil {
		t.Errorf("with one of two: %v", err)
	}
	if n := len(dead.asked()); n != 1 && n != 2 { // 2 if it was asked again just before the other one answered
		t.Errorf("the dead one got %d queries", n)
	}
	if b.ask("b.example.", dns.TypeA); len(dead.asked()) != 0 {
		t.Error("the dead one is still asked first")
	}
	b.up.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { return true })
	b.ask("c.example.", dns.TypeA)
	if err := b.Healthy(); err == nil || !strings.Contains(err.Error(), "udp://") {
		t.Error("healthy without any upstream")
	}
	dead.answerWith(nil)
	b.ask("d.example.", dns.TypeA)
	if err := b.Healthy(); err != nil {
		t.Errorf("after one came back: %v", err)
	}
}

// TestUpstreams asserts that Upstreams returns the state of every upstream in
// force, and of no upstream that a reload removed.
func TestUpstreams(t *testing.T) {
	t.Parallel()
	dead := newAuthority(t)
	dead.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { return true })
	zone := mustName(t, "corp.test")
	b := newHarness(t, func(c *setup) {
		c.Zones = []Zone{{Suffix: zone, Upstreams: dead.upstream()}}
		c.Timeout, c.TryTimeout = 300*time.Millisecond, 100*time.Millisecond
	}, "a.example", "*.corp.test")
	public, internal := b.up.upstream()[0], dead.upstream()[0]
	want := []UpstreamState{{Upstream: public, Up: true}, {Upstream: internal, Zone: zone, Up: true}}
	if got := b.Upstreams(); !slices.Equal(got, want) {
		t.Errorf("before the first query: %+v", got)
	}
	b.ask("a.example.", dns.TypeA)
	b.ask("a.corp.test.", dns.TypeA)
	b.ask("b.corp.test.", dns.TypeA)
	want[0].LastAnswer, want[1].Up, want[1].Failures = b.time(), false, 2
	got := b.Upstreams()
	if why := got[1].Why; !silent(why) {
		t.Errorf("the cause of the failures is %v", why)
	}
	got[1].Why = nil
	if !slices.Equal(got, want) {
		t.Errorf("after three queries: %+v", got)
	}
	b.gens.reload(t, ResolverConfig{Upstreams: dead.upstream()})
	want = []UpstreamState{{Upstream: internal, Up: true}}
	if got := b.Upstreams(); !slices.Equal(got, want) {
		t.Errorf("after a reload that removed one: %+v", got)
	}
	dead.answerWith(nil)
	b.ask("a.example.", dns.TypeA)
	want[0].LastAnswer = b.time()
	if got := b.Upstreams(); !slices.Equal(got, want) {
		t.Errorf("after its first answer: %+v", got)
	}
}

// TestProbeWithoutTCP asserts that an upstream with a truncated answer to a
// probe is up, even if a firewall blocks TCP.
func TestProbeWithoutTCP(t *testing.T) {
	t.Parallel()
	b := newHarness(t, func(c *setup) {
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "tcp" {
				return nil, errors.New("connection refused")
			}
			return dialLiteral(ctx, network, address)
		}
	}, "a.example")
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := b.up.reply(r)
		m.Truncated = true
		w.WriteMsg(m)
		return true
	})
	u := b.current().root.servers[0]
	u.down.Store(true)
	b.probeIfDue(t.Context(), u)
	eventually(t, "the probe is answered", func() bool { return b.Healthy() == nil })
	if r := b.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("a truncated answer is passed on: %v", r)
	}
}

// TestProbe asserts that readiness is known, and recovers, without queries from
// clients.
func TestProbe(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	down := true
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return nil, errors.New("network is unreachable")
		}
		return dialLiteral(ctx, network, address)
	}
	b := newHarness(t, func(c *setup) { c.ProbeEvery = time.Minute; c.Dial = dial; c.Now = time.Now })
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- b.Serve(ctx, nil, nil) }()
	eventually(t, "unreachable upstream is noticed", func() bool { return b.Healthy() != nil })
	mu.Lock()
	down = false
	mu.Unlock()
	eventually(t, "reachable upstream is noticed", func() bool { return b.Healthy() == nil })
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if asked := b.up.asked(); !slices.Contains(asked, "udp . NS") {
		t.Errorf("probed with %q", asked)
	}
}

// TestSlowName asserts that a name whose servers never answer does not mark the
// upstream as down: otherwise its owner could switch readiness off.
func TestSlowName(t *testing.T) {
	t.Parallel()
	var blamed atomic.Bool
	b := newHarness(t, func(c *setup) {
		c.ProbeEvery, c.Now = time.Minute, time.Now
		c.Timeout, c.TryTimeout = time.Second, 500*time.Millisecond
		c.ObserveUpstream = func(u UpstreamTry) { blamed.Store(blamed.Load() || u.Down) }
	}, "*.example")
	dead := func(q *dns.Msg) bool { return q.Question[0].Qtype != dns.TypeNS }
	b.up.answerWith(func(_ dns.ResponseWriter, q *dns.Msg) bool { return dead(q) })
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- b.Serve(ctx, nil, nil) }()
	probed := func() bool { return slices.Contains(b.up.asked(), "udp . NS") }
	eventually(t, "the first probe", probed)
	if r := b.ask("slow.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure {
		t.Fatal(r)
	}
	eventually(t, "another probe, soon", probed)
	if err := b.Healthy(); err != nil || blamed.Load() {
		t.Errorf("the upstream is blamed: %v", err)
	}
	b.up.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { return true })
	b.ask("slower.example.", dns.TypeA)
	eventually(t, "a dead upstream", func() bool { return b.Healthy() != nil })
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestSlowNameBehindADeadUpstream asserts that a name whose servers never
// answer does not move an upstream that is down to the first place.
func TestSlowNameBehindADeadUpstream(t *testing.T) {
	t.Parallel()
	dead := newAuthority(t)
	dead.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { return true })
	b := newHarness(t, func(c *setup) {
		c.Upstreams = append(dead.upstream(), c.Upstreams...)
		c.ProbeEvery, c.Now = time.Minute, time.Now
		c.Timeout, c.TryTimeout = time.Second, 500*time.Millisecond
	}, "*.example")
	b.up.answerWith(func(_ dns.ResponseWriter, q *dns.Msg) bool {
		return strings.HasPrefix(strings.ToLower(q.Question[0].Name), "slow")
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- b.Serve(ctx, nil, nil) }()
	first, second := b.current().root.servers[0], b.current().root.servers[1]
	eventually(t, "the dead one is known", first.down.Load)
	b.ask("slow.example.", dns.TypeA)
	if !second.failed.Load() || second.down.Load() {
		t.Fatal("the other one did not fail, or is taken for dead")
	}
	dead.asked()
	if r := b.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeSuccess {
		t.Errorf("answer %v", r)
	}
	if asked := dead.asked(); slices.ContainsFunc(asked, func(q string) bool { return strings.Contains(q, "a.example") }) {
		t.Errorf("the dead one was asked %q", asked)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}
