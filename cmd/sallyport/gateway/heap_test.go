// Tests of the block that delays garbage collection.

package gateway

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strconv"
	"testing"
)

// resident returns the resident memory of this process.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// goal returns the size of the heap at which the next collection begins.
func goal() uint64 {
	runtime.GC()
	s := []runtimemetrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	runtimemetrics.Read(s)
	return s[0].Value.Uint64()
}

func TestHeapFloor(t *testing.T) {
	was := debug.SetMemoryLimit(1 << 30)
	defer debug.SetMemoryLimit(was)
	unset := func(string) (string, bool) { return "", false }
	before := goal()
	floor := RaiseHeap(unset)
	if got := goal(); got < before+heapFloor {
		t.Errorf("collected at %d bytes, before at %d: want %d more at least", got, before, heapFloor)
	}
	if got := debug.SetMemoryLimit(-1); got != 1<<30+heapFloor {
		t.Errorf("memory limit %d: the floor is part of it", got)
	}
	runtime.KeepAlive(floor)

	debug.SetMemoryLimit(math.MaxInt64)
	RaiseHeap(unset)
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("no memory limit became %d", got)
	}
	if RaiseHeap(func(key string) (string, bool) { return "50", key == "GOGC" }) != nil {
		t.Error("GOGC is set, and overruled")
	}
}

// At the start of a process the block takes no memory.
func TestHeapFloorTakesNoMemory(t *testing.T) {
	const inside = "SALLYPORT_TEST_HEAP"
	if os.Getenv(inside) == "" {
		c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), inside+"=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	before := resident(t)
	floor := RaiseHeap(func(string) (string, bool) { return "", false })
	runtime.GC()
	if got := resident(t) - before; got > heapFloor/4 {
		t.Errorf("it takes %d bytes of memory", got)
	}
	runtime.KeepAlive(floor)
}
