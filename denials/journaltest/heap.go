// Heap: samples the memory that a test takes from the system.

package journaltest

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// WatchHeap begins to sample the memory of heap and stacks. The function that it
// returns stops the sampling and returns the largest sample, in bytes.
func WatchHeap(tb testing.TB) func() uint64 {
	runtime.GC()
	var most atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go sampleHeap(&most, stop, stopped)
	return func() uint64 {
		close(stop)
		<-stopped
		return most.Load()
	}
}

func sampleHeap(most *atomic.Uint64, stop, stopped chan struct{}) {
	defer close(stopped)
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapInuse+m.StackInuse > most.Load() {
			most.Store(m.HeapInuse + m.StackInuse)
		}
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
