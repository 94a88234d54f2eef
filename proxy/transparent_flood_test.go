// Ten thousand ClientHellos that are never completed: what each costs, and that all of them
// end.

package proxy

import (
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// maxSniffing is what a connection may cost while its first bytes are awaited.
const maxSniffing = 64 << 10

func TestHalfSentHellos(t *testing.T) {
	hello := helloFor(t, "a.example")
	msg := hello[recordHeader:]
	many := 10_000
	if testing.Short() {
		many = 500
	}
	// The other cases are fewer: the kernel's buffers of both ends take hundreds of MiB.
	for _, c := range []struct {
		name string
		sent []byte
		n    int
	}{
		{"all but the last byte", hello[:len(hello)-1], many},
		{"a byte a record, all but the last", proxytest.Records(msg[:len(msg)-1], 1), 150},
		{"the longest in the smallest records", proxytest.Records(proxytest.Message(proxytest.SNI(0, "a.example"), proxytest.NewExt(21, make([]byte, 10600))), 1)[:48000], 150},
	} {
		t.Run(c.name, func(t *testing.T) { halfSent(t, c.sent, c.n) })
	}
}

// Half-sent ClientHellos end at their deadline, by themselves.
func TestHalfSentHellosEnd(t *testing.T) {
	t.Parallel()
	hello := helloFor(t, "a.example")
	const n = 300
	b, _ := flood(t, hello[:len(hello)-1], n, time.Second)
	b.wantSniffTimeouts(n, func() {})
}

// flood opens n connections that all send the same and then nothing.
func flood(t *testing.T, sent []byte, n int, patience time.Duration) (*redirectWorld, []*net.TCPConn) {
	b := newRedirectWorld(t, func(c *Config) {
		c.Limits = Limits{Connections: n, PerClient: n, Sniffing: sniffingParts * n, Sniff: patience}
	})
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conns[i] = b.to("8.8.8.8:443")
		if _, err := conns[i].Write(sent); err != nil {
			t.Fatal(err)
		}
	}
	return b, conns
}

// halfSent measures what each connection of a flood costs. Then it brings their deadlines
// forward.
func halfSent(t *testing.T, sent []byte, n int) {
	n = min(n, (fileLimit(t)-200)/2) // both ends are here
	before := footprint()
	b, conns := flood(t, sent, n, time.Minute)
	b.eventually("every byte taken", func() bool {
		for _, conn := range conns {
			if queued(t, conn) > 0 {
				return false
			}
		}
		return b.p.Stats().Sniffing == int64(n)
	})
	each := (footprint() - before) / n
	t.Logf("%d connections, %d bytes each", n, each)
	limit := maxSniffing
	if raceDetector() {
		limit += maxSniffing / 4 // the detector's own memory for each goroutine
	}
	if each > limit {
		t.Errorf("a connection costs %d bytes", each)
	}
	b.wantSniffTimeouts(n, func() {
		for _, c := range b.p.clients.all() {
			c.TCP.SetReadDeadline(time.Unix(1, 0))
		}
	})
}

// wantSniffTimeouts calls hurry until no connection is left, and checks that each of n was
// denied with sniff_timeout.
func (b *redirectWorld) wantSniffTimeouts(n int, hurry func()) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); b.p.Stats().Connections > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%d connections outlive the deadline", b.p.Stats().Connections)
		}
		hurry()
	}
	ds := b.journal.decisions()
	if len(ds) != n {
		b.t.Errorf("%d decisions of %d", len(ds), n)
	}
	for _, r := range ds {
		if r.d.Allowed() || r.d.Why() != rules.SniffTimeout {
			b.t.Fatalf("decision %v %v", r.d.Verdict, r.d.Why())
		}
	}
	b.wantNoTrace()
}

// footprint returns the size of heap and stacks. The test's own ends of the connections are
// included.
func footprint() int {
	runtime.GC()
	runtime.GC() // the first call only marks what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// fileLimit returns how many files this process may open.
func fileLimit(t *testing.T) int {
	t.Helper()
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if l.Cur < 21_000 { // root may have more
		more := unix.Rlimit{Cur: 21_000, Max: max(l.Max, 21_000)}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &more) == nil {
			l = more
		}
	}
	return int(min(l.Cur, 1<<20))
}

// raceDetector reports whether the tests were built with -race.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
