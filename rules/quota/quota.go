// Package quota bounds what clients hold at once: all clients together by a
// limit, and each client by a quota of that limit.
//
// The package does not bound rates, like queries in a second: a client spends them and
// never releases them.
package quota

import "sync"

// A Table counts what each client holds. K identifies a client. The zero value
// admits nothing until Set is called.
type Table[K comparable] struct {
	mu           sync.Mutex
	limit, quota int
	all          int
	each         map[K]int
}

// Unlimited is a limit or quota that is never reached.
const Unlimited = int(^uint(0) >> 1)

// A Result is the answer of Acquire.
type Result uint8

// The results.
const (
	Acquired  Result = iota
	OverQuota        // the client holds its quota
	OverLimit        // all clients together hold the limit
)

// New returns a table with a limit for all clients together and a quota for
// each of them.
func New[K comparable](limit, quota int) *Table[K] {
	t := new(Table[K])
	t.Set(limit, quota)
	return t
}

// Set changes the limit and the quota. It takes nothing away from clients that hold
// more.
func (t *Table[K]) Set(limit, quota int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit, t.quota = limit, quota
}

// Acquire adds one to the count of a client, if neither the quota nor the limit is
// reached. The caller must call Release for each Acquired.
func (t *Table[K]) Acquire(client K) Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.each[client] >= t.quota:
		return OverQuota
	case t.all >= t.limit:
		return OverLimit
	}
	if t.each == nil {
		t.each = make(map[K]int)
	}
	t.all++
	t.each[client]++
	return Acquired
}

// Release undoes one Acquire. It removes a client that holds nothing any more.
func (t *Table[K]) Release(client K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.each[client]--; t.each[client] <= 0 {
		delete(t.each, client)
	}
}

// Held returns the number that all clients hold together.
func (t *Table[K]) Held() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all
}

// HeldBy returns the number that one client holds.
func (t *Table[K]) HeldBy(client K) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.each[client]
}

// Clients returns the number of clients that hold anything.
func (t *Table[K]) Clients() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.each)
}
