// Give back: the memory that a busy time took goes back to the system when it
// is over. The collector runs when enough was allocated, which in a quiet
// gateway is never again, and what it frees it keeps for the next time.

package main

import (
	"context"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	quietEvery = 5 * time.Second // between two looks
	quietBytes = 1 << 20         // allocated between two looks, less is quiet: some hundred connections
	worthBytes = 8 << 20         // allocated since memory was given back, less is not worth it
	quietTurns = 2               // looks at which memory is given back: stacks and pools outlive a first time
)

// A quietWatch finds the end of a busy time by what the process allocates.
type quietWatch struct {
	last, given uint64 // bytes allocated in all, at the last look and when memory was given back
	turns       int    // looks at which it is still to be given back
}

// over tells, of the bytes that were allocated in all, whether memory is to be
// given back now: a busy time is over, and what it took was not given back yet.
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

// giveBackMemory gives memory back after each busy time until ctx ends.
func giveBackMemory(ctx context.Context) {
	var q quietWatch
	t := time.NewTicker(quietEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if q.over(allocated()) {
				giveBack()
			}
		}
	}
}

// allocated is how many bytes of heap were allocated since the start.
func allocated() uint64 {
	s := [1]runtimemetrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	runtimemetrics.Read(s[:])
	return s[0].Value.Uint64()
}

// giveBack collects twice, as what pools hold outlives a first collection.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}
