// What a large list costs: octets for each name, allocations, time.

package rules

import (
	"runtime"
	"testing"
)

// A list holds a name in at most 40 octets, its text included. A look-up allocates nothing.
func TestListIsSmall(t *testing.T) {
	const n = 200_000
	names := listedNames(n)
	before := heldBytes()
	l := func() *List {
		var b ListBuilder
		b.File("allow.txt")
		for i, s := range names {
			b.Add(Destination{Name: mustName(s)}, i+1)
		}
		l, _ := b.Done()
		return l
	}()
	held := float64(heldBytes()-before) / n
	t.Logf("%.1f octets a name, %.1f of them text", held, float64(len(l.names.text))/n)
	if held > 40 {
		t.Errorf("a name takes %.1f octets, want at most 40", held)
	}
	runtime.KeepAlive(names)
	for _, s := range []string{"x.example.com", "cloud1.com", labels127} {
		name := mustName(s)
		if got := testing.AllocsPerRun(100, func() { l.match(name); l.Has(name) }); got != 0 {
			t.Errorf("%s: %v allocations", s, got)
		}
	}
	runtime.KeepAlive(l)
}

// With room for all entries, adding them copies nothing a second time.
func TestGrowMakesRoomForAllEntries(t *testing.T) {
	names := listedNames(2000)
	octets := 0
	for _, s := range names {
		octets += len(s)
	}
	var b ListBuilder
	b.File("allow.txt")
	b.Grow(2*len(names), 2*octets)
	line := 0
	add := func() { // twice: AllocsPerRun calls it once before it counts
		for _, s := range names {
			line++
			b.Add(Destination{Name: mustName(s)}, line)
		}
	}
	parsed := testing.AllocsPerRun(1, func() {
		for _, s := range names {
			mustName(s)
		}
	})
	if got := testing.AllocsPerRun(1, add); got > parsed {
		t.Errorf("%v allocations for %d entries", got-parsed, len(names))
	}
}

// heldBytes returns the live heap.
func heldBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
