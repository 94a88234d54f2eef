// Prefetch: looks up the permitted names before any client asks and keeps their
// addresses fresh, so that flows to those addresses are known from the start.

package dnsfilter

import (
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// The rate of prefetches. Each prefetch is two questions.
const (
	prefetchEvery  = 20 * time.Millisecond // between the starts of two prefetches
	prefetchAtOnce = 8
	prefetchLeast  = 30 * time.Second // least time between two prefetches of one name, whatever its TTL: pins last longer than that

	firstRetry    = 5 * time.Second // after a prefetch without addresses; doubled each time
	lastRetry     = 5 * time.Minute
	prefetchPause = time.Minute // longest time until the clock is read again
)

// PolicyChanged makes the filter call PrefetchNames again. It also drops the
// pins of prefetched names that are no longer permitted.
func (f *Filter) PolicyChanged() {
	select {
	case f.replan <- struct{}{}:
	default: // a signal is already pending
	}
}

// prefetcher is one run of prefetches. Only one goroutine uses it.
type prefetcher struct {
	f       *Filter
	g       *rules.Generation // the generation of the plan
	r       *Resolver         // the Resolver of g
	plan    map[rules.Name]*plannedName
	running map[rules.Name]bool
	results chan lookUpResult
	next    time.Duration // earliest start of the next prefetch
}

// plannedName is one name of the plan.
type plannedName struct {
	due      time.Duration
	failures int // since the last success
}

// lookUpResult is the result of one prefetch.
type lookUpResult struct {
	r        *Resolver // the Resolver that was asked
	name     rules.Name
	addrs    []netip.Addr
	ttl      time.Duration
	complete bool // answers for both A and AAAA came
}

// prefetch looks up the permitted names until ctx ends.
func (f *Filter) prefetch(ctx context.Context) {
	p := &prefetcher{f: f, plan: map[rules.Name]*plannedName{}, running: map[rules.Name]bool{}, results: make(chan lookUpResult, prefetchAtOnce)}
	p.replan()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(p.startDue(ctx))
		select {
		case <-timer.C:
		case <-f.replan:
			p.replan()
		case l := <-p.results:
			p.finish(l)
		case <-ctx.Done():
			for range p.running {
				<-p.results
			}
			return
		}
	}
}

// replan makes the plan for the generation in force. New names are due at once.
// With a new Resolver all names are due, because other upstreams may answer
// differently.
func (p *prefetcher) replan() {
	g, now := p.f.cfg.Generation(), p.f.clock()
	r := p.f.resolverOf(g)
	plan := map[rules.Name]*plannedName{}
	for _, name := range p.f.cfg.PrefetchNames(g) {
		if plan[name] = p.plan[name]; plan[name] == nil || r != p.r {
			plan[name] = &plannedName{due: now}
		}
	}
	p.g, p.r, p.plan = g, r, plan
	p.f.pins.retain(func(n rules.Name) bool { return plan[n] != nil })
}

// startDue starts the prefetches that are due, within the rate. It returns the
// time until the next one is due.
func (p *prefetcher) startDue(ctx context.Context) time.Duration {
	for len(p.running) < prefetchAtOnce {
		if p.f.cfg.Generation() != p.g { // the signal of PolicyChanged comes later
			p.replan()
		}
		now := p.f.clock()
		name, due := p.first()
		if wait := max(due, p.next) - now; wait > 0 {
			return wait
		}
		p.next = now + prefetchEvery
		p.running[name] = true
		go p.f.prefetchName(ctx, p.r, name, p.results)
	}
	return prefetchPause // the next result comes sooner
}

// first returns the name that is due first, and when. If none is due within the
// longest pause, it returns the end of that pause.
func (p *prefetcher) first() (first rules.Name, due time.Duration) {
	due = p.f.clock() + prefetchPause
	for name, a := range p.plan {
		if a.due < due && !p.running[name] {
			first, due = name, a.due
		}
	}
	return first, due
}

// finish stores the result of a prefetch, unless the name has left the plan. It
// plans the next prefetch: some time before the answer expires, or, without an
// answer, after a growing delay.
func (p *prefetcher) finish(l lookUpResult) {
	delete(p.running, l.name)
	a := p.plan[l.name]
	if a == nil || l.r != p.r { // the plan has changed since
		return
	}
	now := p.f.clock()
	if len(l.addrs) > 0 {
		p.f.pins.rememberPrefetched(l.name, l.addrs, l.ttl, now)
		if p.f.cfg.Prefetched != nil {
			p.f.cfg.Prefetched(l.name, l.addrs, l.ttl)
		}
	}
	again := max(p.jittered(l.ttl), prefetchLeast)
	retry := p.jittered(min(firstRetry<<min(a.failures, 16), lastRetry))
	switch {
	case len(l.addrs) > 0 && l.complete:
		a.failures, a.due = 0, now+again
	case len(l.addrs) > 0: // some name servers never answer AAAA questions
		a.failures, a.due = a.failures+1, now+min(again, max(retry, prefetchLeast))
	default:
		a.failures, a.due = a.failures+1, now+retry
	}
}

// jittered returns a random time between 75 % and 95 % of d.
func (p *prefetcher) jittered(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(p.f.cfg.Jitter()*float64(d/5))
}

// prefetchName asks for A and AAAA, whatever the cache holds, and caches the
// answers.
func (f *Filter) prefetchName(ctx context.Context, r *Resolver, name rules.Name, results chan<- lookUpResult) {
	l := lookUpResult{r: r, name: name, ttl: maxTTL * time.Second, complete: true}
	wire := appendWireName(nil, name)
	var waits []*inflight
	for _, qtype := range [...]uint16{dns.TypeAAAA, dns.TypeA} {
		waits = append(waits, f.refresh(l.r, name, appendKey(nil, wire, qtype), qtype))
	}
	for _, fl := range waits {
		select {
		case <-fl.done:
			l.add(fl.entry, f.clock())
		case <-ctx.Done():
			l.complete = false
		}
	}
	results <- l
}

// refresh is join, but it ignores cached answers unless they are fixed.
func (f *Filter) refresh(r *Resolver, name rules.Name, key []byte, qtype uint16) *inflight {
	if e := r.fixed[string(key)]; e != nil {
		return finishedExchange(e)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.startExchange(r, string(key), name, want{qtype: qtype}); fl != nil {
		return fl
	}
	return finishedExchange(f.failure(name))
}

// add adds one answer to the result.
func (l *lookUpResult) add(e *entry, now time.Duration) {
	if e.failed {
		l.complete = false
		return
	}
	l.addrs = append(l.addrs, e.addrs...)
	if len(e.addrs) > 0 {
		l.ttl = min(l.ttl, e.holds(now))
	}
}
