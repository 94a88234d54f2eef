// Flight: at most one upstream exchange at a time for a name and type.

package dnsfilter

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// A flight is one exchange that any number of queries wait for. Two in flight
// for one question would let an attacker guess against both.
type inflight struct {
	done  chan struct{}
	entry *entry // once done is closed
}

// join takes part in the flight under key, starting it if there is none and
// none has landed since the caller looked. It returns nil when too many are
// under way.
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

// flightOf is a flight that is over.
func finishedExchange(e *entry) *inflight {
	fl := &inflight{done: make(chan struct{}), entry: e}
	close(fl.done)
	return fl
}

// depart is join whatever the cache holds. The Filter's mu must be held.
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

// fly asks upstream and keeps the answer, a failure too, but that briefly.
func (f *Filter) runExchange(r *Resolver, fl *inflight, key string, name rules.Name, w want) {
	defer f.work.Done()
	ctx, cancel := context.WithTimeout(f.life, f.cfg.Timeout)
	defer cancel()
	e := f.resolve(ctx, r.upstreams(name), name, w)
	if e.rcode == dns.RcodeNameError && r.parents[name] {
		e.rcode = dns.RcodeSuccess // it does exist here; else nothing below it would (RFC 8020)
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

// resolve turns an exchange into an entry. A panic over an upstream's bytes
// is a failure like any other.
func (f *Filter) resolve(ctx context.Context, set *upstreamSet, name rules.Name, w want) (e *entry) {
	defer func() {
		if v := recover(); v != nil {
			f.cfg.Log.Error("panic over an upstream's answer", "name", name.String(), "panic", v)
			e = f.failure(name)
		}
	}()
	a, err := f.exchange(ctx, set, name, w)
	if err == nil {
		e, err = newEntry(name, w.qtype, a)
	}
	if err != nil {
		f.cfg.Log.Debug("look-up failed", "name", name.String(), "type", w.qtype, "error", err)
		e = f.failure(name)
		e.cause = err
		return e
	}
	e.stored = f.clock()
	e.expires = e.stored + time.Duration(a.ttl())*time.Second
	return e
}

func (f *Filter) failure(name rules.Name) *entry {
	now := f.clock()
	return &entry{name: name, rcode: dns.RcodeServerFailure, failed: true, stored: now, expires: now + failureTTL*time.Second}
}

// fetch waits for the answer to come from upstream.
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
