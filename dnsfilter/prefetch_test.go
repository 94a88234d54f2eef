// Prefetch: which names are looked up before any client asks, and how often.

package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestPrefetch asserts that exactly the policy's names are looked up at the
// start, that their addresses are pinned for every client and passed to the
// packet filter, and that a client's query finds them in the cache.
func TestPrefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPrefetchHarness(t, "a.example", "www.a.example", "fixed.test", "gone.example")
		if b.pinned("192.0.1.10") != "" {
			t.Error("pinned before it was looked up")
		}
		b.serve()
		b.wait(2 * time.Second)
		asked := b.up.asked()
		slices.Sort(asked)
		if got, want := strings.Join(asked, ", "), "a.example. A, a.example. AAAA, gone.example. A, gone.example. AAAA, www.a.example. A, www.a.example. AAAA"; got != want {
			t.Errorf("upstream was asked %s\nwant %s", got, want)
		}
		for addr, want := range map[string]string{
			"192.0.1.10": "a.example", "2606:4700::10": "a.example", "192.0.1.20": "www.a.example", "192.0.1.99": "fixed.test", "192.0.1.11": "",
		} {
			if got := b.pinned(addr); got != want {
				t.Errorf("%s is pinned to %q, want %q", addr, got, want)
			}
		}
		if got := fmt.Sprint(b.fresh); got != "map[a.example:[2606:4700::10 192.0.1.10 5m0s] fixed.test:[192.0.1.99 1m0s] www.a.example:[192.0.1.20 1m0s]]" {
			t.Errorf("the packet filter got %v", got)
		}
		q := query{msg: packed(t, question("a.example.", dns.TypeA)), client: netip.MustParseAddrPort(knownClient + ":1"), proto: rules.UDP}
		if out, p := b.handle(&q, nil); p != nil || len(out) == 0 {
			t.Error("a client waits for a prefetched answer")
		}
	})
}

// TestPrefetchStaysFresh asserts that for hours no client waits for an upstream
// or uses an address without a pin, that upstreams are not asked more often
// than this needs, and that an address is dropped once its name no longer has
// it.
func TestPrefetchStaysFresh(t *testing.T) {
	for _, jitter := range []float64{0, 0.5, 0.999} {
		t.Run(fmt.Sprint("jitter ", jitter), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newPrefetchHarness(t, "a.example", "www.a.example")
				b.jitter = jitter
				b.serve()
				b.wait(time.Second)
				b.up.asked()
				for range 3600 {
					b.wait(time.Second)
					for _, n := range []string{"a.example", "www.a.example"} {
						if r := b.current(); r.find(appendKey(nil, appendWireName(nil, mustName(t, n)), dns.TypeA), want{}, b.clock()) == nil {
							t.Fatalf("no cached answer for %s", n)
						}
					}
				}
				a, www := 0, 0
				for _, q := range b.up.asked() {
					switch q {
					case "a.example. A":
						a++
					case "www.a.example. A":
						www++
					}
				}
				if least := 3600 / 300; a < least || a > 2*least {
					t.Errorf("the name with a TTL of 5 minutes was looked up %d times", a)
				}
				if least := 3600 / 60; www < least || www > 2*least {
					t.Errorf("the name with a TTL of a minute was looked up %d times", www)
				}
				b.up.mu.Lock()
				b.up.zone["edge.cdn.test.A"] = records(t, "edge.cdn.test. 60 IN A 192.0.1.21")
				b.up.mu.Unlock()
				b.wait(time.Minute)
				if b.pinned("192.0.1.20") == "" || b.pinned("192.0.1.21") == "" {
					t.Error("the old address or the new one is not pinned")
				}
				b.wait(7 * time.Minute)
				if b.pinned("192.0.1.20") != "" || b.pinned("192.0.1.21") == "" {
					t.Error("the old address is still pinned, or the new one not")
				}
			})
		})
	}
}

// TestPrefetchRate asserts that many names are not asked for all at once, and
// that a slow upstream has no more names in flight than a fast upstream.
func TestPrefetchRate(t *testing.T) {
	for _, c := range []struct {
		takes       time.Duration
		least, most int // questions in the busiest second
	}{
		{10 * time.Millisecond, 90, 102},
		{800 * time.Millisecond, 16, 32},
	} {
		t.Run(c.takes.String(), func(t *testing.T) { aheadPace(t, c.takes, c.least, c.most) })
	}
}

func aheadPace(t *testing.T, takes time.Duration, least, limit int) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 300 {
			names = append(names, fmt.Sprintf("n%d.example", i))
			names = append(names, fmt.Sprintf("m%d.example", i))
		}
		b := newPrefetchHarness(t, names...)
		b.takes = takes
		for _, n := range names {
			b.up.add(records(t, n+". 1 IN A 192.0.1.1")[0])
		}
		b.serve()
		most := 0
		for range 60 {
			b.wait(time.Second)
			n := len(b.up.asked())
			most = max(most, n)
		}
		if most > limit || most < least {
			t.Errorf("%d questions in a second", most)
		}
	})
}

// TestPrefetchBacksOff asserts that a failing upstream is asked less and less
// often, that pins stay for their lifetime, and that prefetches succeed soon
// after the upstream recovers.
func TestPrefetchBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 2 * maxTries // both families; an exchange tries a failing server maxTries times
		b := newPrefetchHarness(t, "a.example")
		b.breakDown(true)
		b.serve()
		b.wait(time.Minute)
		if n, _ := b.newTries(); n != 4*each { // at 0, 5, 15 and 35 seconds, or shortly before
			t.Errorf("%d tries in the first minute", n)
		}
		b.breakDown(false)
		b.wait(time.Minute)
		b.breakDown(true)
		b.newTries()
		b.wait(9 * time.Minute)
		if b.pinned("192.0.1.10") != "a.example" {
			t.Error("forgotten because an upstream fails")
		}
		b.wait(51 * time.Minute)
		if b.pinned("192.0.1.10") != "" {
			t.Error("remembered for an hour")
		}
		if n, _ := b.newTries(); n < 10*each || n > 25*each {
			t.Errorf("%d tries in an hour", n)
		}
		b.breakDown(false)
		b.wait(lastRetry)
		if b.pinned("192.0.1.10") != "a.example" {
			t.Error("still unknown though the upstream answers again")
		}
	})
}

// TestPrefetchSlowFamily asserts that a name server which never answers AAAA
// questions does not keep IPv4 addresses from staying fresh.
func TestPrefetchSlowFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPrefetchHarness(t, "b.example")
		b.mute = dns.TypeAAAA
		b.up.mu.Lock()
		b.up.zone["b.example.A"] = records(t, "b.example. 90 IN A 192.0.1.11")
		b.up.mu.Unlock()
		b.serve()
		b.wait(time.Minute)
		key := appendKey(nil, appendWireName(nil, mustName(t, "b.example")), dns.TypeA)
		for range 3600 {
			b.wait(time.Second)
			if b.current().find(key, want{}, b.clock()) == nil || b.pinned("192.0.1.11") != "b.example" {
				t.Fatal("not fresh")
			}
		}
	})
}

// TestPrefetchFollowsThePolicy asserts that a name which is no longer permitted
// is not looked up and has no pins, that a new name is looked up soon, and that
// a reload asks its own upstreams for all names while earlier pins stay.
func TestPrefetchFollowsThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPrefetchHarness(t, "a.example", "b.example")
		b.serve()
		b.wait(time.Second)
		b.up.asked()
		b.permit("a.example", "www.a.example")
		b.wait(time.Second)
		if b.pinned("192.0.1.11") != "" || b.pinned("192.0.1.10") == "" || b.pinned("192.0.1.20") == "" {
			t.Error("the pins are not those of the new policy")
		}
		asked := b.up.asked()
		if slices.Sort(asked); strings.Join(asked, ", ") != "www.a.example. A, www.a.example. AAAA" {
			t.Errorf("upstream was asked %q", asked)
		}
		b.wait(time.Hour)
		for _, q := range b.up.asked() {
			if strings.HasPrefix(q, "b.example.") {
				t.Error("a name that is not permitted any more was looked up")
			}
		}
		b.breakDown(true)
		b.gens.reload(t, b.setup("192.0.2.54:53").ResolverConfig)
		b.PolicyChanged()
		b.wait(time.Second)
		if b.pinned("192.0.1.10") != "a.example" {
			t.Error("a reload forgot what was looked up")
		}
		b.breakDown(false)
		b.newTries()
		b.wait(2 * firstRetry)
		asked = b.up.asked()
		if _, last := b.newTries(); len(asked) != 4 || last != "192.0.2.54:53" {
			t.Errorf("%s was asked %q", last, asked)
		}
	})
}

// TestPrefetchLateAnswer asserts that an answer about a name that has left the
// policy is not pinned.
func TestPrefetchLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPrefetchHarness(t, "a.example")
		b.serve()
		b.wait(5 * time.Millisecond)
		if len(b.up.asked()) != 2 {
			t.Fatal("no question is under way")
		}
		b.permit()
		b.wait(time.Second)
		if b.pinned("192.0.1.10") != "" || len(b.fresh) != 0 {
			t.Error("pinned though it is not permitted any more")
		}
	})
}
