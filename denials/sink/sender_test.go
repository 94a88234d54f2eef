// Tests of a sender: what arrives at a receiver that fails, restarts and loses, compared with the
// journal.

package sink

import (
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// In order: each new record arrives once, and a sender that was stopped goes on without a duplicate.
func TestSenderGoesOn(t *testing.T) {
	w := newWorld(t)
	w.revive()
	w.write(1000)
	s, stop := w.start(w.config())
	eventually(t, "a thousand records", w.whole)
	w.write(5)
	eventually(t, "five more", w.whole)
	eventually(t, "they count as delivered", func() bool { return s.State().Delivered == 1005 })
	w.write(3)
	eventually(t, "three more", w.whole)
	stop() // the receiver closes after us, so that these three are delivered too
	w.write(4)
	w.start(w.config())
	eventually(t, "the rest", w.whole)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.IsSorted(w.got) || len(w.got) != 1012 {
		t.Errorf("%d messages arrived, want 1012 in order", len(w.got))
	}
}

// A receiver that dies under load with messages in its socket: after it is back, each record has
// arrived.
func TestReceiverDies(t *testing.T) {
	w := newWorld(t)
	w.revive()
	s, _ := w.start(w.config())
	for range 10 {
		w.write(500)
		eventually(t, "something arrives", func() bool { return len(w.arrived()) > int(w.seq)-500 })
		w.kill()
		w.write(100)
		w.revive()
	}
	eventually(t, "each record", w.whole)
	eventually(t, "no problem", func() bool { st := s.State(); return st.Problem == "" && st.Lag(time.Now()) == 0 })
	if st := s.State(); st.Failures == 0 || st.Gaps != 0 {
		t.Errorf("the state is %+v, want failures and no gap", st)
	}
}

// What a receiver had taken over the network, but not read, is sent again: it accepts, reads nothing,
// and dies.
func TestUnreadMessagesAreSentAgain(t *testing.T) {
	w := newWorld(t)
	w.deaf = true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.l = l
	w.write(50)
	s, _ := w.start(w.config())
	eventually(t, "everything is sent", func() bool { return s.State().Sent == 50 })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	_ = l.Close()
	w.deaf = false
	w.revive()
	eventually(t, "each record", w.whole)
}

// A process that is killed keeps no more than its cursor file: the next one sends everything that
// was not delivered.
func TestKilledSender(t *testing.T) {
	w := newWorld(t)
	w.revive()
	w.write(100)
	cfg := w.config()
	cfg.hold = time.Hour // nothing counts as delivered
	s := New(cfg)
	for s.State().Sent < 100 {
		s.step(t.Context())
	}
	s.out.close() // and the process is gone: no finish, no save
	w.write(10)
	w.start(w.config())
	eventually(t, "each record", w.whole)
}

// Without a receiver the sender waits longer and longer, remembers one batch only, and tells its lag
// and its problem.
func TestDeadReceiver(t *testing.T) {
	w := newWorld(t)
	w.write(20000)
	s := New(w.config())
	var waits []time.Duration
	for range 40 {
		waits = append(waits, s.step(t.Context()))
	}
	for i, wait := range waits {
		limit := min(10*time.Millisecond<<min(i, 16), time.Minute)
		if wait < limit/2 || wait > limit+1 {
			t.Errorf("wait %d is %v, want between %v and %v", i, wait, limit/2, limit)
		}
	}
	st := s.State()
	if len(s.marks) != 0 || st.Problem != "connection refused" || st.Failures != 40 || st.Lag(time.Now().Add(time.Minute)) < time.Minute {
		t.Errorf("the state is %+v with %d marks", st, len(s.marks))
	}
}

// Records whose file is removed before they were sent are counted once, also across a restart.
func TestLostRecords(t *testing.T) {
	w := newWorld(t)
	w.revive()
	w.write(10)
	s, stop := w.start(w.config())
	eventually(t, "ten records", func() bool { return s.State().Delivered == 10 })
	stop()
	w.write(5)
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.write(2)
	s, stop = w.start(w.config())
	eventually(t, "the rest", func() bool { return w.arrived()[17] > 0 })
	w.kill() // it goes back before the gap
	eventually(t, "a failure", func() bool { return s.State().Failures > 0 })
	w.revive()
	eventually(t, "it is delivered", func() bool { return s.State().Problem == "" && s.State().Delivered >= 2 })
	stop()
	again := New(w.config())
	for what, st := range map[string]State{"the sender": s.State(), "after a restart": again.State()} {
		if st.Gaps != 1 || st.Lost != 5 {
			t.Errorf("%s has %d gaps with %d records, want 1 with 5", what, st.Gaps, st.Lost)
		}
	}
}

// A damaged cursor file is no reason to lose records.
func TestDamagedCursor(t *testing.T) {
	w := newWorld(t)
	w.revive()
	w.write(3)
	cfg := w.config()
	if err := os.WriteFile(cfg.Cursor, []byte(`{"schema":1,"fi`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(cfg)
	eventually(t, "each record", w.whole)
}

// Two files, each in its order.
func TestAll(t *testing.T) {
	w := newWorld(t)
	w.revive()
	cfg := w.config()
	flows := &world{t: t, path: w.path + ".flows", seq: 1000}
	cfg.Files = append(cfg.Files, flows.path)
	w.write(300)
	flows.write(300)
	w.start(cfg)
	eventually(t, "both files", func() bool { return len(w.arrived()) == 600 })
	w.mu.Lock()
	defer w.mu.Unlock()
	var a, b []uint64
	for _, s := range w.got {
		if s > 1000 {
			b = append(b, s)
		} else {
			a = append(a, s)
		}
	}
	if !slices.IsSorted(a) || !slices.IsSorted(b) {
		t.Error(fmt.Sprint("out of order: ", a, b))
	}
}
