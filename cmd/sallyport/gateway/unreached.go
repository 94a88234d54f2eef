// Unreached: counts and logs permitted destinations that could not be reached.

package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/dnsfilter"
	"sallyport/proxy"
	"sallyport/rules"
)

const (
	unreachedEvery = time.Minute // between two warnings about the same destination
	unreachedMost  = 1024        // destinations remembered for that
)

// unreached is called at the end of each flow, and passes the flow on to the
// recorder. It counts the flows that were never connected, and logs a warning at
// most once a minute for each destination and fault.
type unreached struct {
	next  func(rules.Close)
	count *prometheus.CounterVec
	now   func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	warned map[unreachedKey]*unreachedNote
}

type unreachedKey struct {
	host   string
	port   uint16
	cause  rules.Cause
	parent string // the parent whose fault it is; "": the destination's
}

// An unreachedNote has the time of the last warning and the number of warnings left
// out since.
type unreachedNote struct {
	at   time.Time
	more int
}

func newUnreached(next func(rules.Close), count *prometheus.CounterVec, now func() time.Time, log *slog.Logger) *unreached {
	for _, cause := range rules.DialFaults() {
		count.WithLabelValues(cause.DialFault())
	}
	return &unreached{next: next, count: count, now: now, log: log, warned: map[unreachedKey]*unreachedNote{}}
}

// The proxy calls closed at the end of each flow.
func (u *unreached) closed(c rules.Close) {
	u.next(c)
	fault, what := c.Cause.DialFault(), "a permitted destination could not be reached"
	switch {
	case c.Cause == rules.EndNoAnswer:
		fault, what = c.Cause.String(), "a permitted destination gave no valid answer to a request"
	case fault == "":
		return
	default:
		u.count.WithLabelValues(fault).Inc()
	}
	key := unreachedKey{c.Attempt.Target().String(), c.Attempt.Dest.Port(), c.Cause, ""}
	if key.host == "" {
		key.host = c.Attempt.Dest.Addr().String()
	}
	if c.Attempt.Parent != nil && c.Cause != rules.ParentRefused { // a parent that fails, fails for every destination
		key.parent, key.host, key.port = c.Attempt.Parent.Name, "", 0
	}
	more, due := u.due(key)
	if !due {
		return
	}
	host := c.Attempt.Target().String()
	if host == "" {
		host = c.Attempt.Dest.Addr().String()
	}
	attrs := []any{"destination", host, "port", c.Attempt.Dest.Port(), "fault", fault, "via", c.Attempt.Via.String(), "client", c.Attempt.Client.Addr()}
	if r := c.Decision.Rule; r != nil {
		attrs = append(attrs, "rule", r.String())
	}
	if p := c.Attempt.Parent; p != nil {
		attrs = append(attrs, "parent", p.Name)
		if c.Why != "" {
			attrs = append(attrs, "error", c.Why, "do", c.Help)
		}
	}
	if more > 0 {
		attrs = append(attrs, "since_last", more)
	}
	u.log.Warn(what, attrs...)
}

// due reports whether to write a warning now, and returns the number of warnings
// left out since the last warning. When too many destinations fail at once, some
// are only counted.
func (u *unreached) due(key unreachedKey) (more int, due bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	if n := u.warned[key]; n != nil {
		if now.Sub(n.at) < unreachedEvery {
			n.more++
			return 0, false
		}
		more = n.more
	} else if len(u.warned) >= unreachedMost {
		for k, n := range u.warned {
			if now.Sub(n.at) >= unreachedEvery {
				delete(u.warned, k)
			}
		}
		if len(u.warned) >= unreachedMost {
			return 0, false
		}
	}
	u.warned[key] = &unreachedNote{at: now}
	return more, true
}

// lookupBy returns the proxy's resolver. It turns errors of the filter into errors
// of package net, so that the proxy can distinguish a name that does not exist from
// a resolver that does not answer.
func lookupBy(f *dnsfilter.Filter) func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) {
	return func(ctx context.Context, g *rules.Generation, name rules.Name) ([]netip.Addr, error) {
		addrs, err := f.Lookup(ctx, g, name)
		switch {
		case errors.Is(err, dnsfilter.ErrNoAddress):
			return nil, nil
		case errors.Is(err, dnsfilter.ErrNoSuchName):
			return nil, &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: name.String(), IsNotFound: true}
		}
		var failed *dnsfilter.UpstreamError
		if errors.As(err, &failed) && errors.Is(failed.Cause, dnsfilter.ErrBogus) {
			return nil, &proxy.UnprovenError{Why: failed.Cause.Error(), Err: err}
		}
		return addrs, err
	}
}
