// Fast path: cached answers allocate nothing and equal those of the slow path.

package dnsfilter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// always is a Gate that permits everything and records nothing.
type always struct{}

func (always) Decide(rules.Attempt) rules.Decision  { return rules.Decision{Verdict: rules.Allow} }
func (always) Preview(rules.Attempt) rules.Decision { return rules.Decision{Verdict: rules.Allow} }

// cached makes a filter with the zone's names in its cache.
func cached(t testing.TB, reachable bool) *Filter {
	t.Helper()
	f, _ := setup{Config{
		Gate: always{}, Limits: Limits{QPS: -1},
		Observe: func(a Answer) {
			if a.Kind != KindCached {
				t.Errorf("not from the cache: %v", a)
			}
		},
	}, ResolverConfig{Upstreams: nowhere(t)}}.filter(t)
	t.Cleanup(f.Close)
	f.reach = func(d rules.Decision, a netip.AddrPort) rules.Reason {
		if reachable {
			return rules.ReasonNone
		}
		return reach(d, a)
	}
	zone := map[string][]dns.RR{}
	for _, rr := range records(t, zoneText+bigName()) {
		zone[rr.Header().Name] = append(zone[rr.Header().Name], rr)
	}
	for owner := range zone {
		if owner == "." {
			continue
		}
		name := mustName(t, owner)
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS} {
			m := &dns.Msg{Answer: slices.Concat(dnsCopies(zone[owner]), dnsCopies(zone["edge.cdn.test."])), Ns: records(t, owner+" 90 IN SOA ns. root. 1 2 3 4 60")}
			a, err := validate(m, name, qtype)
			if err != nil {
				t.Fatal(err)
			}
			e, err := newEntry(name, qtype, a)
			if err != nil {
				t.Fatal(err)
			}
			e.expires = time.Hour
			f.current().cache.put(string(appendKey(nil, appendWireName(nil, name), qtype)), e, 0)
		}
	}
	return f
}

func dnsCopies(rrs []dns.RR) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		out = append(out, dns.Copy(rr))
	}
	return out
}

// bigName is a zone with one name that has as many addresses as fit 1232 bytes.
func bigName() string {
	var s strings.Builder
	for i := range 70 {
		fmt.Fprintf(&s, "big.example. 300 IN A 192.0.1.%d\n", i)
	}
	return s.String()
}

// TestTwins sends many queries to the fast and to the slow path. Both must
// parse and answer them alike.
func TestTwins(t *testing.T) {
	f := cached(t, true)
	names := []string{"a.example.", "b.example.", "www.a.example.", "mixed.example.", "inside.example.", "db.corp.test.", "svc.example.", "must.example.", "big.example."}
	rng := rand.New(rand.NewPCG(1, 2))
	fast := 0
	for range 5000 {
		m := question(spell(rng, names[rng.IntN(len(names))]), []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS}[rng.IntN(3)])
		m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0
		if rng.IntN(2) == 0 {
			m.SetEdns0([]uint16{0, 512, 700, 1232, 4096}[rng.IntN(5)], rng.IntN(2) == 0)
		}
		q := query{msg: packed(t, m), client: netip.MustParseAddrPort("10.0.0.1:1"), proto: []rules.Proto{rules.UDP, rules.TCP}[rng.IntN(2)]}
		if !q.parse() {
			t.Fatalf("not plain: %v", m)
		}
		sameQuery(t, &q, m)
		e := f.current().find(appendKey(nil, q.wireName(), q.qtype), want{}, 0)
		age := time.Duration(rng.IntN(70)) * time.Second
		quick, ok := appendCached(nil, &q, e, age)
		slow, err := appendFiltered(nil, &q, e, age, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			if r := unpacked(t, slow); !r.Truncated {
				t.Errorf("%s: left to the slow path, which did not need to truncate", e.name)
			}
			continue
		}
		fast++
		a, b := unpacked(t, quick), unpacked(t, slow)
		if !strings.EqualFold(a.String(), b.String()) || a.Question[0] != b.Question[0] {
			t.Fatalf("fast: %v\nslow: %v", a, b)
		}
	}
	if fast < 3000 {
		t.Errorf("only %d of 5000 took the fast path", fast)
	}
}

// sameQuery compares our parser with the library's for one query.
func sameQuery(t *testing.T, q *query, m *dns.Msg) {
	t.Helper()
	name, _, err := dns.UnpackDomainName(q.wireName(), 0)
	ok := err == nil && name == m.Question[0].Name && q.qtype == m.Question[0].Qtype && q.id() == m.Id
	if o := m.IsEdns0(); o != nil {
		ok = ok && q.edns && q.do == o.Do() && q.size == o.UDPSize()
	} else {
		ok = ok && !q.edns
	}
	if !ok {
		t.Fatalf("read %v as %+v", m, q)
	}
}

func unpacked(t testing.TB, wire []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := unpackWhole(m, wire); err != nil {
		t.Fatalf("%v: %x", err, wire)
	}
	return m
}

// spell writes a name in random letter case.
func spell(rng *rand.Rand, name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' && rng.IntN(2) == 0 {
			return r &^ 0x20
		}
		return r
	}, name)
}

// TestLetterCaseOfReply asserts that a client gets its own letter case back, so
// that its 0x20 check passes.
func TestLetterCaseOfReply(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	for _, name := range []string{"a.example.", "A.eXaMpLe.", "a.EXAMPLE."} {
		if r := b.ask(name, dns.TypeA); r.Question[0].Name != name || r.Answer[0].Header().Name != name {
			t.Errorf("%s came back as %v", name, r)
		}
	}
}

// TestNoAllocation asserts that a cached answer allocates nothing: with EDNS
// and without, with addresses that the Decision must reach, and with pins that
// exist already.
func TestNoAllocation(t *testing.T) {
	f := cached(t, true)
	f.cfg.Observe, f.cfg.Pins = nil, true
	for what, m := range map[string]*dns.Msg{
		"plain":             question("A.eXample.", dns.TypeA),
		"EDNS":              withEDNS(question("www.a.example.", dns.TypeA), 1232),
		"special addresses": withEDNS(question("inside.example.", dns.TypeA), 1232),
		"HTTPS":             withEDNS(question("svc.example.", dns.TypeHTTPS), 1232),
		"no such record":    withEDNS(question("b.example.", dns.TypeAAAA), 1232),
	} {
		wire, out := packed(t, m), make([]byte, 0, 2048)
		n := testing.AllocsPerRun(1000, func() {
			q := query{msg: wire, client: netip.MustParseAddrPort("10.0.0.1:1"), proto: rules.UDP}
			if reply, p := f.handle(&q, out); p != nil || len(reply) < 40 {
				t.Fatal("no answer")
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkCached(b *testing.B)  { benchmark(b, "www.a.example.") }
func BenchmarkSpecial(b *testing.B) { benchmark(b, "inside.example.") }

func benchmark(b *testing.B, name string) {
	f := cached(b, true)
	f.cfg.Observe = nil
	wire, out := packed(b, withEDNS(question(name, dns.TypeA), 1232)), make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		q := query{msg: wire, client: netip.MustParseAddrPort("10.0.0.1:1"), proto: rules.UDP}
		if reply, _ := f.handle(&q, out); len(reply) == 0 {
			b.Fatal("no answer")
		}
	}
}
