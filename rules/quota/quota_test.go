// Tests of the table: the limit, the quota, and that every entry is counted exactly
// once.

package quota

import (
	"sync"
	"testing"
)

func TestQuotaAndLimit(t *testing.T) {
	q := New[string](3, 2)
	for i, c := range []struct {
		client string
		want   Result
	}{
		{"a", Acquired}, {"a", Acquired}, {"a", OverQuota}, {"b", Acquired}, {"b", OverLimit}, {"a", OverQuota}, {"c", OverLimit},
	} {
		if got := q.Acquire(c.client); got != c.want {
			t.Errorf("call %d, %s: %d, want %d", i, c.client, got, c.want)
		}
	}
	if q.Held() != 3 || q.HeldBy("a") != 2 || q.Clients() != 2 {
		t.Errorf("%d held, %d by a, %d clients", q.Held(), q.HeldBy("a"), q.Clients())
	}
	q.Release("a")
	if got := q.Acquire("c"); got != Acquired {
		t.Errorf("after a release: %d", got)
	}
	for _, client := range []string{"a", "b", "c"} {
		q.Release(client)
	}
	if q.Held() != 0 || q.Clients() != 0 {
		t.Errorf("%d held, %d clients remembered", q.Held(), q.Clients())
	}
}

// After a lower limit is set, clients keep the entries that they hold.
func TestSet(t *testing.T) {
	var q Table[int]
	if got := q.Acquire(1); got != OverQuota {
		t.Errorf("the zero value: %d", got)
	}
	q.Set(Unlimited, Unlimited)
	for range 10 {
		q.Acquire(1)
	}
	q.Set(5, 20)
	if got := q.Acquire(1); got != OverLimit || q.Held() != 10 {
		t.Errorf("after Set: %d, %d held", got, q.Held())
	}
}

func TestAtOnce(t *testing.T) {
	q := New[int](50, 10)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 1000 {
				if q.Acquire(i%4) == Acquired {
					q.Release(i % 4)
				}
			}
		})
	}
	wg.Wait()
	if q.Held() != 0 || q.Clients() != 0 {
		t.Errorf("%d held, %d clients remembered", q.Held(), q.Clients())
	}
}

// Counting allocates nothing for a client that already holds an entry.
func TestAllocations(t *testing.T) {
	q := New[int](Unlimited, Unlimited)
	q.Acquire(1)
	if n := testing.AllocsPerRun(100, func() { q.Acquire(1); q.Release(1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
