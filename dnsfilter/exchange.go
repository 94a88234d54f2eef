// Exchange: asks upstreams, one after the other, until one gives an answer.

package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/rules"
)

// errTimeout says that nobody answered in time.
var errTimeout = errors.New("no upstream answered in time")

// exchange asks the servers of a set about a name until one gives a usable
// answer or ctx ends. A server that fails is followed by the next, and once
// all were tried they are tried again, as datagrams get lost; servers that
// answered, but not usefully, are not.
func (f *Filter) exchange(ctx context.Context, set *upstreamSet, name rules.Name, qtype uint16) (*answer, error) {
	servers := set.order()
	useless := make([]bool, len(servers))
	left := len(servers)
	var last error
	for i := 0; left > 0 && i < 3*len(servers)+3; i++ {
		u := servers[i%len(servers)]
		if useless[i%len(servers)] {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		a, err := f.try(ctx, u, name, qtype)
		if err == nil {
			return a, nil
		}
		last = fmt.Errorf("upstream %s: %w", u.text, err)
		if !u.failed.Load() {
			useless[i%len(servers)] = true
			left--
		}
	}
	if last == nil {
		last = errTimeout
	}
	return nil, last
}

// try asks one server once.
func (f *Filter) try(ctx context.Context, u *server, name rules.Name, qtype uint16) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.TryTimeout)
	defer cancel()
	m, err := f.ask(ctx, u, name.String()+".", qtype, false)
	if err != nil {
		return nil, err
	}
	return validate(m, name, qtype)
}

// note records whether a server answered, and says so when that changed. One
// that has no answer about some name may be waiting for the servers of that
// name, which can be anybody's: whether it answers at all is for a probe to say.
func (f *Filter) note(u *server, up, probe bool, took time.Duration) {
	now := f.clock()
	u.failed.Store(!up)
	u.mu.Lock()
	switch {
	case up:
		u.heard.Store(int64(now))
		u.backoff, u.next = 0, now+f.cfg.ProbeEvery
	case f.probes() && !probe && !u.down.Load():
		u.next = now
	}
	u.mu.Unlock()
	if (up || probe || !f.probes()) && u.down.Swap(!up) == up {
		if up {
			f.cfg.Log.Info("upstream answers", "upstream", u.String())
		} else {
			f.cfg.Log.Warn("upstream does not answer", "upstream", u.String())
		}
	}
	if f.cfg.ObserveUpstream != nil {
		f.cfg.ObserveUpstream(UpstreamTry{Addr: u.Addr, Up: up, Down: u.down.Load(), Latency: took})
	}
}
