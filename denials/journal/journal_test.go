// Tests of folding and of the queue: counts are exact, clients are apart, callers never wait.

package journal

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/rules"
)

// A denial can be read within 50 ms, without a call of Sync.
func TestDenialIsReadableAtOnce(t *testing.T) {
	j := open(t, func(c *Config) { c.tick = time.Hour })
	r := NewRecorder(gateFunc(small), j, nil)
	var took []time.Duration
	for i := range 20 {
		begin := time.Now()
		r.Decide(connect(t, "10.0.0.7", "evil.example"))
		eventually(t, "the line is there", func() bool { return j.denials.lines.Load() == uint64(i+1) })
		took = append(took, time.Since(begin))
	}
	slices.Sort(took) // the slowest may have waited for a busy machine
	if len(records(t, j.cfg.Path)) != 20 || took[10] > 50*time.Millisecond {
		t.Errorf("%v", took)
	}
}

// Sequence numbers grow with each line. Folded records are written at the end of
// their second.
func TestBudgetIsPerSecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(Config{Path: filepath.Join(dir, "denials.jsonl")})
		if err != nil {
			t.Fatal(err)
		}
		r := NewRecorder(gateFunc(small), j, nil)
		a := connect(t, "10.0.0.7", "evil.example")
		for second := range 3 {
			for range 150 {
				r.Decide(a)
			}
			synctest.Wait()
			rs := records(t, j.cfg.Path)
			if total, _ := denied(rs); total != uint64(second*150+100) {
				t.Errorf("second %d: %d denials are in the file before the second is over", second, total)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			rs = records(t, j.cfg.Path)
			if last := rs[len(rs)-1]; len(rs) != (second+1)*101 || last.Count != 50 || last.Host != "evil.example" || last.Flow != 0 {
				t.Errorf("second %d: %d lines, the last %+v", second, len(rs), last)
			}
			for i := range rs {
				if rs[i].Seq != uint64(i+1) {
					t.Fatalf("line %d has seq %d", i+1, rs[i].Seq)
				}
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A full queue loses no count. The test holds up the writer from the start.
func TestFullQueueLosesNoCount(t *testing.T) {
	disk := &disk{}
	hold := make(chan struct{})
	disk.hold.Store(&hold)
	j := open(t, func(c *Config) { c.open, c.queue, c.tick, c.Flows = disk.open, 8, time.Hour, c.Path })
	r := NewRecorder(gateFunc(small), j, nil)
	begin := time.Now()
	for i := range 300 {
		r.Decide(connect(t, fmt.Sprintf("10.0.0.%d", i%10), fmt.Sprintf("n%d.example", i%3)))
		a := connect(t, "10.0.0.200", "update.example")
		r.Closed(rules.Close{Attempt: a, Decision: r.Decide(a), BytesIn: 1, BytesOut: 2})
	}
	if d := time.Since(begin); d > time.Second {
		t.Errorf("callers waited %v for the disk", d)
	}
	disk.hold.Store(nil)
	close(hold)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rs := disk.records(t)
	if total, _ := denied(rs); total != 300 {
		t.Errorf("%d denials of 300", total)
	}
	var allowed, closed, in, out uint64
	for _, rec := range rs {
		switch {
		case rec.Event == EventClose:
			closed += rec.Times()
			in += rec.BytesIn
			out += rec.BytesOut
		case rec.Verdict == VerdictAllow:
			allowed += rec.Times()
		}
	}
	if allowed != 300 || closed != 300 || in != 300 || out != 600 {
		t.Errorf("%d allowed, %d closed, %d bytes in, %d out", allowed, closed, in, out)
	}
}

// A quiet client is forgotten.
func TestQuietClientsAreForgotten(t *testing.T) {
	var s shard
	addr := rules.QuotaKey{Source: netip.MustParseAddr("10.0.0.7")}
	s.client(addr, false).spend(denial(t, "evil.example", 1), 5)
	if s.drain(nil, 5+idleSeconds); s.clients[addr] == nil {
		t.Error("forgotten too early")
	}
	if s.drain(nil, 6+idleSeconds); s.clients[addr] != nil || s.unproven != 0 {
		t.Error("remembered for ever")
	}
}

// If the wall clock jumps, the monotonic clock still decides the seconds, and
// sequence numbers still grow.
func TestClockJump(t *testing.T) {
	jump := time.Duration(0)
	j := open(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Round(0).Add(jump) }; c.tick = time.Hour })
	r := NewRecorder(gateFunc(small), j, nil)
	for _, jump = range []time.Duration{0, time.Hour, -time.Hour, 0} {
		for range 150 {
			r.Decide(connect(t, "10.0.0.7", "evil.example"))
		}
		mustSync(t, j)
	}
	b, err := os.ReadFile(j.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	s := readerOf(t, b)
	var total, last uint64
	for s.next() {
		total += s.rec.Times()
		if s.rec.Seq <= last {
			t.Fatalf("seq %d after %d", s.rec.Seq, last)
		}
		last = s.rec.Seq
	}
	if total != 600 {
		t.Errorf("%d denials of 600", total)
	}
}

func TestEventsAreRecorded(t *testing.T) {
	j := open(t, nil)
	j.Event(EventStart, "0.1.0")
	j.Event(EventReload, "policy 2 in force")
	j.Event(EventStop, "signal")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rs := records(t, j.cfg.Path)
	if len(rs) != 3 || rs[0].Event != EventStart || rs[1].Detail != "policy 2 in force" || rs[2].Event != EventStop || rs[0].Verdict != "" || rs[0].Client != "" {
		t.Errorf("%+v", rs)
	}
	j.Event(EventStart, "too late")
	if j.Stats().Lost != 1 || j.Close() != nil || j.Reopen() == nil {
		t.Error("a closed journal accepts events")
	}
}
