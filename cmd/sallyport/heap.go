// Heap: how much garbage may gather before it is collected.

package main

import (
	"math"
	"runtime/debug"
)

// heapFloor is what the collector takes for live memory on top of what is. It
// waits until the heap has doubled, and a gateway's few MiB double again and
// again within a second: a quarter of the CPU of plain HTTP. With the floor it
// waits for 16 MiB more; a large heap is collected as ever.
const heapFloor = 16 << 20

// raiseHeap returns the floor, which works while it is held. Nothing ever
// touches its pages, so that the system gives it no memory, and a memory limit
// is raised by as much. Who sets GOGC decides alone; nil then.
func raiseHeap(lookup func(string) (string, bool)) []byte {
	if _, set := lookup("GOGC"); set {
		return nil
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64-heapFloor {
		debug.SetMemoryLimit(limit + heapFloor)
	}
	return make([]byte, heapFloor)
}
