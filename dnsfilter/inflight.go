// In-flight exchanges: at most one exchange at a time for a name and type.

package dnsfilter

import (
	"context"
	"errors"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// An inflight is one exchange that any number of queries wait for. If one
// question had two exchanges, an attacker's guess could match either.
type inflight struct {
	done  chan struct{}
	entry *entry // set before done is closed
}

// join returns the exchange in flight under key. If there is none and the cache
// still has no answer, it starts one. It returns nil if too many are in flight.
func (f *Filter) join(r *Resolver, key string, name rules.Name, w want) *inflight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.inflight[key] == nil {
		if e := r.cache.get([]byte(key), f.clock()); e != nil {
			return finishedExchange(e)
		}
	}
	return f.startExchange(r, key, name, w)
}

// finishedExchange returns an exchange that has ended with e.
func finishedExchange(e *entry) *inflight {
	fl := &inflight{done: make(chan struct{}), entry: e}
	close(fl.done)
	return fl
}

// startExchange is join without a look into the cache. The caller holds the
// Filter's mu.
func (f *Filter) startExchange(r *Resolver, key string, name rules.Name, w want) *inflight {
	if fl := r.inflight[key]; fl != nil {
		return fl
	}
	if len(r.inflight) >= r.maxInFlight || f.life.Err() != nil {
		return nil
	}
	fl := &inflight{done: make(chan struct{})}
	r.inflight[key] = fl
	f.work.Add(1)
	go f.runExchange(r, fl, key, name, w)
	return fl
}

// runExchange asks upstreams and caches the answer. It caches a failure too,
// but briefly.
func (f *Filter) runExchange(r *Resolver, fl *inflight, key string, name rules.Name, w want) {
	defer f.work.Done()
	ctx, cancel := context.WithTimeout(f.life, f.cfg.Timeout)
	defer cancel()
	e := f.resolve(ctx, r.upstreams(name), name, w)
	if e.rcode == dns.RcodeNameError && r.parents[name] {
		e.rcode = dns.RcodeSuccess // the name exists here: with NXDOMAIN no name below it would exist (RFC 8020)
	}
	e.markTranslated(r.nat64)
	if f.life.Err() == nil {
		r.cache.put(key, e, f.clock())
	}
	fl.entry = e
	f.mu.Lock()
	delete(r.inflight, key)
	f.mu.Unlock()
	close(fl.done)
}

// resolve turns an exchange into an entry. A panic while it reads an upstream's
// message is treated as a failure.
func (f *Filter) resolve(ctx context.Context, set *upstreamSet, name rules.Name, w want) (e *entry) {
	defer func() {
		if v := recover(); v != nil {
			f.cfg.Log.Error("panic while reading an upstream's answer", "name", name.String(), "panic", v)
			e = f.failure(name)
		}
	}()
	a, err := f.exchange(ctx, set, name, w)
	if err == nil && a.bogus != nil && set.dnssec == DNSSECRequire {
		err = a.bogus
	}
	if err == nil {
		e, err = newEntry(name, w.qtype, a)
	}
	if err != nil {
		f.cfg.Log.Debug("look-up failed", "name", name.String(), "type", w.qtype, "error", err)
		e = f.failure(name)
		e.cause, e.bogus = err, errors.Is(err, ErrBogus)
		return e
	}
	e.cause, e.bogus = a.bogus, a.bogus != nil
	e.stored = f.clock()
	e.expires = e.stored + time.Duration(a.ttl())*time.Second
	return e
}

func (f *Filter) failure(name rules.Name) *entry {
	now := f.clock()
	return &entry{name: name, rcode: dns.RcodeServerFailure, failed: true, stored: now, expires: now + failureTTL*time.Second}
}

// fetch returns the answer of an upstream, or a failure if none comes in time.
func (f *Filter) fetch(ctx context.Context, r *Resolver, key string, name rules.Name, w want) *entry {
	fl := f.join(r, key, name, w)
	if fl == nil {
		return f.failure(name)
	}
	select {
	case <-fl.done:
		return fl.entry
	case <-ctx.Done():
		return f.failure(name)
	}
}
