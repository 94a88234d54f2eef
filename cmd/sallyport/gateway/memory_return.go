// Memory return: gives memory back to the system after a busy time. The garbage
// collector runs only after new allocations, which a quiet gateway does not make,
// and it keeps the memory that it frees.

package gateway

import (
	"context"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	quietEvery = 5 * time.Second // between two checks
	quietBytes = 1 << 20         // a time between two checks is quiet if less than this is allocated; some hundred connections allocate more
	worthBytes = 8 << 20         // less than this allocated since the last return is not worth a collection
	quietTurns = 2               // checks in a row that return memory: stacks and pools survive the first collection
)

// A quietWatch finds the end of a busy time by the bytes that the process
// allocates.
type quietWatch struct {
	last, given uint64 // total bytes allocated: at the last check, and at the last return
	turns       int    // checks that still have to return memory
}

// over reports whether to return memory now: a busy time is over, and its memory
// was not returned yet. allocated is the total number of bytes allocated.
func (q *quietWatch) over(allocated uint64) bool {
	quiet := allocated-q.last < quietBytes
	q.last = allocated
	if allocated-q.given >= worthBytes {
		q.turns = quietTurns
	}
	if !quiet || q.turns == 0 {
		return false
	}
	q.given = allocated
	q.turns--
	return true
}

// returnMemory returns memory after each busy time, until ctx ends.
func returnMemory(ctx context.Context) {
	var q quietWatch
	t := time.NewTicker(quietEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if q.over(allocated()) {
				collectTwice()
			}
		}
	}
}

// allocated returns how many bytes of heap were allocated since the start.
func allocated() uint64 {
	s := [1]runtimemetrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	runtimemetrics.Read(s[:])
	return s[0].Value.Uint64()
}

// collectTwice collects garbage twice, because the contents of pools survive the
// first collection, and returns the memory.
func collectTwice() {
	runtime.GC()
	debug.FreeOSMemory()
}
