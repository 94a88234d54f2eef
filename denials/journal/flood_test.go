// Tests of floods: denials, permitted flows and forged sources beyond the budgets
// are folded, and no count is lost.

package journal

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sallyport/rules"
)

// Three clients cause 50 000 denials at once. The counts add up exactly, each
// client has records of its own, and a destination that repeats keeps its record.
func TestFloodLosesNoCount(t *testing.T) {
	j := open(t, nil)
	r := NewRecorder(gateFunc(small), j, nil)
	names := make([]rules.Attempt, 50_000)
	for i := range names {
		client := "10.0.0.1" // names that never repeat
		switch i % 3 {
		case 1:
			client = "10.0.0.2"
		case 2:
			client = "2001:db8::3"
		}
		host := fmt.Sprintf("n%d.example", i)
		if client == "10.0.0.2" {
			host = fmt.Sprintf("n%d.example", i%5) // a few names that repeat
		}
		names[i] = connect(t, client, host)
	}
	quiet := connect(t, "192.0.2.99", "quiet.example")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go decideSome(&wg, r, names, w, 4)
	}
	r.Decide(quiet)
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rs := records(t, j.cfg.Path)
	total, by := denied(rs)
	if total != 50_001 || by["10.0.0.1"] != 16667 || by["10.0.0.2"] != 16667 || by["2001:db8::3"] != 16666 || by["192.0.2.99"] != 1 {
		t.Errorf("%d denials in the journal: %v", total, by)
	}
	if st := j.Stats(); st.Denials != 50_001 || st.Dropped != 0 || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
	single, hosts := map[string]int{}, map[string]uint64{}
	for i, rec := range rs {
		if rec.Times() == 1 {
			single[rec.Client]++
		}
		if rec.Client == "10.0.0.2" {
			hosts[rec.Host] += rec.Times()
		}
		if i > 0 && rec.Seq == rs[i-1].Seq {
			t.Errorf("seq %d twice", rec.Seq)
		}
	}
	for _, c := range []string{"10.0.0.1", "10.0.0.2", "2001:db8::3"} {
		if single[c] < perSecond {
			t.Errorf("client %s has %d records of its own", c, single[c])
		}
	}
	for i := range 5 {
		if n := hosts[fmt.Sprintf("n%d.example", i)]; n < 3000 {
			t.Errorf("n%d.example was denied about 3333 times, the journal names it %d times: %v", i, n, hosts)
		}
	}
	if len(rs) > 2000 {
		t.Errorf("%d lines: nothing was folded", len(rs))
	}
}

func decideSome(wg *sync.WaitGroup, r *Recorder, as []rules.Attempt, from, step int) {
	defer wg.Done()
	for i := from; i < len(as); i += step {
		r.Decide(as[i])
	}
}

// Permitted flows beyond the budget are folded. So a client that keeps a
// connection open and sends requests as fast as it can does not fill the disk. No
// count and no octet is lost.
func TestPermittedFlowsAreFolded(t *testing.T) {
	now := time.Now()
	j := open(t, func(c *Config) {
		c.Flows, c.tick, c.Now = filepath.Join(filepath.Dir(c.Path), "flows"), time.Hour, func() time.Time { return now }
	})
	r := NewRecorder(gateFunc(small), j, nil)
	const n = 22_000
	for i := range n {
		r.Decide(query(t, "10.0.0.7", "update.example", 1))
		a := connect(t, "10.0.0.7", "update.example")
		a.Flow = uint64(i)
		r.Closed(rules.Close{Attempt: a, Decision: r.Decide(a), Dialed: netip.MustParseAddrPort("192.0.2.1:443"), BytesIn: 3, BytesOut: 1000, Duration: int64(time.Millisecond)})
	}
	r.Decide(connect(t, "10.0.0.8", "update.example"))
	mustSync(t, j)
	lines, total := map[string]int{}, map[string]uint64{}
	var in, out uint64
	for _, rec := range records(t, j.cfg.Flows) {
		kind := rec.Event + " " + rec.Via + " " + rec.Client
		lines[kind]++
		total[kind] += rec.Times()
		in, out = in+rec.BytesIn, out+rec.BytesOut
		if rec.Times() > 1 && (rec.Host != "update.example" || rec.Rule != "p/update" || rec.Flow != 0) {
			t.Errorf("%+v", rec)
		}
	}
	for kind, want := range map[string]uint64{"decision dns 10.0.0.7": n, "decision connect 10.0.0.7": n, "close connect 10.0.0.7": n, "decision connect 10.0.0.8": 1} {
		if total[kind] != want || lines[kind] > perSecond+1 {
			t.Errorf("%s: %d of %d in %d lines", kind, total[kind], want, lines[kind])
		}
	}
	if in != 3*n || out != 1000*n {
		t.Errorf("%d octets in, %d out", in, out)
	}
}

// Many datagrams with the addresses of known clients share a bounded table and a
// budget. Denied connections still have single records.
func TestForgedSourcesPushNobodyOut(t *testing.T) {
	now := time.Now()
	j := open(t, func(c *Config) { c.tick, c.Now = time.Hour, func() time.Time { return now } })
	mine := &rules.Client{Name: "es-manager"}
	r := NewRecorder(gateFunc(func(a rules.Attempt) rules.Decision { return rules.Decision{Reason: rules.PortNotListed, Client: mine} }), j, nil)
	const forged = 60_000
	a := query(t, "10.0.0.7", "evil.example", 1)
	own := connect(t, "10.0.0.7", "evil.example")
	for i := range forged {
		f := a
		if i%2 == 0 {
			f.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 53)
		}
		r.Decide(f)
		if i%1000 == 0 {
			r.Decide(own)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rs := records(t, j.cfg.Path)
	total, single := uint64(0), 0
	for _, rec := range rs {
		total += rec.Times()
		if rec.SourceProven && rec.Times() == 1 && rec.Client == "10.0.0.7" {
			single++
		}
	}
	if total != forged+60 || single != 60 {
		t.Errorf("%d denials, %d of the client's own one by one", total, single)
	}
	for i := range j.shards {
		if sh := &j.shards[i]; len(sh.clients) > shardUnproven+1 || sh.unproven > shardUnproven {
			t.Errorf("shard %d holds %d clients", i, len(sh.clients))
		}
	}
	if most := unprovenDenied + 60 + 2*shards + foldHosts; len(rs) > most {
		t.Errorf("%d lines, at most %d", len(rs), most)
	}
}
