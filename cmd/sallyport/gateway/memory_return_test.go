// Tests that memory returns to the system after a busy time.

package gateway

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
)

func TestQuietWatch(t *testing.T) {
	const mib = 1 << 20
	var q quietWatch
	total := uint64(0)
	for i, c := range []struct {
		allocated uint64 // since the last check
		gives     bool
	}{
		{4 * mib, false}, // the start
		{0, false},       // not worth it
		{100 * mib, false},
		{100 * mib, false}, // busy
		{mib / 2, true},
		{mib / 2, true}, // once more
		{mib / 2, false},
		{mib / 2, false},
		{5 * mib, false},
		{3 * mib, false}, // worth it, but not quiet
		{mib / 4, true},
		{5 * mib, false},
		{mib / 4, true},
		{mib / 4, false},
	} {
		total += c.allocated
		if got := q.over(total); got != c.gives {
			t.Errorf("look %d, after %d bytes more: %t", i, c.allocated, got)
		}
	}
	gives := 0
	for range 1000 { // a little, all the time
		total += mib / 10
		if q.over(total) {
			gives++
		}
	}
	if gives > 1000*quietTurns/80 {
		t.Errorf("given back %d times in 1000 looks at a gateway that is never busy", gives)
	}
}

// inChild runs the test again in a process of its own. It returns false in that
// process.
func inChild(t *testing.T, env string) (parent bool) {
	t.Helper()
	if os.Getenv(env) != "" {
		return false
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), env+"=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}

func TestMemoryIsReturned(t *testing.T) {
	if inChild(t, "SALLYPORT_TEST_MEMORY") {
		return
	}
	floor := RaiseHeap(func(string) (string, bool) { return "", false })
	defer runtime.KeepAlive(floor)
	pool := sync.Pool{}
	busy := func() (during int) {
		var held []*[]byte // so that no collection frees them before they are measured
		for range 1000 {
			b := bytes.Repeat([]byte("x"), 64<<10)
			held = append(held, &b)
		}
		during = resident(t)
		for _, b := range held {
			pool.Put(b)
		}
		return during
	}
	busy()
	collectTwice()
	before := resident(t)
	if during := busy(); during < before+before/4 {
		t.Fatalf("%d bytes before, %d during the busy time: it shows nothing", before, during)
	}
	collectTwice()
	if after := resident(t); after > before+before/10 {
		t.Errorf("%d bytes before a busy time, %d after it", before, after)
	}
}
