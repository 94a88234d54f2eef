// Ten thousand hellos that are never finished: what each costs, and that all
// of them end.

package proxy

import (
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// maxSniffing is what a connection may cost whose first bytes are awaited.
const maxSniffing = 64 << 10

func TestHalfSentHellos(t *testing.T) {
	hello := helloFor(t, "a.example")
	msg := hello[recordHeader:]
	many, patience := 10_000, 20*time.Second
	if testing.Short() {
		many, patience = 500, 8*time.Second
	}
	// Of the others fewer: the kernel's buffers of both ends are hundreds of MiB.
	for _, c := range []struct {
		name     string
		sent     []byte
		n        int
		patience time.Duration
	}{
		{"all but the last byte", hello[:len(hello)-1], many, patience},
		{"a byte a record, all but the last", records(msg[:len(msg)-1], 1), 150, 6 * time.Second},
		{"the longest in the smallest records", records(message(sniExt(0, "a.example"), ext{21, make([]byte, 10600)}), 1)[:48000], 150, 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) { halfSent(t, c.sent, c.n, c.patience) })
	}
}

// halfSent floods a proxy with connections that all send the same and then
// nothing.
func halfSent(t *testing.T, sent []byte, n int, patience time.Duration) {
	n = min(n, (fileLimit(t)-200)/2) // both ends are here
	b := newBehind(t, func(c *Config) {
		c.Limits = Limits{Connections: n, PerClient: n, Sniffing: sniffShare * n, Sniff: patience}
	})
	before := footprint()
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conns[i] = b.to("8.8.8.8:443")
		if _, err := conns[i].Write(sent); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
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
	if each > maxSniffing {
		t.Errorf("a connection costs %d bytes", each)
	}
	for end := begun.Add(patience + 10*time.Second); b.p.Stats().Connections > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections outlive the deadline", b.p.Stats().Connections)
		}
	}
	ds := b.journal.decisions()
	if len(ds) != n {
		t.Errorf("%d decisions of %d", len(ds), n)
	}
	for _, r := range ds {
		if r.d.Allowed() || r.d.Why() != rules.SniffTimeout {
			t.Fatalf("decision %v %v", r.d.Verdict, r.d.Why())
		}
	}
	b.wantNoTrace()
}

// footprint is what the process has on heap and stacks. The test's own ends
// of the connections are in it.
func footprint() int {
	runtime.GC()
	runtime.GC() // the first one only marks what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// fileLimit is how many this process may open.
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
