// Turns: a connection that is more than its client may have waits for its turn.

package dnsfilter

import (
	"slices"
	"sync"
	"time"
)

// turns is counts for which a taker may wait, in the order of their coming.
// Connections come in bursts: what a listening socket held while the process was
// restarted is accepted at once, and each has one query, which is soon answered.
type turns struct {
	*counts

	line           sync.Mutex // guards what follows, and is locked before counts.mu
	most, mostEach int        // takers that wait, altogether and for one client
	waiting        []*turn
}

// turn is a place in the line.
type turn struct {
	by   party
	come chan struct{} // closed once the count is taken
}

func newTurns() *turns { return &turns{counts: newCounts()} }

// setLine changes how many may wait; who waits already stays.
func (t *turns) setLine(most, mostEach int) {
	t.line.Lock()
	defer t.line.Unlock()
	t.most, t.mostEach = most, mostEach
}

// enter takes one for the client, or else a place in the line, which the caller
// must wait for. It returns false where there is neither.
func (t *turns) enter(client party) (*turn, bool) {
	t.line.Lock()
	defer t.line.Unlock()
	if t.counts.take(client) {
		return nil, true
	}
	each := 0
	for _, w := range t.waiting {
		if w.by == client {
			each++
		}
	}
	if len(t.waiting) >= t.most || each >= t.mostEach {
		return nil, false
	}
	w := &turn{by: client, come: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	return w, true
}

// await tells whether the turn comes in time. If it does not, nothing is taken.
func (t *turns) await(w *turn, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-w.come:
		return true
	case <-timer.C:
	}
	t.line.Lock()
	defer t.line.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return false
	}
	return true // it came just now
}

// give undoes a take, in favour of the first in the line that there is room for.
func (t *turns) give(client party) {
	t.line.Lock()
	defer t.line.Unlock()
	t.counts.give(client)
	for i, w := range t.waiting {
		if t.counts.take(w.by) {
			t.waiting = slices.Delete(t.waiting, i, i+1)
			close(w.come)
			return
		}
	}
}
