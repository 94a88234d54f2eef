// Exchange: asks upstreams one after the other until one gives an answer.

package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// errTimeout means that no upstream answered in time.
var errTimeout = errors.New("no upstream answered in time")

// errNoUpstream means that no upstream is configured for the name.
var errNoUpstream = errors.New("[dns] upstreams is empty, and neither [hosts] nor a [[dns.zone]] has the name")

// A server that fails at once, for example without a route, is tried again
// after a pause, up to a number of tries.
const (
	maxTries   = 3
	retryPause = 100 * time.Millisecond
)

// exchange asks the servers of a set about a name until one gives a usable
// answer or ctx ends. If a server takes longer than usual, exchange asks the
// next one too and still waits for the slow one. The first usable answer
// counts. If a server fails, exchange asks the next one, and tries the failed
// one again after all others. It does not try a server again that gave an
// unusable answer.
func (f *Filter) exchange(ctx context.Context, set *upstreamSet, name rules.Name, w want) (*answer, error) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errAnswered)
	if len(set.servers) == 0 {
		return nil, errNoUpstream
	}
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

// exchange is the state of one exchange. Only one goroutine uses it.
type exchange struct {
	queue   []*server // servers to ask next
	tries   map[*server]int
	running int // tries in flight
	last    error
}

// tryResult is the result of one try.
type tryResult struct {
	u        *server
	answer   *answer
	answered bool // the server gave an answer, perhaps an unusable one
	err      error
}

// next removes the next server from the queue and returns it; nil if the queue
// is empty.
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

// failed records a failed try. It returns how long to wait before the next one,
// and whether any server is left to ask or to wait for.
func (x *exchange) failed(t tryResult) (pause time.Duration, more bool) {
	x.running--
	if !errors.Is(x.last, ErrBogus) || errors.Is(t.err, ErrBogus) { // a failure of another upstream does not hide a wrong signature
		x.last = fmt.Errorf("upstream %s: %w", t.u.text, t.err)
	}
	if !t.answered && x.tries[t.u] < maxTries {
		x.queue = append(x.queue, t.u)
	}
	if len(x.queue) > 0 && x.tries[x.queue[0]] > 0 {
		pause = retryPause
	}
	return pause, x.running+len(x.queue) > 0
}

// timeoutError returns the error of an exchange that ran out of time.
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
	if u.confirms && name.String() != rules.IPv4OnlyName { // DNS64 makes up its answers
		a, err = f.checked(ctx, u, name, w, m, a, err)
	}
	if err == nil && w.do {
		a.addProof(m, name, w.qtype)
	}
	return tryResult{u: u, answer: a, answered: true, err: err}
}

// recordTry records whether a server answered, and logs a change. A failed try
// about a name does not mark the server as down: perhaps the name's own servers
// do not answer, and anyone can run such servers. A probe then checks the
// server itself.
func (f *Filter) recordTry(u *server, m *dns.Msg, err error, probe bool, took time.Duration) {
	now, up, proved := f.clock(), err == nil, m != nil && u.confirms && m.AuthenticatedData
	u.failed.Store(!up)
	u.plan.Lock()
	if up {
		u.lastAnswer, u.failures, u.why, u.proved = f.cfg.Now(), 0, nil, u.proved || proved
	} else {
		u.failures++
		if fault := (*UpstreamFault)(nil); errors.As(err, &fault) || !errors.As(u.why, &fault) {
			u.why = err
		}
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
			f.cfg.Log.Warn("upstream does not answer", "upstream", u.String(), "error", err)
		}
	}
	if f.cfg.ObserveUpstream != nil {
		f.cfg.ObserveUpstream(UpstreamTry{Upstream: u.Upstream, Up: up, Proved: proved, Why: err, Down: u.down.Load(), Latency: took, ChangesCase: u.letterCaseAt(now) != caseKept})
	}
}
