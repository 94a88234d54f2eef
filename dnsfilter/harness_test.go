// Harness: a policy, an upstream that records its questions, and a client.

package dnsfilter

import (
	"context"
	"flag"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"sallyport/rules"
)

// TestMain lets more tests run at once than there are processors, because these tests wait
// for silent servers most of the time. The flag -parallel takes precedence.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const (
	knownClient   = "10.1.1.1"
	unknownClient = "203.0.113.9"
)

// policy is a small Gate. It permits names to clients with private and loopback
// addresses, and records its attempts and decisions.
type policy struct {
	names    []string // exact, or *.suffix
	internal string   // names below it may have private addresses
	anyType  bool     // the policy permits every type

	mu       sync.Mutex
	attempts []rules.Attempt
	verdicts []rules.Decision
}

func (p *policy) Decide(a rules.Attempt) rules.Decision {
	d := p.decide(a)
	if fromClient(a) {
		d.Client = &rules.Client{Name: "client"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts, p.verdicts = append(p.attempts, a), append(p.verdicts, d)
	return d
}

// Preview returns the decision and records nothing.
func (p *policy) Preview(a rules.Attempt) rules.Decision {
	d := p.decide(a)
	if fromClient(a) {
		d.Client = &rules.Client{Name: "client"}
	}
	return d
}

// fromClient reports whether an attempt comes from a client of the policy.
func fromClient(a rules.Attempt) bool {
	return a.Client.Addr().IsPrivate() || a.Client.Addr().IsLoopback()
}

func (p *policy) decide(a rules.Attempt) rules.Decision {
	switch {
	case a.Fault != rules.ReasonNone && a.Fault < rules.UnknownClient:
		return rules.Decision{Reason: a.Fault}
	case !fromClient(a):
		return rules.Decision{Reason: rules.UnknownClient}
	case !p.permits(a.Authority.String()):
		return rules.Decision{Reason: rules.NotListed}
	case !p.anyType && !forwarded(a.QType):
		return rules.Decision{Reason: rules.TypeNotAllowed}
	case a.Dest.Addr().IsValid():
		return rules.Decision{Reason: rules.PrivateAddress}
	case a.Fault != rules.ReasonNone:
		return rules.Decision{Reason: a.Fault}
	}
	d := rules.Decision{Verdict: rules.Allow}
	if p.internal != "" && strings.HasSuffix(a.Authority.String(), p.internal) {
		d.Rule = &rules.Rule{ID: "internal"}
	}
	return d
}

func (p *policy) permits(name string) bool {
	return slices.ContainsFunc(p.names, func(n string) bool {
		suffix, wild := strings.CutPrefix(n, "*")
		return n == name || wild && strings.HasSuffix(name, suffix)
	})
}

// reach replaces Decision.Reach: it permits special addresses only for internal
// names.
func reach(d rules.Decision, ap netip.AddrPort) rules.Reason {
	if !d.Allowed() || rules.Special(ap.Addr()) && d.Rule == nil {
		return rules.PrivateAddress
	}
	return rules.ReasonNone
}

// final returns the one final decision, and its attempt.
func (p *policy) final(t *testing.T) (rules.Attempt, rules.Decision) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := -1
	for i, a := range p.attempts {
		if !a.Provisional || !p.verdicts[i].Allowed() {
			if found >= 0 {
				t.Errorf("a second final decision: %+v", a)
			}
			found = i
		}
	}
	if found < 0 {
		t.Fatal("no final decision: the journal would not see the query")
	}
	a, d := p.attempts[found], p.verdicts[found]
	p.attempts, p.verdicts = nil, nil
	return a, d
}

// harness is a filter between a policy and an upstream, with its own clock.
type harness struct {
	*Filter
	t  testing.TB
	p  *policy
	up *authority

	gens *generations
	who  *rules.Identity // of the clients of another front end

	mu  sync.Mutex
	now time.Time
}

func (b *harness) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *harness) time() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// newHarness makes a filter that permits names. change may alter its Config.
func newHarness(t *testing.T, change func(*setup), names ...string) *harness {
	t.Helper()
	b := &harness{t: t, p: &policy{names: names, internal: ".corp.test"}, up: newAuthority(t), now: time.Unix(1e9, 0)}
	s := setup{
		Config{Gate: b.p, Now: b.time, ProbeEvery: -1, Timeout: 5 * time.Second, TryTimeout: 2 * time.Second},
		ResolverConfig{Upstreams: b.up.upstream()},
	}
	if change != nil {
		change(&s)
	}
	var f *Filter
	f, b.gens = s.filter(t)
	f.reach = reach
	b.Filter = f
	t.Cleanup(f.Close)
	return b
}

// raw sends the bytes of a query and returns the bytes of the reply, nil for
// none.
func (b *harness) raw(m []byte, client string, proto rules.Proto) []byte {
	q := query{msg: m, client: netip.AddrPortFrom(netip.MustParseAddr(client), 4711), proto: proto}
	out, p := b.handle(&q, nil)
	if p != nil {
		out = b.finish(context.Background(), p, nil)
	}
	return out
}

// send sends a message of the known client by UDP.
func (b *harness) send(m *dns.Msg) *dns.Msg { return b.sendFrom(m, knownClient, rules.UDP) }

func (b *harness) sendFrom(m *dns.Msg, client string, proto rules.Proto) *dns.Msg {
	b.t.Helper()
	wire, err := m.Pack()
	if err != nil {
		b.t.Fatal(err)
	}
	out := b.raw(wire, client, proto)
	if out == nil {
		return nil
	}
	most := 65535
	if proto == rules.UDP {
		most = dns.MinMsgSize
		if o := m.IsEdns0(); o != nil {
			most = min(max(int(o.UDPSize()), dns.MinMsgSize), maxUDP)
		}
	}
	if len(out) > most {
		b.t.Fatalf("reply of %d octets, the client accepts %d", len(out), most)
	}
	r := new(dns.Msg)
	if err := unpackWhole(r, out); err != nil {
		b.t.Fatalf("reply cannot be read: %v\n%x", err, out)
	}
	if !r.Response || r.Id != m.Id {
		b.t.Fatalf("reply is not to the query: %v", r)
	}
	return r
}

// ask asks for one name without EDNS.
func (b *harness) ask(name string, qtype uint16) *dns.Msg {
	b.t.Helper()
	return b.send(question(name, qtype))
}

// askTCP asks by TCP, which proves the client's address.
func (b *harness) askTCP(name string, qtype uint16) *dns.Msg {
	b.t.Helper()
	return b.sendFrom(question(name, qtype), knownClient, rules.TCP)
}

func question(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	return m
}

func withEDNS(m *dns.Msg, size uint16) *dns.Msg {
	m.SetEdns0(size, false)
	return m
}

// data returns the addresses and targets in an answer.
func data(m *dns.Msg) []string {
	var d []string
	for _, rr := range m.Answer {
		d = append(d, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	slices.Sort(d)
	return d
}

// cookieOf returns the cookie of a message in hexadecimal, "" for none.
func cookieOf(m *dns.Msg) string {
	if o := m.IsEdns0(); o != nil {
		for _, opt := range o.Option {
			if c, ok := opt.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

// extended returns the code and the text of a reply's extended error.
func extended(m *dns.Msg) (uint16, string) {
	if o := m.IsEdns0(); o != nil {
		for _, opt := range o.Option {
			if e, ok := opt.(*dns.EDNS0_EDE); ok {
				return e.InfoCode, e.ExtraText
			}
		}
	}
	return noEDE, ""
}
