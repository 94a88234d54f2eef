// Tests of the queue of password checks.

package proof

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// hold takes all places. release gives them back.
func (q *queue) hold(t *testing.T) (release func()) {
	t.Helper()
	for range q.places {
		if !q.enter(context.Background(), 0) {
			t.Fatal("no place is free")
		}
	}
	return func() {
		for range q.places {
			q.leave()
		}
	}
}

// A source that has failed waits behind the sources that have not, and leaves a full queue for them.
func TestFailedSourcesWaitBehindOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue{places: 1}
		q.hold(t)
		var mu sync.Mutex
		var served []string
		refused := 0
		var all sync.WaitGroup
		ask := func(name string, rank int) {
			all.Go(func() {
				has := q.enter(context.Background(), rank)
				mu.Lock()
				defer mu.Unlock()
				if !has {
					refused++
					return
				}
				served = append(served, name)
				go q.leave()
			})
			synctest.Wait() // it is in the queue
		}
		for i := range maxWaiting {
			ask(fmt.Sprint("guess", i), 2+i%9)
		}
		ask("another guess", 10) // the queue is full of lower ranks, or equal ones
		ask("alice", 1)
		ask("bob", 1)
		q.leave()
		all.Wait()
		synctest.Wait() // the last one has left
		if len(served) != maxWaiting || refused != 3 || !slices.Equal(served[:3], []string{"alice", "bob", "guess0"}) {
			t.Errorf("%d refused, %d served: %q", refused, len(served), served)
		}
		if q.taken != 0 || len(q.waiting) != 0 {
			t.Errorf("%d places are taken, %d wait", q.taken, len(q.waiting))
		}
	})
}

// A check that waits too long leaves the queue, and no place is lost.
func TestWaitForAPlaceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue{places: 2}
		release := q.hold(t)
		began := time.Now()
		if q.enter(context.Background(), 1) || time.Since(began) != waitAtMost {
			t.Errorf("after %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if q.enter(ctx, 1) || len(q.waiting) != 0 {
			t.Errorf("%d wait", len(q.waiting))
		}
		release()
		q.hold(t)()
		if q.taken != 0 {
			t.Errorf("%d places are taken", q.taken)
		}
	})
}

// Guesses from a few sources, at all times, do not keep a user out who is not remembered yet. Only the
// first guess of a source may come before the user.
func TestGuessesLeaveRoomForUsers(t *testing.T) {
	b := bookOf(t, map[string]string{"alice": "open sesame", "bob": "secret"})
	l := New(time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	release := l.queue.hold(t)
	var guesses sync.WaitGroup
	for n := range 20 {
		for k := range failures {
			guesses.Go(func() { l.Prove(ctx, b, netip.AddrFrom4([4]byte{10, 9, 9, byte(n)}), "bob", fmt.Sprint("guess", n, k)) })
		}
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.queue.mu.Lock()
		full := len(l.queue.waiting) == maxWaiting
		l.queue.mu.Unlock()
		if full {
			break
		}
	}
	var users sync.WaitGroup
	results := make(chan Result, 2)
	for user, password := range map[string]string{"alice": "open sesame", "bob": "secret"} {
		users.Go(func() { results <- l.Prove(ctx, b, source, user, password) })
	}
	time.AfterFunc(10*time.Millisecond, release)
	users.Wait()
	for range 2 {
		if r := <-results; r != Proven {
			t.Errorf("a right password: %v", r)
		}
	}
	guesses.Wait()
}
