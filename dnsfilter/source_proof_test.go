// Source proof: what queries with a forged source can use up of the client with
// that address.

package dnsfilter

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"sallyport/rules"
	"sallyport/rules/site"
)

// byPolicy gives a harness a compiled policy, and returns the record of its
// decisions.
func byPolicy(t *testing.T, limits Limits) (*harness, *decisions) {
	t.Helper()
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(realConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	rec := &decisions{next: p}
	b := newHarness(t, func(c *setup) { c.Gate, c.Limits = rec, limits })
	b.reach = rules.Decision.Reach
	return b, rec
}

// sentToTCP reports whether a reply makes the client ask by TCP.
func sentToTCP(r *dns.Msg) bool {
	return r.Truncated && r.Rcode == dns.RcodeSuccess && len(r.Answer) == 0
}

// TestForgedNames asserts that datagrams with a client's address as a forged
// source use none of the client's new names below wildcards and zones. No such
// name is looked up for them: they get TC. Names that were admitted for the
// client itself are answered by UDP too.
func TestForgedNames(t *testing.T) {
	b, rec := byPolicy(t, Limits{WildcardNames: 3})
	for i := range 20 {
		name := fmt.Sprintf("n%d.%s.", i, []string{"b.example", "corp.test"}[i%2])
		if r := b.sendFrom(question(name, dns.TypeA), knownClient, rules.UDP); !sentToTCP(r) {
			t.Errorf("%s: %v", name, r)
		}
	}
	if asked := b.up.asked(); len(asked) != 0 {
		t.Errorf("upstream was asked %q", asked)
	}
	for i := range 4 {
		b.sendFrom(question(fmt.Sprintf("mine%d.b.example.", i), dns.TypeA), knownClient, rules.TCP)
		if over := i == 3; over != (rec.last.Why() == rules.Limit) {
			t.Errorf("the client's name %d: %s", i+1, rec.last.Why())
		}
	}
	b.up.asked()
	if r := b.sendFrom(question("mine0.b.example.", dns.TypeAAAA), knownClient, rules.UDP); r.Truncated || len(b.up.asked()) != 1 {
		t.Errorf("an admitted name by UDP: %v", r)
	}
	if r := b.sendFrom(question("evil.example.", dns.TypeA), knownClient, rules.UDP); r.Truncated || rec.last.Why() != rules.NotListed {
		t.Errorf("a denied name by UDP: %v, %s", r, rec.last.Why())
	}
}

// TestForgedRate asserts that datagrams with a client's address as a forged
// source use nothing of the client's rate. They have a separate limit, a
// quarter of that rate, and get TC above the limit. The client then has its
// whole rate by TCP, and with a cookie by UDP.
func TestForgedRate(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Limits.QPS = 8 }, "*.example")
	n := 0
	next := func() *dns.Msg { n++; return question(fmt.Sprintf("n%d.example.", n), dns.TypeA) }
	for i := range 10 {
		r := b.sendFrom(next(), knownClient, rules.UDP)
		if over := i >= 2; over != sentToTCP(r) {
			t.Errorf("forged query %d: %v", i+1, r)
		}
	}
	cookie := cookieOf(b.send(withCookie(question("n1.example.", dns.TypeA), "0123456789abcdef")))
	b.p.attempts, b.p.verdicts = nil, nil
	for i := range 10 {
		if i%2 == 0 {
			b.sendFrom(next(), knownClient, rules.TCP)
		} else {
			b.sendFrom(withCookie(next(), cookie), knownClient, rules.UDP)
		}
		a, d := b.p.final(t)
		if over := i >= 8; over != (d.Why() == rules.Limit) || !a.SourceProven {
			t.Errorf("query %d: %s, proven %t", i+1, d.Why(), a.SourceProven)
		}
	}
	b.advance(time.Second / 2)
	if r := b.sendFrom(next(), knownClient, rules.UDP); sentToTCP(r) {
		t.Error("the rate without a proof does not recover")
	}
}

// TestForgedWaiting asserts that datagrams with a client's address as a forged
// source do not delay the client while they wait for an upstream.
func TestForgedWaiting(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Limits.InFlight, c.Limits.InFlightPerClient = 4, 2 }, "*.example")
	begin := func(i int, proto rules.Proto) (*pending, []byte) {
		q := query{msg: packed(t, question(fmt.Sprintf("n%d.example.", i), dns.TypeA)), client: netip.MustParseAddrPort(knownClient + ":1"), proto: proto}
		out, p := b.handle(&q, nil)
		return p, out
	}
	var waiting []*pending
	for i, want := range []bool{true, true, false} {
		p, out := begin(i, rules.UDP)
		if (p != nil) != want || !want && out[2]&(flagTC>>8) == 0 {
			t.Errorf("forged query %d: %x", i+1, out)
		}
		if p != nil {
			waiting = append(waiting, p)
		}
	}
	for i, want := range []bool{true, true, false} {
		p, _ := begin(10+i, rules.TCP)
		if (p != nil) != want {
			t.Errorf("query %d", i+1)
		}
		if p != nil {
			waiting = append(waiting, p)
		}
	}
	for _, p := range waiting {
		b.finish(context.Background(), p, nil)
	}
	if b.proven.waiting.Held() != 0 || b.unproven.waiting.Held() != 0 {
		t.Error("the room is not given back")
	}
}

// TestForgeriesChangeNothing asserts, for any traffic, that forged datagrams
// never reduce what a client with a proven address gets.
func TestForgeriesChangeNothing(t *testing.T) {
	limits := Limits{QPS: 4, WildcardNames: 3, InFlight: 3, InFlightPerClient: 2}
	alone, recAlone := byPolicy(t, limits)
	beset, recBeset := byPolicy(t, limits)
	names := []string{"a.example.", "x1.b.example.", "x2.b.example.", "x3.corp.test.", "x4.corp.test.", "x5.b.example.", "evil.example.", "svc.example."}
	rapid.Check(t, func(rt *rapid.T) {
		for _, b := range []*harness{alone, beset} {
			b.proven, b.unproven, b.nameQuota = newBudget(), newBudget(), newNameQuota()
			b.SetLimits(limits)
			b.gens.reload(t, ResolverConfig{Upstreams: b.up.upstream()})
		}
		var left []*pending
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			m := question(rapid.SampledFrom(names).Draw(rt, "name"), rapid.SampledFrom([]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT}).Draw(rt, "type"))
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0, 1:
				q := query{msg: packed(t, m), client: netip.MustParseAddrPort(knownClient + ":9"), proto: rules.UDP}
				if _, p := beset.handle(&q, nil); p != nil {
					if left = append(left, p); rapid.Bool().Draw(rt, "ends") {
						beset.finish(t.Context(), p, nil)
						left = left[:len(left)-1]
					}
				}
			case 2:
				want, got := alone.sendFrom(m, knownClient, rules.TCP), beset.sendFrom(m, knownClient, rules.TCP)
				more := recAlone.last.Why() == rules.Limit && recBeset.last.Allowed()
				same := want.Rcode == got.Rcode && recAlone.last.Why() == recBeset.last.Why() && slices.Equal(data(want), data(got))
				if !same && !more {
					rt.Fatalf("%v\nalone: %v\nbeset: %v", m.Question, want, got)
				}
			case 3:
				step := time.Duration(rapid.IntRange(0, 4000).Draw(rt, "ms")) * time.Millisecond
				alone.advance(step)
				beset.advance(step)
			}
		}
		for _, p := range left {
			beset.finish(t.Context(), p, nil)
		}
	})
}

// TestNoAmplification asserts, for any query, that a UDP reply to an unproven
// source has at most ten times the bytes of the query and at most 512, and a
// reply to an unknown client at most twice the bytes of the query.
func TestNoAmplification(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Limits.UnknownQPS = 1 << 20 }, "a.example", "big.example", "svc.example", "b.example")
	for _, rr := range records(t, bigName()) {
		b.up.add(rr)
	}
	for _, name := range []string{"big.example.", "a.example."} { // rapid seldom draws a client that gets the whole largest answer
		wire := packed(t, question(name, dns.TypeA))
		if out := b.raw(wire, knownClient, rules.UDP); len(out) == 0 || len(out) > min(maxAmplification*len(wire), dns.MinMsgSize) {
			t.Errorf("%s: %d octets for %d", name, len(out), len(wire))
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{".", "a.example.", "big.example.", "svc.example.", "b.example.", "evil.example.", "a b.example.", "x.y.z.b.example."}).Draw(rt, "name")
		m := question(name, rapid.SampledFrom([]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeTXT, dns.TypeAXFR}).Draw(rt, "type"))
		if rapid.Bool().Draw(rt, "edns") {
			m.SetEdns0(rapid.Uint16().Draw(rt, "size"), rapid.Bool().Draw(rt, "do"))
			if rapid.Bool().Draw(rt, "cookie") {
				withCookie(m, rapid.SampledFrom([]string{"0123456789abcdef", "00", "0123456789abcdef0123456789abcdef"}).Draw(rt, "cookie text"))
			}
		}
		wire := packed(t, m)
		if rapid.Bool().Draw(rt, "broken") {
			wire = wire[:rapid.IntRange(0, len(wire)).Draw(rt, "length")]
		}
		client, times := knownClient, maxAmplification
		if rapid.Bool().Draw(rt, "unknown") {
			client, times = unknownClient, 2
		}
		if out := b.raw(wire, client, rules.UDP); len(out) > min(times*len(wire), dns.MinMsgSize) {
			rt.Fatalf("%d octets for %d\n%x\n%x", len(out), len(wire), wire, out)
		}
	})
}
