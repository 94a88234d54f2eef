// Connection queue: a connection above its client's quota waits until another
// one ends.

package dnsfilter

import (
	"slices"
	"sync"
	"time"

	"sallyport/rules"
	"sallyport/rules/quota"
)

// connQueue counts connections by a quota.Table. A connection above the quota
// may wait in a queue. Connections come in bursts: a process that restarts
// accepts at once all connections that waited in the listening socket. Each of
// them has one query, which is soon answered.
type connQueue struct {
	held *quota.Table[rules.QuotaKey]

	queueMu                  sync.Mutex // guards the fields below; it is locked while held is used
	maxWaiting, maxPerClient int        // limits of waiting connections, in all and for one client
	waiting                  []*queuedConn
}

// queuedConn is one place in the queue.
type queuedConn struct {
	client   rules.QuotaKey
	admitted chan struct{} // closed once the connection is counted
}

func newConnQueue() *connQueue { return &connQueue{held: quota.New[rules.QuotaKey](0, 0)} }

// setQueue changes how many connections may wait. Those that wait already stay.
func (t *connQueue) setQueue(maxWaiting, maxPerClient int) {
	t.queueMu.Lock()
	defer t.queueMu.Unlock()
	t.maxWaiting, t.maxPerClient = maxWaiting, maxPerClient
}

// enter counts one connection of the client. If the client has no room, enter
// puts the connection in the queue, and the caller must await the returned
// place. It returns false if the queue is full too.
func (t *connQueue) enter(client rules.QuotaKey) (*queuedConn, bool) {
	t.queueMu.Lock()
	defer t.queueMu.Unlock()
	if t.held.Acquire(client) == quota.Acquired {
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

// await reports whether the connection w was admitted within the timeout. If
// not, w has left the queue and is not counted.
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
	return true // admitted in the meantime
}

// release ends one counted connection of the client. It admits the first
// waiting connection whose client has room.
func (t *connQueue) release(client rules.QuotaKey) {
	t.queueMu.Lock()
	defer t.queueMu.Unlock()
	t.held.Release(client)
	for i, w := range t.waiting {
		if t.held.Acquire(w.client) == quota.Acquired {
			t.waiting = slices.Delete(t.waiting, i, i+1)
			close(w.admitted)
			return
		}
	}
}
