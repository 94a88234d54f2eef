// Exchange: asks upstreams, one after the other, until one gives an answer.

package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sallyport/rules"
)

// errTimeout says that nobody answered in time.
var errTimeout = errors.New("no upstream answered in time")

// A server that fails at once, as for want of a route, is tried so often, after
// a pause.
const (
	maxTries   = 3
	retryPause = 100 * time.Millisecond
)

// exchange asks the servers of a set about a name until one gives a usable
// answer or ctx ends. One that takes longer than it usually does is joined by
// the next, and goes on being waited for: the first usable answer counts,
// whoever it is from. One that fails is followed by the next, and tried again
// once all were; one that answered, but not usefully, is not.
func (f *Filter) exchange(ctx context.Context, set *upstreamSet, name rules.Name, w want) (*answer, error) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errAnswered)
	x := exchange{queue: set.order(), tries: map[*server]int{}}
	done := make(chan tryResult, len(x.queue))
	timer := time.NewTimer(f.cfg.TryTimeout)
	defer timer.Stop()
	ask := func() {
		if u := x.next(); u != nil {
			running.Go(func() { done <- f.try(ctx, u, name, w) })
			timer.Reset(min(u.retryAfter(f.cfg.TryTimeout), f.cfg.TryTimeout))
		}
	}
	ask()
	for {
		select {
		case <-timer.C:
			ask()
		case t := <-done:
			if t.err == nil {
				return t.answer, nil
			}
			switch pause, more := x.failed(t); {
			case !more:
				return nil, x.last
			case pause > 0:
				timer.Reset(pause)
			default:
				ask()
			}
		case <-ctx.Done():
			return nil, x.timeoutError()
		}
	}
}

// exchange is one exchange's servers. One goroutine has it all to itself.
type exchange struct {
	queue   []*server // that may be asked next
	tries   map[*server]int
	running int // being asked
	last    error
}

// tried is the end of one try.
type tryResult struct {
	u        *server
	answer   *answer
	answered bool // it did answer
	err      error
}

// next takes the server that is to be asked next; nil: there is none.
func (x *exchange) next() *server {
	if len(x.queue) == 0 {
		return nil
	}
	u := x.queue[0]
	x.queue = x.queue[1:]
	x.tries[u]++
	x.running++
	return u
}

// failed takes note of a try that brought no answer, and tells when to ask the
// next server, and whether there is anybody to ask or to wait for.
func (x *exchange) failed(t tryResult) (pause time.Duration, more bool) {
	x.running--
	x.last = fmt.Errorf("upstream %s: %w", t.u.text, t.err)
	if !t.answered && x.tries[t.u] < maxTries {
		x.queue = append(x.queue, t.u)
	}
	if len(x.queue) > 0 && x.tries[x.queue[0]] > 0 {
		pause = retryPause
	}
	return pause, x.running+len(x.queue) > 0
}

// late is the error of an exchange that ran out of time.
func (x *exchange) timeoutError() error {
	if x.last != nil {
		return fmt.Errorf("%w; %w", x.last, errTimeout)
	}
	return errTimeout
}

// try asks one server.
func (f *Filter) try(ctx context.Context, u *server, name rules.Name, w want) tryResult {
	m, err := f.ask(ctx, u, name.String()+".", w, false)
	if err != nil {
		return tryResult{u: u, err: err}
	}
	a, err := validate(m, name, w.qtype)
	if err == nil && w.do {
		a.addProof(m, name, w.qtype)
	}
	return tryResult{u: u, answer: a, answered: true, err: err}
}

// note records whether a server answered, and says so when that changed. One
// that has no answer about some name may be waiting for the servers of that
// name, which can be anybody's: whether it answers at all is for a probe to say.
func (f *Filter) recordTry(u *server, up, probe bool, took time.Duration) {
	now := f.clock()
	u.failed.Store(!up)
	u.plan.Lock()
	if up {
		u.lastAnswer, u.failures = f.cfg.Now(), 0
	} else {
		u.failures++
	}
	switch {
	case up:
		u.backoff, u.next = 0, now+f.cfg.ProbeEvery
	case f.probes() && !probe && !u.down.Load():
		u.next = now
	}
	u.plan.Unlock()
	if (up || probe || !f.probes()) && u.down.Swap(!up) == up {
		if up {
			f.cfg.Log.Info("upstream answers", "upstream", u.String())
		} else {
			f.cfg.Log.Warn("upstream does not answer", "upstream", u.String())
		}
	}
	if f.cfg.ObserveUpstream != nil {
		f.cfg.ObserveUpstream(UpstreamTry{Addr: u.Addr, Up: up, Down: u.down.Load(), Latency: took, ChangesCase: u.letterCaseAt(now) != caseKept})
	}
}
