// Heap: how much garbage may accumulate before a collection.

package gateway

import (
	"math"
	"runtime/debug"
)

// heapFloor is the size of a block that makes the heap look larger to the garbage
// collector. The collector runs each time the heap has doubled, and the few MiB of
// a gateway double several times a second, which costs a quarter of the CPU time
// of plain HTTP. With the block it waits for 16 MiB more. For a large heap little
// changes.
const heapFloor = 16 << 20

// RaiseHeap returns a block of heapFloor bytes that the caller must keep alive.
// No code touches its pages, so it takes no memory, and RaiseHeap raises a memory
// limit by its size. If GOGC is set, RaiseHeap does nothing and returns nil.
func RaiseHeap(lookup func(string) (string, bool)) []byte {
	if _, set := lookup("GOGC"); set {
		return nil
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64-heapFloor {
		debug.SetMemoryLimit(limit + heapFloor)
	}
	return make([]byte, heapFloor)
}
