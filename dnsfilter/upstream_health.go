// Upstream health: which upstreams answer, known also without queries from
// clients.

package dnsfilter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// The delays between probes of an upstream that does not answer.
const (
	probeTick    = 500 * time.Millisecond
	firstBackoff = time.Second
	lastBackoff  = 10 * time.Second
)

// Healthy returns nil while every set of upstreams has an upstream that is not
// down. There is one set for public names and one for each zone.
func (f *Filter) Healthy() error {
	var errs []error
	for _, set := range f.current().sets() {
		switch {
		case set.healthy():
		case set.zone.IsZero():
			errs = append(errs, fmt.Errorf("dns: no upstream answers: %s; see [dns] upstreams, and sallyport preflight", set))
		default:
			errs = append(errs, fmt.Errorf("dns: no upstream of zone %s answers: %s; see [[dns.zone]] upstreams", set.zone, set))
		}
	}
	return errors.Join(errs...)
}

// An UpstreamState is what the filter knows of one upstream.
type UpstreamState struct {
	rules.Upstream
	Zone       rules.Name // the internal zone that it answers for; zero: all other names
	Up         bool       // false: its last probe, or without probes its last try, had no answer
	LastAnswer time.Time  // zero: none yet
	Failures   uint64     // tries without an answer since the last answer
	NoProof    bool       // it answered, but said of no answer so far that DNSSEC proves it, which the site demands
	Why        error      // of the last failure; nil after an answer; an *UpstreamFault stays until then
}

// Upstreams returns the state of each upstream of the generation in force:
// first the upstreams for public names, then the upstreams of the zones, by
// suffix. An upstream that a reload removed is not among them. An upstream that
// a reload kept starts anew, as up and without an answer.
func (f *Filter) Upstreams() []UpstreamState {
	sets := f.current().sets()
	slices.SortFunc(sets, func(a, b *upstreamSet) int { return cmp.Compare(a.zone.String(), b.zone.String()) })
	var states []UpstreamState
	for _, set := range sets {
		for _, u := range set.servers {
			states = append(states, u.state(set.zone))
		}
	}
	return states
}

// state returns the state of an upstream of the given zone.
func (u *server) state(zone rules.Name) UpstreamState {
	u.plan.Lock()
	defer u.plan.Unlock()
	return UpstreamState{Upstream: u.Upstream, Zone: zone, Up: !u.down.Load(), LastAnswer: u.lastAnswer, Failures: u.failures, Why: u.why,
		NoProof: u.confirms && !u.proved && !u.lastAnswer.IsZero()}
}

// probes reports whether upstreams are probed: probes are not switched off, and
// Serve runs.
func (f *Filter) probes() bool { return f.cfg.ProbeEvery > 0 && f.running.Load() != nil }

// String lists the upstreams, with the faults that a person must correct.
func (s *upstreamSet) String() string {
	var out []string
	for _, u := range s.servers {
		text := u.Upstream.String()
		if fault := (*UpstreamFault)(nil); errors.As(u.state(s.zone).Why, &fault) {
			text += " (" + fault.Error() + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// probe probes upstreams that have not answered lately, until ctx ends.
func (f *Filter) probe(ctx context.Context) {
	tick := time.NewTicker(probeTick)
	defer tick.Stop()
	for {
		for _, set := range f.current().sets() {
			for _, u := range set.servers {
				f.probeIfDue(ctx, u)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// probeIfDue starts a probe if one is due and none is running.
func (f *Filter) probeIfDue(ctx context.Context, u *server) {
	now := f.clock()
	u.plan.Lock()
	due := now >= u.next
	u.plan.Unlock()
	if !due || !u.probing.CompareAndSwap(false, true) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life.Err() != nil {
		return
	}
	f.work.Add(1)
	go f.probeOnce(ctx, u)
}

// ProbeProven asks each upstream that must prove who it is once, and waits for the answers.
// ObserveUpstream is told what came.
func (f *Filter) ProbeProven(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	var asked sync.WaitGroup
	for _, set := range f.current().sets() {
		for _, u := range set.servers {
			if u.Over.Proven() {
				asked.Go(func() { f.ask(ctx, u, ".", want{qtype: dns.TypeNS}, true) })
			}
		}
	}
	asked.Wait()
}

// probeOnce asks for the root's name servers, which every resolver knows. Any
// answer counts.
func (f *Filter) probeOnce(ctx context.Context, u *server) {
	defer f.work.Done()
	defer u.probing.Store(false)
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	if _, err := f.ask(ctx, u, ".", want{qtype: dns.TypeNS}, true); err == nil || ctx.Err() == context.Canceled {
		return
	}
	u.plan.Lock()
	defer u.plan.Unlock()
	u.backoff = min(max(2*u.backoff, firstBackoff), lastBackoff)
	u.next = f.clock() + u.backoff
}
