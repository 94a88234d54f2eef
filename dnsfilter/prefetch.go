// Prefetch: looks up the names of the policy before any client does, and keeps
// their addresses fresh, so that flows to those are known from the start.

package dnsfilter

import (
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// The pace of look-ups ahead. A look-up is two questions.
const (
	prefetchEvery  = 20 * time.Millisecond // from the start of one to that of the next
	prefetchAtOnce = 8
	prefetchLeast  = 30 * time.Second // between two of one name, however short its TTL: pins outlive that

	firstRetry    = 5 * time.Second // of a name without addresses; doubled from there
	lastRetry     = 5 * time.Minute
	prefetchPause = time.Minute // at most without a look at the clock
)

// PolicyChanged makes the filter ask Ahead again which names to look up. The
// names that are gone count as pinned no more.
func (f *Filter) PolicyChanged() {
	select {
	case f.replan <- struct{}{}:
	default: // it is going to anyway
	}
}

// prefetcher is one run of look-ups ahead. One goroutine has it all to itself.
type prefetcher struct {
	f       *Filter
	g       *rules.Generation // that the plan was made for
	r       *Resolver         // of g
	plan    map[rules.Name]*plannedName
	running map[rules.Name]bool
	results chan lookUpResult
	next    time.Duration // earliest start of the next look-up
}

// ahead is one name of the plan.
type plannedName struct {
	due      time.Duration
	failures int // since it last had addresses
}

// landing is the end of one look-up.
type lookUpResult struct {
	r        *Resolver // that was asked
	name     rules.Name
	addrs    []netip.Addr
	ttl      time.Duration
	complete bool // both families were answered about
}

// prefetch looks up what Ahead names until ctx ends.
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

// replan reads Ahead for the generation in force. Names that are new are due at
// once; with a new Resolver all are, as other upstreams may say something else.
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

// depart starts what is due, within the pace, and returns for how long nothing
// will be.
func (p *prefetcher) startDue(ctx context.Context) time.Duration {
	for len(p.running) < prefetchAtOnce {
		if p.f.cfg.Generation() != p.g { // the signal of the change is on its way
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
	return prefetchPause // the next landing comes first
}

// first returns the name that is due first and when, or, if that is not within
// the longest pause, the end of that.
func (p *prefetcher) first() (first rules.Name, due time.Duration) {
	due = p.f.clock() + prefetchPause
	for name, a := range p.plan {
		if a.due < due && !p.running[name] {
			first, due = name, a.due
		}
	}
	return first, due
}

// land takes the result of a look-up, unless the name is not wanted any more,
// and plans the next one: some time before the answer ends, or, where there
// was none, later and later.
func (p *prefetcher) finish(l lookUpResult) {
	delete(p.running, l.name)
	a := p.plan[l.name]
	if a == nil || l.r != p.r { // planned anew meanwhile
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
	case len(l.addrs) > 0: // some name servers never answer about IPv6
		a.failures, a.due = a.failures+1, now+min(again, max(retry, prefetchLeast))
	default:
		a.failures, a.due = a.failures+1, now+retry
	}
}

// jittered returns three quarters of d, or somewhat more, but never all of it.
func (p *prefetcher) jittered(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(p.f.cfg.Jitter()*float64(d/5))
}

// lookAhead asks for both kinds of addresses, whatever the cache holds, and
// leaves fresh answers there.
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

// renew is join, without regard for an answer at hand unless it is fixed.
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

// add joins one answer to the result.
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
