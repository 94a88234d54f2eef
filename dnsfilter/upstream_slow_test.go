// Slow upstreams: how long the filter waits, and which upstream it asks as
// well.

package dnsfilter

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestRetryAfter checks the times of RFC 6298, section 2, against values
// calculated by hand: in milliseconds, SRTT and RTTVAR after each sample.
func TestRetryAfter(t *testing.T) {
	var u rtt
	if p := u.retryAfter(900 * time.Millisecond); p != 900*time.Millisecond {
		t.Errorf("at first %v", p)
	}
	for _, c := range []struct{ sample, srtt, dev, retryAfter float64 }{
		{200, 200, 100, 600},            // (2.2): R, R/2
		{200, 200, 75, 500},             // (2.3): RTTVAR 3/4, no change
		{1000, 300, 256.25, 1325},       // 75*3/4 + 800/4; 200*7/8 + 1000/8
		{3000, 637.5, 867.1875, 1400},   // bounded
		{1, 557.9375, 809.515625, 1400}, // 867.1875*3/4 + 636.5/4
	} {
		u.addSample(time.Duration(c.sample * 1e6))
		near := func(a time.Duration, ms float64) bool { return (a - time.Duration(ms*1e6)).Abs() < time.Microsecond }
		if !near(u.srtt, c.srtt) || !near(u.dev, c.dev) || !near(u.retryAfter(0), c.retryAfter) {
			t.Errorf("after %v ms: %v %v %v, want %v %v %v", c.sample, u.srtt, u.dev, u.retryAfter(0), c.srtt, c.dev, c.retryAfter)
		}
	}
	var quick rtt
	for range 50 {
		quick.addSample(time.Millisecond)
	}
	if p := quick.retryAfter(0); p != minRetry {
		t.Errorf("of a quick one %v", p)
	}
}

// TestLateAnswer asserts that an answer to any copy of a question counts until
// the deadline: by RFC 1035, section 4.2.1, a client waits two to five seconds
// before it asks again.
func TestLateAnswer(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.TryTimeout = 50 * time.Millisecond }, "*.example")
	asked := 0
	var mu sync.Mutex
	release := make(chan struct{})
	b.up.answerWith(func(_ dns.ResponseWriter, r *dns.Msg) bool {
		mu.Lock()
		if asked++; asked == 3 {
			close(release)
		}
		first := asked == 1
		mu.Unlock()
		if first {
			<-release // it answers the first copy, after two more came
		}
		return !first
	})
	if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
		t.Errorf("answered %v", r)
	}
	mu.Lock()
	defer mu.Unlock()
	b.up.mu.Lock()
	defer b.up.mu.Unlock()
	for _, m := range b.up.raw {
		if m.Id != b.up.raw[0].Id || m.Question[0].Name != b.up.raw[0].Question[0].Name {
			t.Errorf("a copy differs: %v", m.Question)
		}
	}
}

// TestSlowUpstreamIsJoined asserts that an upstream which never answers does
// not delay the answer of the next upstream, and that a slow answer counts if
// the next upstream has none.
func TestSlowUpstreamIsJoined(t *testing.T) {
	slow := newAuthority(t)
	release := make(chan struct{})
	b := newHarness(t, func(c *setup) {
		c.Upstreams = append(slow.upstream(), c.Upstreams...)
		c.TryTimeout = 50 * time.Millisecond
	}, "*.example")
	slow.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { <-release; return false })
	if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
		t.Errorf("with a slow one first: %v", r)
	}
	u := b.current().root.servers[0]
	if !u.failed.Load() || b.current().root.order()[0] == u {
		t.Error("the slow one is still asked first")
	}
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeServerFailure))
		close(release)
		return true
	})
	if r := b.ask("b.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.11"}) {
		t.Errorf("the next one fails: %v", r)
	}
}

// TestOrder asserts the order in which upstreams are asked.
func TestOrder(t *testing.T) {
	of := func(addSample time.Duration, failed, down bool) *server {
		u := &server{}
		if addSample > 0 {
			u.addSample(addSample)
		}
		u.failed.Store(failed)
		u.down.Store(down)
		return u
	}
	const ms = time.Millisecond
	servers := []*server{
		of(10*ms, true, true), of(10*ms, true, false), of(900*ms, false, false), of(450*ms, false, false), of(60*ms, false, false), of(0, false, false),
	}
	var got []int
	for _, u := range (&upstreamSet{servers: servers}).order() {
		got = append(got, slices.Index(servers, u))
	}
	if want := []int{3, 4, 5, 2, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}
