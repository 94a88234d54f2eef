// Turns: a connection that is more than its client may have waits for its turn.

package dnsfilter

import (
	"slices"
	"sync"
	"time"

	"sallyport/rules"
)

// turns is counts for which a taker may wait, in the order of their coming.
// Connections come in bursts: what a listening socket held while the process was
// restarted is accepted at once, and each has one query, which is soon answered.
type connQueue struct {
	*counts

	queueMu                  sync.Mutex // guards what follows, and is locked before counts.mu
	maxWaiting, maxPerClient int        // takers that wait, altogether and for one client
	waiting                  []*queuedConn
}

// turn is a place in the line.
type queuedConn struct {
	client   rules.Party
	admitted chan struct{} // closed once the count is taken
}

func newConnQueue() *connQueue { return &connQueue{counts: newCounts()} }

// setLine changes how many may wait; who waits already stays.
func (t *connQueue) setQueue(maxWaiting, maxPerClient int) {
	t.queueMu.Lock()
	defer t.queueMu.Unlock()
	t.maxWaiting, t.maxPerClient = maxWaiting, maxPerClient
}

// enter takes one for the client, or else a place in the line, which the caller
// must wait for. It returns false where there is neither.
func (t *connQueue) enter(client rules.Party) (*queuedConn, bool) {
	t.queueMu.Lock()
	defer t.queueMu.Unlock()
	if t.counts.acquire(client) {
		return nil, true
	}
	each := 0
	for _, w := range t.waiting {
		if w.client == client {
			each++
		}
	}
	if len(t.waiting) >= t.maxWaiting || each >= t.maxPerClient {
		return nil, false
	}
	w := &queuedConn{client: client, admitted: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	return w, true
}

// await tells whether the turn comes in time. If it does not, nothing is taken.
func (t *connQueue) await(w *queuedConn, timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-w.admitted:
		return true
	case <-timer.C:
	}
	t.queueMu.Lock()
	defer t.queueMu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return false
	}
	return true // it came just now
}

// give undoes a take, in favour of the first in the line that there is room for.
func (t *connQueue) release(client rules.Party) {
	t.queueMu.Lock()
	defer t.queueMu.Unlock()
	t.counts.release(client)
	for i, w := range t.waiting {
		if t.counts.acquire(w.client) {
			t.waiting = slices.Delete(t.waiting, i, i+1)
			close(w.admitted)
			return
		}
	}
}
