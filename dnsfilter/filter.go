// Filter: takes one query from its bytes to the decision and the reply.

package dnsfilter

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/quota"
)

// A Filter answers DNS queries as its Gate permits. New makes one.
type Filter struct {
	cfg            Config
	none           *Resolver // used if a generation has no Resolver: it has no answers and no upstreams
	start          time.Time
	flow           atomic.Uint64
	cookies        *cookies
	proven         budget // for queries with a proven source
	unproven       budget // for the other queries
	unknownReplies *bucket
	conns          *connQueue             // TCP connections
	unknownConns   *connQueue             // TCP connections of unknown clients
	arriving       *quota.Table[struct{}] // TCP connections of balancers whose header is awaited
	checks         atomic.Uint64          // see HealthChecks
	nameQuota      *nameQuota             // new names below wildcards and zones
	pins           *pins
	learned        *learnedNames
	replan         chan struct{}           // signals that PrefetchNames may return other names
	running        atomic.Pointer[service] // the run of Serve; nil: Serve does not run

	// reach is Decision.Reach. Tests without a compiled policy replace it.
	reach func(rules.Decision, netip.AddrPort) rules.Reason

	life context.Context // the context of all exchanges; Close cancels it
	end  context.CancelFunc
	mu   sync.Mutex     // guards the in-flight exchanges of every resolver; Close and the callers of work.Add lock it
	work sync.WaitGroup // exchanges and probes
}

// New makes a Filter. It opens nothing: Serve answers queries, and Lookup asks
// upstreams.
func New(cfg Config) *Filter {
	cfg = cfg.withDefaults()
	f := &Filter{cfg: cfg, start: cfg.Now(), reach: rules.Decision.Reach, none: newResolver(ResolverConfig{Cache: 1, InFlight: -1})}
	f.proven, f.unproven, f.cookies = newBudget(), newBudget(), newCookies(f.start)
	f.conns, f.unknownConns = newConnQueue(), newConnQueue()
	f.arriving = quota.New[struct{}](0, 0)
	f.nameQuota, f.pins, f.learned, f.replan = newNameQuota(), newPins(), newLearnedNames(), make(chan struct{}, 1)
	f.unknownReplies = newBucket(cfg.Limits.UnknownQPS)
	f.SetLimits(cfg.Limits)
	f.life, f.end = context.WithCancel(context.Background())
	return f
}

// SetLimits puts new limits in force, except UnknownQPS. Pins stay.
func (f *Filter) SetLimits(l Limits) {
	l = l.withDefaults()
	f.proven.rate.set(l.QPS)
	f.unproven.rate.set(l.unprovenQPS())
	f.proven.waiting.Set(l.InFlight, l.InFlightPerClient)
	f.unproven.waiting.Set(l.InFlight, l.InFlightPerClient)
	f.nameQuota.set(l.WildcardNames)
	f.conns.held.Set(l.TCP, l.TCPPerClient)
	f.conns.setQueue(l.TCP, max(1, l.TCP/2)) // connections of unknown clients do not wait
	f.unknownConns.held.Set(max(1, l.TCP/16), max(1, l.TCPPerClient/16))
	f.arriving.Set(l.TCP, l.TCP)
	f.pins.set(l.Pins, l.PinsPerClient)
}

// resolverOf returns the Resolver of a generation, or the empty one.
func (f *Filter) resolverOf(g *rules.Generation) *Resolver {
	if g != nil {
		if r, ok := g.Resolver.(*Resolver); ok && r != nil {
			return r
		}
	}
	return f.none
}

// current returns the Resolver of the generation in force.
func (f *Filter) current() *Resolver { return f.resolverOf(f.cfg.Generation()) }

// Close cancels the exchanges in flight and waits until they end. After that
// the Filter answers only from its cache and its fixed answers.
func (f *Filter) Close() {
	f.mu.Lock()
	f.end()
	f.mu.Unlock()
	f.work.Wait()
}

// clock returns the time since New. It is monotonic, so a clock jump neither
// revives nor expires an answer.
func (f *Filter) clock() time.Duration { return f.cfg.Now().Sub(f.start) }

func (f *Filter) nextFlow() uint64 {
	if f.cfg.NextFlow != nil {
		return f.cfg.NextFlow()
	}
	return f.flow.Add(1)
}

// handle answers the query in q.msg. It appends the reply to out, or nothing if
// there is no reply. If an upstream must be asked first, it returns a pending
// query instead; pending.finish then gives the reply. The caller may reuse q
// and out: handle keeps no reference to them.
func (f *Filter) handle(q *query, out []byte) ([]byte, *pending) {
	q.flow = f.nextFlow()
	if q.arrived.IsZero() {
		q.arrived = f.cfg.Now()
	}
	q.proven = q.proven || q.proto == rules.TCP
	if !q.parse() {
		return f.answerMalformed(q, out), nil
	}
	f.prove(q)
	now := q.arrived.Sub(f.start)
	g := f.cfg.Generation()
	a := rules.Attempt{Generation: g, Flow: q.flow, Via: rules.ViaDNS, Client: q.client, Identity: q.who, SourceProven: q.proven, Proto: q.proto, QType: q.qtype}
	var room [keySize]byte
	key := appendKey(room[:0], q.wireName(), q.qtype)
	r := f.resolverOf(g)
	if g.HasSynthetic() {
		if reply, done := f.synthesize(q, r, &a, out); done {
			return reply, nil
		}
	}
	if e := r.find(key, r.wants(q), now); e != nil {
		a.Authority = e.name
		return f.answer(q, r, e, &a, out, KindCached), nil
	}
	if q.asksRootKeys() {
		return f.begin(q, r, &a, key, out)
	}
	name, err := nameOf(q.wireName())
	if err != nil {
		return f.denyBadName(q, r, &a, err, out), nil
	}
	a.Authority = name
	return f.begin(q, r, &a, key, out)
}

// begin decides about a query that has no cached answer. Only a query that
// needs an upstream counts against the client's quotas: any other reply costs
// no more than a refusal.
func (f *Filter) begin(q *query, r *Resolver, a *rules.Attempt, key, out []byte) ([]byte, *pending) {
	a.Provisional = true
	d := f.cfg.Gate.Decide(*a)
	if d.Allowed() && !forwarded(q.qtype) { // the filter could not keep the answer, whatever the policy permits
		a.Provisional, a.Fault = false, rules.TypeNotAllowed
		d = f.cfg.Gate.Decide(*a)
	}
	if !d.Allowed() {
		return f.deny(q, r, a, d, out), nil
	}
	owner, over := f.charge(q, d, a.Authority)
	if over != "" {
		if !q.proven {
			return f.truncate(q, out), nil
		}
		a.Provisional, a.Fault, a.Detail = false, rules.Limit, over
		return f.deny(q, r, a, f.cfg.Gate.Decide(*a), out), nil
	}
	p := &pending{q: *q, owner: owner, g: a.Generation, r: r, name: a.Authority, key: string(r.wants(q).appendTo(key))}
	p.q.msg = bytes.Clone(q.msg)
	return out, p
}

// pending is a permitted query that needs an upstream.
type pending struct {
	q     query
	owner rules.QuotaKey
	g     *rules.Generation // the generation that permitted it
	r     *Resolver
	name  rules.Name
	key   string
}

// finish fetches the answer of a pending query and appends the reply to out. It
// must be called exactly once.
func (f *Filter) finish(ctx context.Context, p *pending, out []byte) []byte {
	defer f.budgetOf(&p.q).waiting.Release(p.owner)
	e := f.fetch(ctx, p.r, p.key, p.name, p.r.wants(&p.q))
	a := rules.Attempt{Generation: p.g, Flow: p.q.flow, Via: rules.ViaDNS, Client: p.q.client, Identity: p.q.who, SourceProven: p.q.proven, Proto: p.q.proto, QType: p.q.qtype, Authority: p.name}
	return f.answer(&p.q, p.r, e, &a, out, KindUpstream)
}

// answer makes the final decision about a query whose answer is known, and
// appends the reply.
func (f *Filter) answer(q *query, r *Resolver, e *entry, a *rules.Attempt, out []byte, kind Kind) []byte {
	var refused []netip.Addr
	if len(e.special) > 0 {
		a.Provisional = true
		d := f.cfg.Gate.Decide(*a)
		if !d.Allowed() {
			return f.deny(q, r, a, d, out)
		}
		a.Provisional = false
		for _, addr := range e.special {
			if f.reach(d, netip.AddrPortFrom(addr, 0)) != rules.ReasonNone {
				refused = append(refused, addr)
			}
		}
	}
	a.Resolved = e.addrs
	if e.bogus {
		a.Unproven, a.Detail = true, e.cause.Error()
	}
	none := e.address && len(refused) > 0 && len(refused) == len(e.addrs)
	if none {
		a.Dest, a.Fault = netip.AddrPortFrom(refused[0], 0), rules.PrivateAddress
	}
	d := f.cfg.Gate.Decide(*a)
	if !d.Allowed() {
		return f.deny(q, r, a, d, out)
	}
	if !e.address && len(e.addrs) > 0 && d.Synthetic() {
		refused = e.addrs // hints that would lead past the synthetic address
	}
	return f.reply(q, e, refused, out, kind)
}

// reply appends a permitted answer without the addresses that this client may
// not reach.
func (f *Filter) reply(q *query, e *entry, refused []netip.Addr, out []byte, kind Kind) []byte {
	if e.failed {
		f.observe(q, KindFailed, dns.RcodeServerFailure)
		if e.bogus {
			return appendError(out, q, dns.RcodeServerFailure, dns.ExtendedErrorCodeDNSBogus, e.cause.Error())
		}
		return appendError(out, q, dns.RcodeServerFailure, dns.ExtendedErrorCodeNoReachableAuthority, "no upstream gave a usable answer")
	}
	if e.fixed {
		kind = KindFixed
	}
	now, age := q.arrived.Sub(f.start), time.Duration(0)
	if !e.fixed && now > e.stored {
		age = now - e.stored
	}
	fits := false
	if len(refused) == 0 {
		out, fits = appendCached(out, q, e, age)
	}
	if !fits {
		var err error
		if out, err = appendFiltered(out, q, e, age, refused); err != nil {
			f.cfg.Log.Error("an answer cannot be packed", "name", e.name.String(), "error", err)
			f.observe(q, KindFailed, dns.RcodeServerFailure)
			return appendError(out, q, dns.RcodeServerFailure, dns.ExtendedErrorCodeOther, "")
		}
	}
	if (f.cfg.Pins || q.pins) && len(e.addrs) > len(refused) {
		f.pins.remember(q.client.Addr(), e.name, e.addrs, refused, e.holds(now), now)
	}
	if f.cfg.Answered != nil && len(e.addrs) > len(refused) {
		f.cfg.Answered(q.client.Addr(), e.name, without(e.addrs, refused), e.holds(now))
	}
	f.observe(q, kind, int(e.rcode))
	return out
}
