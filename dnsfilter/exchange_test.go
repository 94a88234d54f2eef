// Exchanges: upstreams that lie, are silent, truncate or fail.

package dnsfilter

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestSpoofedReplies sends wrong replies before the right one. They are
// ignored and do not end the wait.
func TestSpoofedReplies(t *testing.T) {
	forged := func(r *dns.Msg) *dns.Msg {
		m := new(dns.Msg)
		m.SetReply(r)
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: 1, Ttl: 9}, A: []byte{192, 0, 1, 66}}}
		return m
	}
	for what, forge := range map[string]func(m *dns.Msg){
		"another ID":                   func(m *dns.Msg) { m.Id++ },
		"another question":             func(m *dns.Msg) { m.Question[0].Name = "evil.example." },
		"another type":                 func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT },
		"another class":                func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"the question in lower case":   func(m *dns.Msg) { m.Question[0].Name = strings.ToLower(m.Question[0].Name) },
		"the question in upper case":   func(m *dns.Msg) { m.Question[0].Name = strings.ToUpper(m.Question[0].Name) },
		"no question":                  func(m *dns.Msg) { m.Question = nil },
		"two questions":                func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"a query":                      func(m *dns.Msg) { m.Response = false },
		"another opcode":               func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"an error to another question": func(m *dns.Msg) { m.Question[0].Name = "x."; m.Rcode = dns.RcodeServerFailure },
	} {
		t.Run(what, func(t *testing.T) {
			name := "abcdefghijklmnopqrstuvwxyz.a.example" // enough letters that 0x20 never leaves all in one case
			b := newHarness(t, nil, name)
			rr, _ := dns.NewRR(name + ". 300 IN A 192.0.1.10")
			b.up.add(rr)
			b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
				m := forged(r)
				forge(m)
				w.WriteMsg(m)
				w.Write([]byte("no message")) // and bytes that are no DNS message
				return false
			})
			if r := b.ask(name+".", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
				t.Errorf("answered %v", r)
			}
		})
	}
}

// TestSpoofedSource sends the right reply from another port. The filter never
// receives it.
func TestSpoofedSource(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		other, err := net.Dial("udp", w.RemoteAddr().String())
		if err != nil {
			return false
		}
		defer other.Close()
		m := new(dns.Msg)
		m.SetReply(r)
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: 1, Ttl: 9}, A: []byte{192, 0, 1, 66}}}
		wire, _ := m.Pack()
		other.Write(wire)
		return false
	})
	if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
		t.Errorf("answered %v", r)
	}
}

// TestUnpredictable checks many queries at the upstream: ports, IDs and letter
// cases do not repeat.
func TestUnpredictable(t *testing.T) {
	b := newHarness(t, nil, "*.example")
	ports, ids, cases := map[string]bool{}, map[uint16]bool{}, map[string]bool{}
	var mu sync.Mutex
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		mu.Lock()
		defer mu.Unlock()
		ports[w.RemoteAddr().String()], ids[r.Id], cases[strings.SplitN(r.Question[0].Name, ".", 2)[1]] = true, true, true
		return false
	})
	for i := range 50 {
		b.ask(fmt.Sprintf("n%d.abcdefghijklmnopqrstuvwxyz.example.", i), dns.TypeA)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ports) < 40 || len(ids) < 40 || len(cases) < 40 {
		t.Errorf("of 50 queries: %d ports, %d IDs, %d letter cases", len(ports), len(ids), len(cases))
	}
}

// TestTruncatedUpstream asserts that a truncated answer is fetched again by
// TCP.
func TestTruncatedUpstream(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		if w.LocalAddr().Network() != "udp" {
			return false
		}
		m := new(dns.Msg)
		m.SetReply(r)
		m.Truncated = true
		w.WriteMsg(m)
		return true
	})
	r := b.ask("a.example.", dns.TypeA)
	if asked := b.up.asked(); !slices.Equal(data(r), []string{"192.0.1.10"}) || !slices.Equal(asked, []string{"udp a.example. A", "tcp a.example. A"}) {
		t.Errorf("answered %v after %q", data(r), asked)
	}
}

// TestOldUpstream asserts that a server without EDNS is asked again without
// EDNS.
func TestOldUpstream(t *testing.T) {
	for _, bare := range []bool{false, true} {
		b := newHarness(t, nil, "a.example")
		b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
			if r.IsEdns0() == nil {
				return false
			}
			m := new(dns.Msg)
			m.SetRcode(r, dns.RcodeFormatError)
			if bare {
				m.Question = nil
			}
			w.WriteMsg(m)
			return true
		})
		if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
			t.Errorf("answered %v", r)
		}
	}
}

// TestTCPUpstream asserts that tcp:// never sends a datagram.
func TestTCPUpstream(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Upstreams[0].Over = rules.OverTCP }, "a.example")
	r := b.ask("a.example.", dns.TypeA)
	if asked := b.up.asked(); !slices.Equal(data(r), []string{"192.0.1.10"}) || !slices.Equal(asked, []string{"tcp a.example. A"}) {
		t.Errorf("answered %v after %q", data(r), asked)
	}
}

// TestFailover asserts what a client gets if upstreams fail in different ways:
// the answer of another configured upstream in time, or else SERVFAIL.
func TestFailover(t *testing.T) {
	t.Parallel()
	rcode := func(rcode int) func(w dns.ResponseWriter, r *dns.Msg) bool {
		return func(w dns.ResponseWriter, r *dns.Msg) bool {
			m := new(dns.Msg)
			m.SetRcode(r, rcode)
			w.WriteMsg(m)
			return true
		}
	}
	for what, serve := range map[string]func(w dns.ResponseWriter, r *dns.Msg) bool{
		"SERVFAIL": rcode(dns.RcodeServerFailure),
		"REFUSED":  rcode(dns.RcodeRefused),
		"NOTAUTH":  rcode(dns.RcodeNotAuth),
		"silence":  func(dns.ResponseWriter, *dns.Msg) bool { return true },
		"garbage":  func(w dns.ResponseWriter, _ *dns.Msg) bool { w.Write(make([]byte, 40)); return true },
		"a referral": func(w dns.ResponseWriter, r *dns.Msg) bool {
			m := new(dns.Msg)
			m.SetReply(r)
			ns, _ := dns.NewRR("example. 300 IN NS ns.example.")
			m.Ns = []dns.RR{ns}
			w.WriteMsg(m)
			return true
		},
		"a circle of aliases": func(w dns.ResponseWriter, r *dns.Msg) bool {
			m := new(dns.Msg)
			m.SetReply(r)
			one, _ := dns.NewRR("a.example. 300 IN CNAME b.example.")
			two, _ := dns.NewRR("b.example. 300 IN CNAME a.example.")
			m.Answer = []dns.RR{one, two}
			w.WriteMsg(m)
			return true
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bad := newAuthority(t)
			bad.answerWith(serve)
			b := newHarness(t, func(c *setup) {
				c.Upstreams = append(bad.upstream(), c.Upstreams...)
				c.TryTimeout = 300 * time.Millisecond
			}, "a.example")
			if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
				t.Errorf("with a good one beside it: %v", r)
			}

			alone := newHarness(t, func(c *setup) {
				c.Upstreams = bad.upstream()
				c.Timeout, c.TryTimeout = 500*time.Millisecond, 300*time.Millisecond
			}, "a.example")
			began := time.Now()
			r := alone.send(withEDNS(question("a.example.", dns.TypeA), 1232))
			if code, _ := extended(r); r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 0 || code != dns.ExtendedErrorCodeNoReachableAuthority {
				t.Errorf("alone: %v", r)
			}
			if !allowed(t, alone) || time.Since(began) > 10*time.Second {
				t.Errorf("alone: took %v", time.Since(began))
			}
			bad.asked()
			if r := alone.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || len(bad.asked()) != 0 {
				t.Errorf("a failure is not remembered: %v", r)
			}
			bad.answerWith(nil)
			alone.cfg.Timeout = 20 * time.Second
			alone.advance(failureTTL * time.Second)
			if r := alone.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
				t.Errorf("a failure is remembered for too long: %v", r)
			}
		})
	}
}

// TestOneInFlight asserts that many queries for one name make one upstream
// query.
func TestOneInFlight(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	release := make(chan struct{})
	b.up.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { <-release; return false })
	wire := packed(t, question("a.example.", dns.TypeA))
	var wg sync.WaitGroup
	for range 20 {
		q := query{msg: wire, client: netip.MustParseAddrPort(knownClient + ":1"), proto: rules.UDP}
		_, p := b.handle(&q, nil)
		if p == nil {
			t.Fatal("not pending")
		}
		wg.Go(func() {
			if out := b.finish(context.Background(), p, nil); out[3]&0xf != 0 || out[7] != 1 {
				t.Errorf("answered %x", out)
			}
		})
	}
	close(release)
	wg.Wait()
	if asked := b.up.asked(); len(asked) != 1 {
		t.Errorf("upstream was asked %d times", len(asked))
	}
}

// TestInFlightLimit asserts that one client cannot use all places of queries in
// flight, and that its queries above its quota are denied with reason limit.
func TestInFlightLimit(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Limits.InFlight, c.Limits.InFlightPerClient = 3, 2 }, "*.example")
	release := make(chan struct{})
	b.up.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { <-release; return false })
	var waiting []*pending
	try := func(client string, i int) bool {
		m := packed(t, question(fmt.Sprintf("n%d.example.", i), dns.TypeA))
		q := query{msg: m, client: netip.MustParseAddrPort(client + ":1"), proto: rules.TCP}
		out, p := b.handle(&q, nil)
		if p == nil {
			if !denied(t, b, rules.Limit) || int(out[3]&0xf) != dns.RcodeRefused {
				t.Errorf("query %d: %x", i, out)
			}
			return false
		}
		waiting = append(waiting, p)
		b.p.attempts, b.p.verdicts = nil, nil
		return true
	}
	got := []bool{try("10.0.0.1", 1), try("10.0.0.1", 2), try("10.0.0.1", 3), try("10.0.0.2", 4), try("10.0.0.2", 5)}
	if want := []bool{true, true, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("taken %v, want %v", got, want)
	}
	close(release)
	for _, p := range waiting {
		b.finish(context.Background(), p, nil)
	}
	if !try("10.0.0.1", 6) {
		t.Error("the room is not given back")
	}
	b.finish(context.Background(), waiting[len(waiting)-1], nil)
}
