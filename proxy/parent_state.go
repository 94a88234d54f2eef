// Parent state: what is known about each parent. A parent that failed just now, or whose last check
// failed, is tried last.

package proxy

import (
	"bytes"
	"errors"
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

	Health      rules.Cause // of the last check; EndClean: the parent can be used
	HealthSince time.Time   // since when the checks end like that; zero: there was no check
}

// parentTable has the state of every parent that was used, by name. The zero value is ready.
type parentTable struct {
	mu  sync.Mutex
	all map[string]*parentState
}

type parentState struct {
	ParentStats
	of     *rules.Parent // as configured when it was last chosen or checked
	broken time.Time     // when it last could not be used; zero: never, or it was used since
}

// state returns the state of a parent. The caller holds the lock.
func (t *parentTable) state(p *rules.Parent) *parentState {
	if t.all == nil {
		t.all = map[string]*parentState{}
	}
	s := t.all[p.Name]
	if s == nil {
		s = &parentState{ParentStats: ParentStats{Name: p.Name, Failed: map[rules.Cause]uint64{}}, of: p}
		t.all[p.Name] = s
	}
	return s
}

// current is state for a parent of the configuration in force. A reload can have corrected what the
// parent needs, so the earlier failures of flows do not count any more. The last check counts until
// the next one, if the reload did not change the parent: else the same fault would be reported again.
func (t *parentTable) current(p *rules.Parent) *parentState {
	s := t.state(p)
	if s.of == p {
		return s
	}
	if !sameParent(s.of, p) {
		s.Health, s.HealthSince = rules.EndClean, time.Time{}
	}
	s.of, s.broken = p, time.Time{}
	return s
}

// sameParent reports whether a check of both parents does the same.
func sameParent(a, b *rules.Parent) bool {
	certificate := func(p *rules.Parent) (chain [][]byte) {
		if p.Certificate != nil {
			chain = p.Certificate.Certificate
		}
		return chain
	}
	return a.URL() == b.URL() && a.Health == b.Health && a.Login == b.Login && a.Roots.Equal(b.Roots) &&
		slices.EqualFunc(certificate(a), certificate(b), bytes.Equal)
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
		if s := t.current(p); s.Health != rules.EndClean || !s.broken.IsZero() && time.Since(s.broken) < failedFor {
			late = append(late, p)
		} else {
			out = append(out, p)
		}
	}
	return append(out, late...)
}

// note records how a try ended. Errors that are not about the parent are not recorded.
func (t *parentTable) note(p *rules.Parent, err error) {
	cause, failed, known := parentCause(err)
	if !known {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state(p)
	if s.Last != cause || s.Since.IsZero() {
		s.Last, s.Since = cause, time.Now()
	}
	var broken time.Time
	switch {
	case failed == nil:
		s.Connected++
	default:
		s.Failed[cause]++
		if failed.broken || cause == rules.ParentTimedOut && failed.status == 0 {
			broken = time.Now()
		}
	}
	if s.of == p { // else it is a flow of an earlier configuration
		s.broken = broken
	}
}

// noteCheck records how a check ended, and reports whether the check before ended differently.
func (t *parentTable) noteCheck(p *rules.Parent, err error) (changed bool) {
	cause, _, known := parentCause(err)
	if !known {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.current(p)
	changed = s.Health != cause
	if changed || s.HealthSince.IsZero() {
		s.Health, s.HealthSince = cause, time.Now()
	}
	return changed
}

// parentCause returns the cause of an error of a parent; EndClean without an error. known is false
// for other errors.
func parentCause(err error) (cause rules.Cause, failed *parentError, known bool) {
	switch {
	case err == nil:
		return rules.EndClean, nil, true
	case errors.As(err, &failed):
		return failed.cause, failed, true
	}
	return rules.EndClean, nil, false
}

// Parents returns what is known about each parent that was used or checked, by name.
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
