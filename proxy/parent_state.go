// Parent state: what is known about each parent. A parent that failed just now is tried last.

package proxy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/rules"
)

// failedFor is how long a parent that could not be used is tried after the others.
const failedFor = 30 * time.Second

// ParentStats is what a Proxy knows about one parent.
type ParentStats struct {
	Name      string
	Connected uint64                 // flows that it carried
	Failed    map[rules.Cause]uint64 // by cause
	Last      rules.Cause            // of the last flow; EndClean: it was carried
	Since     time.Time              // since when the last flows ended like that
}

// parentTable has the state of every parent that was used, by name. The zero value is ready.
type parentTable struct {
	mu  sync.Mutex
	all map[string]*parentState
}

type parentState struct {
	ParentStats
	broken time.Time    // when it last could not be used; zero: never, or it was used since
	addrs  []netip.Addr // of its name, by the last look-up
	port   uint16
}

// state returns the state of a parent. The caller holds the lock.
func (t *parentTable) state(p *rules.Parent) *parentState {
	if t.all == nil {
		t.all = map[string]*parentState{}
	}
	s := t.all[p.Name]
	if s == nil {
		s = &parentState{ParentStats: ParentStats{Name: p.Name, Failed: map[rules.Cause]uint64{}}}
		t.all[p.Name] = s
	}
	return s
}

// order returns parents in the order of trying: those that failed just now come last.
func (t *parentTable) order(parents []*rules.Parent) []*rules.Parent {
	if len(parents) == 1 {
		return parents
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*rules.Parent, 0, len(parents))
	var late []*rules.Parent
	for _, p := range parents {
		if s := t.state(p); !s.broken.IsZero() && time.Since(s.broken) < failedFor {
			late = append(late, p)
		} else {
			out = append(out, p)
		}
	}
	return append(out, late...)
}

// note records how a try ended. Errors that are not about the parent are not recorded.
func (t *parentTable) note(p *rules.Parent, err error) {
	var failed *parentError
	cause := rules.EndClean
	if errors.As(err, &failed) {
		cause = failed.cause
	} else if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state(p)
	if s.Last != cause || s.Since.IsZero() {
		s.Last, s.Since = cause, time.Now()
	}
	switch {
	case failed == nil:
		s.Connected++
		s.broken = time.Time{}
	default:
		s.Failed[cause]++
		if failed.broken || cause == rules.ParentTimedOut && failed.status == 0 {
			s.broken = time.Now()
		} else {
			s.broken = time.Time{}
		}
	}
}

// remember keeps the addresses of a parent: they are never destinations.
func (t *parentTable) remember(p *rules.Parent, addrs []netip.Addr) {
	if p.At.Addr.IsValid() {
		return // the policy knows it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state(p)
	s.addrs, s.port = addrs, p.At.Port
}

// is reports whether dest is the address of a parent that has a name.
func (t *parentTable) is(dest netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		if s.port == dest.Port() && slices.Contains(s.addrs, dest.Addr()) {
			return true
		}
	}
	return false
}

// Parents returns what is known about each parent that was used, by name.
func (p *Proxy) Parents() []ParentStats {
	t := &p.parents
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []ParentStats
	for _, s := range t.all {
		one := s.ParentStats
		one.Failed = map[rules.Cause]uint64{}
		for cause, n := range s.Failed {
			one.Failed[cause] = n
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b ParentStats) int { return strings.Compare(a.Name, b.Name) })
	return out
}
