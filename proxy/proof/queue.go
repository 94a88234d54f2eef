// Queue: which password is checked next. A hash is slow, so attackers could keep all places; a source
// that has failed waits behind the sources that have not.

package proof

import (
	"context"
	"sync"
	"time"
)

// Bounds of a queue.
const (
	maxWaiting = 64              // checks that wait for a processor
	waitAtMost = 5 * time.Second // how long one waits
)

// A queue hands out a few places. Its zero value has none.
type queue struct {
	places int

	mu      sync.Mutex
	taken   int
	waiting []*waiter // in the order of arrival
}

// A waiter waits for a place.
type waiter struct {
	rank int       // a lower one is served first
	turn chan bool // true: it has a place; false: it had to leave for one with a lower rank
}

// enter waits for a place, and reports whether it got one; then leave must follow. If too many wait, a
// lower rank takes the place of the highest one in the queue.
func (q *queue) enter(ctx context.Context, rank int) bool {
	q.mu.Lock()
	if q.taken < q.places {
		q.taken++
		q.mu.Unlock()
		return true
	}
	if len(q.waiting) >= maxWaiting && !q.dropAbove(rank) {
		q.mu.Unlock()
		return false
	}
	w := &waiter{rank: rank, turn: make(chan bool, 1)}
	q.waiting = append(q.waiting, w)
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, waitAtMost)
	defer cancel()
	select {
	case has := <-w.turn:
		return has
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.waiting {
		if other == w {
			q.remove(i)
			return false
		}
	}
	return <-w.turn // its turn came at the same moment
}

// leave gives a place back, to the waiter with the lowest rank; of several, to the first.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	best := -1
	for i, w := range q.waiting {
		if best < 0 || w.rank < q.waiting[best].rank {
			best = i
		}
	}
	if best < 0 {
		q.taken--
		return
	}
	q.waiting[best].turn <- true
	q.remove(best)
}

// dropAbove removes the last of the waiters with the highest rank, if that is above rank.
func (q *queue) dropAbove(rank int) bool {
	worst := -1
	for i, w := range q.waiting {
		if w.rank > rank && (worst < 0 || w.rank >= q.waiting[worst].rank) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	q.waiting[worst].turn <- false
	q.remove(worst)
	return true
}

func (q *queue) remove(i int) { q.waiting = append(q.waiting[:i], q.waiting[i+1:]...) }
