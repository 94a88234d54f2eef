// Pins: which names hold for a flow to a bare address, for which client and for
// how long.

package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// pinned makes a harness with pins. change may alter its Config.
func pinned(t *testing.T, change func(*setup), names ...string) *harness {
	t.Helper()
	return newHarness(t, func(c *setup) {
		c.Pins = true
		if change != nil {
			change(c)
		}
	}, names...)
}

// pinsOf joins the names that an address is pinned to.
func pinsOf(f *Filter, client, addr string) string {
	var names []string
	for _, n := range f.Pinned(netip.MustParseAddr(client), netip.MustParseAddr(addr)) {
		names = append(names, n.String())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestPins asserts what an answer pins: the name in the question, at the start
// of any chain of aliases, with exactly the addresses that the client got.
func TestPins(t *testing.T) {
	corp := newAuthority(t)
	b := pinned(t, func(c *setup) {
		c.Zones = []Zone{{mustName(t, "corp.test"), corp.upstream()}}
		c.Hosts = map[rules.Name][]netip.Addr{mustName(t, "fixed.test"): {netip.MustParseAddr("192.0.1.99")}}
	}, "a.example", "*.a.example", "mixed.example", "svc.example", "fixed.test", "*.corp.test", "gone.example")
	for _, q := range []struct {
		name  string
		qtype uint16
	}{
		{"A.eXample.", dns.TypeA}, {"a.example.", dns.TypeAAAA}, {"www.a.example.", dns.TypeA}, {"mixed.example.", dns.TypeA},
		{"svc.example.", dns.TypeHTTPS}, {"fixed.test.", dns.TypeA}, {"db.corp.test.", dns.TypeA}, {"gone.example.", dns.TypeA},
		{"b.example.", dns.TypeA}, {"edge.cdn.test.", dns.TypeA},
	} {
		b.ask(q.name, q.qtype)
	}
	for _, c := range []struct{ what, addr, names string }{
		{"an IPv4 address", "192.0.1.10", "a.example"},
		{"the same, mapped", "::ffff:192.0.1.10", "a.example"},
		{"an IPv6 address", "2606:4700::10", "a.example"},
		{"behind an alias: the name asked for, not the alias's target", "192.0.1.20", "www.a.example"},
		{"what is left of an answer", "192.0.1.30", "mixed.example"},
		{"what was taken out of it", "10.9.9.9", ""},
		{"a hint of a service record", "192.0.1.40", "svc.example"},
		{"one for IPv6", "2606:4700::40", "svc.example"},
		{"a hint that was taken out", "fd00::9", ""},
		{"a fixed answer", "192.0.1.99", "fixed.test"},
		{"an internal zone", "10.20.0.5", "db.corp.test"},
		{"a denied name", "192.0.1.11", ""},
		{"an address that no client got", "192.0.1.12", ""},
	} {
		if got := pinsOf(b.Filter, knownClient, c.addr); got != c.names {
			t.Errorf("%s: %s is pinned to %q, want %q", c.what, c.addr, got, c.names)
		}
	}
	b.up.add(records(t, "x.a.example. 300 IN A 192.0.1.10")[0])
	if b.ask("x.a.example.", dns.TypeA); pinsOf(b.Filter, knownClient, "192.0.1.10") != "a.example x.a.example" {
		t.Error("two names for one address are not both pinned")
	}
}

// TestPinsAreOneClients asserts that a client has no pins from another client's
// answers, but has its own pins from cached answers.
func TestPinsAreOneClients(t *testing.T) {
	b := pinned(t, nil, "a.example")
	ask := func(client string) { b.sendFrom(question("a.example.", dns.TypeA), client, rules.UDP) }
	ask(knownClient)
	ask(unknownClient)
	ask("fd00::1")
	for client, want := range map[string]string{knownClient: "a.example", "10.1.1.2": "", unknownClient: "", "fd00::1": "a.example", "fd00::2": ""} {
		if got := pinsOf(b.Filter, client, "192.0.1.10"); got != want {
			t.Errorf("%s has %q pinned, want %q", client, got, want)
		}
	}
	if asked := b.up.asked(); len(asked) != 1 {
		t.Errorf("the answers were not from the cache: %q", asked)
	}
	off := newHarness(t, nil, "a.example")
	if off.ask("a.example.", dns.TypeA); pinsOf(off.Filter, knownClient, "192.0.1.10") != "" {
		t.Error("pinned without being asked to")
	}
}

// TestPinsExpire asserts how long a pin lasts: the TTL, a minute at least, and
// five minutes more, from the last answer.
func TestPinsExpire(t *testing.T) {
	const least, grace = time.Minute, 5 * time.Minute
	for _, c := range []struct {
		what  string
		ttl   int
		again time.Duration // the client asks once more
		until time.Duration
	}{
		{"a TTL", 300, 0, 300*time.Second + grace},
		{"a short TTL", 1, 0, least + grace},
		{"no TTL", 0, 0, least + grace},
		{"given again from the cache", 300, 200 * time.Second, 300*time.Second + grace},
		{"given again from the cache near its end", 300, 299 * time.Second, 299*time.Second + least + grace},
		{"given again by an upstream", 300, 301 * time.Second, 301*time.Second + 300*time.Second + grace},
		{"given again after it expired", 60, time.Hour, time.Hour + 60*time.Second + grace},
	} {
		b := pinned(t, nil, "c.example")
		b.up.add(records(t, fmt.Sprintf("c.example. %d IN A 192.0.1.50", c.ttl))[0])
		b.ask("c.example.", dns.TypeA)
		b.advance(c.again)
		b.ask("c.example.", dns.TypeA)
		b.advance(c.until - c.again - time.Second)
		if pinsOf(b.Filter, knownClient, "192.0.1.50") != "c.example" {
			t.Errorf("%s: forgotten within %v", c.what, c.until)
		}
		b.advance(time.Second + pinSlack)
		if got := pinsOf(b.Filter, knownClient, "192.0.1.50"); got != "" {
			t.Errorf("%s: %q is pinned %v later", c.what, got, c.until+pinSlack)
		}
	}
}

// TestPinsAndTheClock asserts that a clock set back revives no pin.
func TestPinsAndTheClock(t *testing.T) {
	b := pinned(t, nil, "a.example", "b.example")
	b.ask("a.example.", dns.TypeA)
	b.advance(time.Hour)
	if pinsOf(b.Filter, knownClient, "192.0.1.10") != "" {
		t.Fatal("not forgotten")
	}
	b.advance(-time.Hour)
	if got := pinsOf(b.Filter, knownClient, "192.0.1.10"); got != "" {
		t.Errorf("%q is revived", got)
	}
	if b.ask("b.example.", dns.TypeA); pinsOf(b.Filter, knownClient, "192.0.1.11") != "b.example" {
		t.Error("an answer after the clock was set back is not pinned")
	}
}

// TestPinsOutliveAReload asserts that pins stay after a reload, because clients
// still connect with old answers. The policy decides what is permitted.
func TestPinsOutliveAReload(t *testing.T) {
	b := pinned(t, nil, "a.example")
	b.ask("a.example.", dns.TypeA)
	b.gens.reload(t, ResolverConfig{Upstreams: newAuthority(t).upstream()})
	b.PolicyChanged()
	if pinsOf(b.Filter, knownClient, "192.0.1.10") != "a.example" {
		t.Error("forgotten by a reload")
	}
}

// TestPinBounds asserts the limits of pins per client, per address and in all,
// and that a client with many pins does not displace the pins of other clients.
func TestPinBounds(t *testing.T) {
	const each, all = 40, 100
	p := newPins()
	p.set(all, each)
	tell := func(client string, i int, addr string) {
		p.remember(netip.MustParseAddr(client), mustName(t, fmt.Sprintf("n%d.example", i)), []netip.Addr{netip.MustParseAddr(addr)}, nil, time.Minute, time.Duration(i))
	}
	count := func(client string, n int) (found int) {
		for i := range n {
			found += len(p.names(netip.MustParseAddr(client), netip.MustParseAddr(fmt.Sprintf("192.0.%d.%d", i/250, i%250)), 0))
		}
		return found
	}
	tell("10.0.0.1", 0, "192.0.0.0")
	for i := range 1000 {
		for _, client := range []string{"10.0.0.2", fmt.Sprintf("fd00::%x", i+1), "10.0.0.3"} {
			tell(client, i, fmt.Sprintf("192.0.%d.%d", i/250, i%250))
		}
	}
	if got := count("10.0.0.1", 1); got != 1 {
		t.Error("a modest client lost its pin to greedy ones")
	}
	six := 0
	for i := range 1000 {
		six += len(p.names(netip.MustParseAddr(fmt.Sprintf("fd00::%x", i+1)), netip.MustParseAddr(fmt.Sprintf("192.0.%d.%d", i/250, i%250)), 0))
	}
	two, three := count("10.0.0.2", 1000), count("10.0.0.3", 1000)
	if two > each || three > each || six > each || 1+two+three+six != all || p.total != all {
		t.Errorf("%d, %d and %d pins of the greedy ones, %d in all", two, three, six, p.total)
	}
	for i := range 2 * maxPinsPerAddress {
		p.set(1<<20, 1<<20)
		tell("10.0.0.9", i, "192.0.1.1")
	}
	if got := len(p.names(netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("192.0.1.1"), 0)); got != maxPinsPerAddress {
		t.Errorf("%d names for one address", got)
	}
}

// TestPinEviction asserts that the pin that expires first is dropped first.
func TestPinEviction(t *testing.T) {
	p := newPins()
	p.set(10, 5)
	client := netip.MustParseAddr(knownClient)
	for i := range 6 {
		hold := time.Hour
		if i == 2 {
			hold = 2 * time.Minute
		}
		p.remember(client, mustName(t, "a.example"), []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 1, byte(i)})}, nil, hold, 0)
	}
	for i := range 6 {
		if got := len(p.names(client, netip.AddrFrom4([4]byte{192, 0, 1, byte(i)}), 0)); (got == 1) != (i != 2) {
			t.Errorf("address %d is pinned to %d names", i, got)
		}
	}
}

// TestPinsTogether reads and writes pins from many goroutines, for the race
// detector.
func TestPinsTogether(t *testing.T) {
	b := pinned(t, func(c *setup) { c.Limits.Pins, c.Limits.PinsPerClient = 20, 5 }, "*.example")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			client := fmt.Sprint("10.0.0.", i+1)
			for j := range 50 {
				b.sendFrom(question([]string{"a.example.", "b.example.", "mixed.example."}[j%3], dns.TypeA), client, rules.UDP)
				b.Pinned(netip.MustParseAddr(client), netip.MustParseAddr("192.0.1.10"))
				if i == 0 && j%10 == 0 {
					b.advance(time.Minute)
				}
			}
		})
	}
	wg.Wait()
	if b.pins.total > 20 {
		t.Errorf("%d pins", b.pins.total)
	}
}
