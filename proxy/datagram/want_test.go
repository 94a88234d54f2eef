// Want: what tests wait for in a world.

package datagram

import (
	"net/netip"
	"slices"
	"time"

	"sallyport/rules"
)

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		w.mu.Lock()
		ok := is()
		w.mu.Unlock()
		if ok {
			return
		}
	}
	w.t.Fatalf("%s: not within 5 s; records %v, ends %v", what, w.records, w.closes)
}

// wantRecord waits for the one final decision with this verdict and reason.
func (w *world) wantRecord(v rules.Verdict, why rules.Reason) record {
	w.t.Helper()
	w.eventually("a decision", func() bool { return len(w.records) > 0 })
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.records[0]
	if len(w.records) != 1 || r.d.Verdict != v || r.d.Reason != why {
		w.t.Fatalf("%d decisions, the first %v %v; want one, %v %v", len(w.records), r.d.Verdict, r.d.Reason, v, why)
	}
	return r
}

// wantClose waits for the one end of a flow with this cause.
func (w *world) wantClose(cause rules.Cause) rules.Close {
	w.t.Helper()
	w.eventually("an end", func() bool { return len(w.closes) > 0 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.closes[0]; len(w.closes) != 1 || c.Cause != cause {
		w.t.Fatalf("%d ends, the first %v; want one, %v", len(w.closes), c.Cause, cause)
	}
	return w.closes[0]
}

func (w *world) dialed() []netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dials)
}
