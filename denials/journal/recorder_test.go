// Tests of the Recorder: what it records, when, and that it fails closed.

package journal

import (
	"bytes"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/rules"
)

type seen struct {
	a rules.Attempt
	d rules.Decision
}

// setup returns a recorder over small that also records permitted flows, its
// journal, and the decisions that its observer got.
func setup(t *testing.T) (*Recorder, *Journal, *[]seen) {
	var got []seen
	j := open(t, func(c *Config) { c.Flows = filepath.Join(filepath.Dir(c.Path), "flows.jsonl") })
	r := NewRecorder(gateFunc(small), j, func(a rules.Attempt, d rules.Decision, _ bool) { got = append(got, seen{a, d}) })
	return r, j, &got
}

func TestDenialIsRecorded(t *testing.T) {
	r, j, got := setup(t)
	a := connect(t, "10.0.0.7", "evil.example")
	a.Provisional = true // a denial is final in any case
	d := r.Decide(a)
	if d.Allowed() || d.Why() != rules.NotListed {
		t.Fatalf("%v %v", d.Verdict, d.Why())
	}
	mustSync(t, j)
	rs := records(t, j.cfg.Path)
	if len(rs) != 1 || len(*got) != 1 {
		t.Fatalf("%d records, %d observed", len(rs), len(*got))
	}
	want := Record{Schema: 2, Time: rs[0].Time, Seq: 1, Boot: j.Boot(), Event: EventDecision, Verdict: VerdictDeny, Mode: "enforce",
		Via: "connect", Client: "10.0.0.7", ClientName: "shop", Host: "evil.example", Port: 443, Proto: "tcp", Reason: "not_listed",
		Hint: rules.Hint(a, d), Flow: 7, Question: Question{ClientPort: 40000, SourceProven: true, Provisional: true}}
	if jsonText(rs[0]) != jsonText(want) {
		t.Errorf("got  %+v\nwant %+v", rs[0], want)
	}
	if since := time.Since(rs[0].Time); since < 0 || since > time.Minute {
		t.Errorf("time %v", rs[0].Time)
	}
}

// The final verdict of a flow is recorded once. A provisional allow is not
// final.
func TestFlowIsRecordedOnce(t *testing.T) {
	r, j, got := setup(t)
	a := connect(t, "10.0.0.7", "update.example")
	a.Provisional = true
	if !r.Decide(a).Allowed() || len(*got) != 0 {
		t.Fatal("a provisional allow was observed")
	}
	a.Provisional = false
	a.Dest = netip.MustParseAddrPort("192.0.2.1:443")
	a.Resolved = []netip.Addr{a.Dest.Addr(), netip.MustParseAddr("192.0.2.2")}
	d := r.Decide(a)
	a.Resolved[0] = netip.Addr{} // the front end uses its memory again
	r.Closed(rules.Close{Attempt: a, Decision: d, Dialed: a.Dest, BytesIn: 10, BytesOut: 2000, Duration: int64(1500 * time.Millisecond), Cause: rules.EndIdle})
	mustSync(t, j)
	if rs := records(t, j.cfg.Path); len(rs) != 0 || len(*got) != 1 {
		t.Errorf("%d denials, %d observed", len(rs), len(*got))
	}
	rs := records(t, j.cfg.Flows)
	if len(rs) != 2 {
		t.Fatalf("%d records of the flow", len(rs))
	}
	open, end := rs[0], rs[1]
	if open.Event != EventDecision || open.Verdict != VerdictAllow || open.Rule != "p/update" || open.Source != "ticket 1" ||
		open.Profile != "p" || open.Reason != "" || strings.Join(open.Resolved, " ") != "192.0.2.1 192.0.2.2" {
		t.Errorf("decision: %+v", open)
	}
	if end.Event != EventClose || end.BytesIn != 10 || end.BytesOut != 2000 || end.DurationMS != 1500 ||
		end.Dialed != "192.0.2.1:443" || end.Detail != "idle" || end.Flow != open.Flow || end.Seq != open.Seq+1 {
		t.Errorf("close: %+v", end)
	}
}

// In mode "audit", would_deny is recorded once, also if the flow ends before its
// final decision.
func TestWouldDenyIsRecordedOnce(t *testing.T) {
	for _, reachedFinal := range []bool{true, false} {
		r, j, got := setup(t)
		a := connect(t, "10.0.0.7", "audited.example")
		a.Provisional = true
		d := r.Decide(a)
		if reachedFinal {
			a.Provisional = false
			d = r.Decide(a)
		}
		r.Closed(rules.Close{Attempt: a, Decision: d, Cause: rules.DialRefused})
		mustSync(t, j)
		rs := records(t, j.cfg.Path)
		if len(rs) != 1 || rs[0].Verdict != VerdictWouldDeny || rs[0].Mode != "audit" || rs[0].ClientName != "lab" || rs[0].Reason != "not_listed" {
			t.Errorf("final decision %v: %+v", reachedFinal, rs)
		}
		if len(*got) != 1 || len(records(t, j.cfg.Flows)) != 1 {
			t.Errorf("final decision %v: %d observed", reachedFinal, len(*got))
		}
	}
}

func TestWhatARecordShows(t *testing.T) {
	r, j, _ := setup(t)
	txt := query(t, "10.0.0.7", "evil.example", 16)
	odd := query(t, "10.0.0.7", "evil.example", 4711)
	odd.Detail = "refused"
	raw := rules.Attempt{Via: rules.ViaHTTP, Client: txt.Client, Fault: rules.MalformedName, Raw: []byte("ev il"), Detail: "a space"}
	literal := rules.Attempt{Via: rules.ViaSOCKS5, Client: txt.Client, Proto: rules.TCP, Dest: netip.MustParseAddrPort("[2001:db8::1]:22")}
	private := connect(t, "10.0.0.7", "update.example")
	private.Fault, private.Dest = rules.PrivateAddress, netip.MustParseAddrPort("10.1.1.1:443")
	for _, a := range []rules.Attempt{txt, odd, raw, literal, private} {
		r.Decide(a)
	}
	mustSync(t, j)
	rs := records(t, j.cfg.Path)
	if len(rs) != 5 {
		t.Fatalf("%d records", len(rs))
	}
	for i, ok := range []bool{
		rs[0].QType == "TXT" && rs[0].Detail == "" && rs[0].FullDetail() == "type TXT" && rs[0].Port == 0 && rs[0].Via == "dns" && rs[0].Proto == "udp",
		rs[1].QType == "TYPE4711" && rs[1].Detail == "refused" && rs[1].FullDetail() == "type TYPE4711; refused",
		rs[2].Host == "" && rs[2].HostRaw == "ev il" && rs[2].Reason == "malformed_name" && rs[2].Detail == "a space",
		rs[3].Host == "2001:db8::1" && rs[3].Port == 22,
		rs[4].Host == "update.example" && rs[4].Reason == "private_address" && rs[4].Dest == "10.1.1.1" && rs[4].Resolved == nil,
	} {
		if !ok {
			t.Errorf("record %d: %+v", i, rs[i])
		}
	}
}

// A panic becomes a denial, and is counted and logged. It does not change the
// next decision.
func TestPanicDenies(t *testing.T) {
	var log bytes.Buffer
	j := open(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	r := NewRecorder(gateFunc(func(a rules.Attempt) rules.Decision {
		if a.Authority.String() == "boom.example" {
			panic("boom")
		}
		return small(a)
	}), j, nil)
	if d := r.Decide(connect(t, "10.0.0.7", "boom.example")); d.Allowed() || d.Why() != rules.NotListed {
		t.Errorf("a panic gave %v, %v", d.Verdict, d.Why())
	}
	if !r.Decide(connect(t, "10.0.0.7", "update.example")).Allowed() {
		t.Error("the next decision failed too")
	}
	mustSync(t, j)
	rs := records(t, j.cfg.Path)
	if len(rs) != 1 || !strings.Contains(rs[0].Detail, "internal error") || r.Panics() != 1 || !strings.Contains(log.String(), "panic=boom") {
		t.Errorf("%+v, %d panics, log %q", rs, r.Panics(), log.String())
	}
}

// After a panic in the hint, the record lacks only its explanation.
func TestPanicInHint(t *testing.T) {
	j := open(t, func(c *Config) { c.hint = func(rules.Attempt, rules.Decision) string { panic("boom") } })
	r := NewRecorder(gateFunc(small), j, nil)
	for range 150 {
		r.Decide(connect(t, "10.0.0.7", "evil.example"))
	}
	mustSync(t, j)
	rs := records(t, j.cfg.Path)
	if total, _ := denied(rs); total != 150 || rs[0].Host != "evil.example" || rs[0].Reason != "not_listed" {
		t.Errorf("%d denials: %+v", total, rs)
	}
}

// If the journal is required and cannot be written, the recorder denies every
// attempt that the policy allows. Nothing else changes.
func TestRequiredJournalFailsClosed(t *testing.T) {
	disk := &disk{}
	for _, required := range []bool{true, false} {
		disk.full.Store(true)
		j := open(t, func(c *Config) { c.Required, c.open, c.tick = required, disk.open, time.Hour })
		r := NewRecorder(gateFunc(small), j, nil)
		r.Decide(connect(t, "10.0.0.7", "evil.example"))
		if j.Sync() == nil {
			t.Fatal("a full disk went unnoticed")
		}
		d := r.Decide(connect(t, "10.0.0.7", "update.example"))
		if d.Allowed() == required || required && d.Why() != rules.JournalUnavailable {
			t.Errorf("required %v: %v, %v", required, d.Verdict, d.Why())
		}
		if d := r.Decide(connect(t, "10.0.0.7", "evil.example")); d.Allowed() || d.Why() != rules.NotListed {
			t.Errorf("required %v: a denial became %v, %v", required, d.Verdict, d.Why())
		}
		disk.full.Store(false)
		if err := j.Reopen(); err != nil {
			t.Fatal(err)
		}
		if !r.Decide(connect(t, "10.0.0.7", "update.example")).Allowed() {
			t.Errorf("required %v: still denied with a mended disk", required)
		}
		if st := j.Stats(); !st.Healthy || st.Pending != 0 || st.Errors == 0 || st.Last == "" {
			t.Errorf("required %v: %+v", required, st)
		}
	}
}

// If a required journal cannot be written, the recorder denies also if the Gate
// ignores the Fault and allows.
func TestRequiredJournalIgnoresAnObstinateGate(t *testing.T) {
	disk := &disk{}
	disk.full.Store(true)
	j := open(t, func(c *Config) { c.Required, c.open, c.tick = true, disk.open, time.Hour })
	r := NewRecorder(gateFunc(func(rules.Attempt) rules.Decision { return rules.Decision{Verdict: rules.Allow} }), j, nil)
	j.Event(EventStart, "")
	_ = j.Sync()
	if d := r.Decide(connect(t, "10.0.0.7", "update.example")); d.Allowed() || d.Why() != rules.JournalUnavailable {
		t.Errorf("%v, %v", d.Verdict, d.Why())
	}
}

// A flood needs no more memory: counting a decision allocates nothing.
func TestFoldingAllocatesNothing(t *testing.T) {
	mine := &rules.Client{Name: "shop"}
	for what, client := range map[string]*rules.Client{"a known client": mine, "an unknown client": nil} {
		j := open(t, func(c *Config) { c.tick = time.Hour })
		r := NewRecorder(gateFunc(func(rules.Attempt) rules.Decision { return rules.Decision{Reason: rules.NotListed, Client: client} }), j, nil)
		a := connect(t, "10.0.0.7", "evil.example")
		for range 2 * perSecond {
			r.Decide(a)
		}
		if n := testing.AllocsPerRun(5000, func() { r.Decide(a) }); n > 0 {
			t.Errorf("%s: %v allocations a denial", what, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	a := connect(b, "10.0.0.7", "evil.example")
	allow := query(b, "10.0.0.7", "update.example", 1)
	rule, mine := &rules.Rule{Profile: "p", ID: "update"}, &rules.Client{Name: "shop"}
	next := gateFunc(func(a rules.Attempt) rules.Decision {
		if a.Via == rules.ViaDNS {
			return rules.Decision{Verdict: rules.Allow, Rule: rule}
		}
		return rules.Decision{Reason: rules.NotListed, Client: mine}
	})
	names := make([]rules.Name, 4096)
	for i := range names {
		names[i] = name(b, "n"+jsonText(i)+".example")
	}
	for _, bench := range []struct {
		name  string
		flows bool
		next  func(i uint64) rules.Attempt
	}{
		{"denial, folded", false, func(uint64) rules.Attempt { return a }},
		{"denial, folded, random names", false, func(i uint64) rules.Attempt { a := a; a.Authority = names[i%4096]; return a }},
		{"denial, 256 clients", false, func(i uint64) rules.Attempt {
			a := a
			a.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1)
			return a
		}},
		{"DNS allow, recorded", true, func(uint64) rules.Attempt { return allow }},
		{"DNS allow, not recorded", false, func(uint64) rules.Attempt { return allow }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			j := open(b, func(c *Config) {
				if bench.flows {
					c.Flows = filepath.Join(filepath.Dir(c.Path), "flows.jsonl")
				}
			})
			r := NewRecorder(next, j, nil)
			var n atomic.Uint64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r.Decide(bench.next(n.Add(1)))
				}
			})
		})
	}
}
