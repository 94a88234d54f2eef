// Tests of the records of unknown clients: the journal writes a fixed number of
// lines and octets, with any forged addresses and texts, and keeps every count.

package journal

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/rules"
)

// oneKnown is a policy with one client, 10.0.0.7. All others are unknown.
func oneKnown(a rules.Attempt) rules.Decision {
	mine := &rules.Client{Name: "es-manager"}
	switch {
	case a.Client.Addr() == netip.MustParseAddr("10.0.0.7"):
		return rules.Decision{Reason: rules.NotListed, Client: mine}
	case a.Fault != rules.ReasonNone:
		return rules.Decision{Reason: a.Fault}
	}
	return rules.Decision{Reason: rules.UnknownClient}
}

// forgedBy returns the i-th datagram of a flood in which no source, name or text
// occurs twice. Some of the datagrams are not DNS queries.
func forgedBy(t testing.TB, i int) rules.Attempt {
	a := query(t, "198.18.0.1", "n"+jsonText(i)+".evil.example", 1)
	a.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, byte(18 + i>>16), byte(i >> 8), byte(i)}), uint16(i))
	switch i % 5 {
	case 1:
		a.Authority, a.Fault, a.Raw, a.Detail = rules.Name{}, rules.MalformedName, bytes.Repeat([]byte{0xff, byte(i)}, rawMax), "a byte"
	case 2:
		a.Authority, a.Fault, a.Raw = rules.Name{}, rules.MalformedRequest, bytes.Repeat([]byte("\x00"), 500)
	}
	return a
}

// With 4,000 forged datagrams a second, the journal stays within its limits.
func TestUnknownClientsShareABudget(t *testing.T) {
	now := newClock()
	j := open(t, func(c *Config) { c.tick, c.Now = time.Hour, now.time })
	r := NewRecorder(gateFunc(oneKnown), j, nil)
	const seconds, rate = 20, 4000
	for s := range seconds {
		for i := range rate {
			r.Decide(forgedBy(t, s*rate+i))
		}
		r.Decide(connect(t, "10.0.0.7", "evil.example"))
		now.pass(time.Second)
		mustSync(t, j) // writes the counted denials, as the journal does each second
	}
	rs := records(t, j.cfg.Path)
	reasons := map[string]uint64{}
	lines, mine := 0, 0
	for _, rec := range rs {
		if rec.ClientName != "" {
			mine++
			continue
		}
		lines++
		reasons[rec.Reason] += rec.Times()
		if rec.Times() > 1 && (rec.Client != "" || rec.Host != "" || rec.Omitted&(OmitClient) == 0) {
			t.Errorf("counted as %+v", rec)
		}
	}
	if mine != seconds {
		t.Errorf("the client's own denials are in %d lines, want %d", mine, seconds)
	}
	for reason, want := range map[string]uint64{"malformed_name": seconds * rate / 5, "malformed_request": seconds * rate / 5, "unknown_client": seconds * rate * 3 / 5} {
		if reasons[reason] != want {
			t.Errorf("%s: %d in the journal, were %d", reason, reasons[reason], want)
		}
	}
	info, err := os.Stat(j.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	if most := (seconds + 1) * unknownLines; lines > most || lines < seconds {
		t.Errorf("%d lines in %d seconds, at most %d", lines, seconds, most)
	}
	if most := int64((seconds+1)*unknownBytes + mine*MaxLine/16); info.Size() > most {
		t.Errorf("%d octets in %d seconds, at most %d", info.Size(), seconds, most)
	}
	if st := j.Stats(); st.Denials != seconds*(rate+1) || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
}

// During the flood, the denial of a known client is in the file without delay.
func TestFloodOfUnknownClientsDelaysNobody(t *testing.T) {
	j := open(t, nil)
	r := NewRecorder(gateFunc(oneKnown), j, nil)
	forged := make([]rules.Attempt, 4000)
	for i := range forged {
		forged[i] = forgedBy(t, i)
	}
	var flood sync.WaitGroup
	flood.Add(1)
	stop := make(chan struct{})
	go func() {
		defer flood.Done()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.Decide(forged[i%len(forged)])
			}
		}
	}()
	var took []time.Duration
	for i := range 20 {
		host := "mine" + jsonText(i) + ".example"
		begin := time.Now()
		r.Decide(connect(t, "10.0.0.7", host))
		eventually(t, host+" is in the file", func() bool {
			b, err := os.ReadFile(j.cfg.Path)
			return err == nil && bytes.Contains(b, []byte(host))
		})
		took = append(took, time.Since(begin))
	}
	close(stop)
	flood.Wait()
	slices.Sort(took) // the slowest may have waited for a busy machine
	if took[10] > 50*time.Millisecond {
		t.Errorf("%v", took)
	}
}

// A browser that must log in first asks without a login, for many names in one second. Its address
// is the address of a [[client]], and a handshake proved it, so each denial has a record with its
// name. A source that no [[client]] lists, and a datagram, whose source can be forged, use the budget of
// the unknown: a client without sources that demands a login makes no source known.
func TestRecordsBeforeALogin(t *testing.T) {
	now := newClock()
	j := open(t, func(c *Config) { c.tick, c.Now = time.Hour, now.time })
	r := NewRecorder(gateFunc(func(a rules.Attempt) rules.Decision {
		return rules.Decision{Reason: rules.Unauthenticated, Listed: a.Client.Addr() != netip.MustParseAddr("10.0.0.8")}
	}), j, nil)
	const asks = 3 * unknownLines
	for i := range asks {
		r.Decide(connect(t, "10.0.0.7", "n"+jsonText(i)+".browser.example"))
		r.Decide(connect(t, "10.0.0.8", "n"+jsonText(i)+".unlisted.example"))
		r.Decide(forgedBy(t, 5*i))
	}
	mustSync(t, j)
	named := map[string]int{}
	for _, d := range records(t, j.cfg.Path) {
		if d.Reason == "unauthenticated" && d.Host != "" {
			named[d.Client]++
		}
	}
	if named["10.0.0.7"] != asks || named["10.0.0.8"] > unknownLines || len(named) > 2+unknownLines {
		t.Errorf("records with a name: %v", named)
	}
}

// The octets charged to the budget are never fewer than the octets written.
func TestLineBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAttempt(t)
		a.Raw = rapid.SliceOfN(rapid.Byte(), 0, 2*rawMax).Draw(t, "text")
		e := entry{at: noon, event: EventDecision, a: a, d: oneKnown(a), count: rapid.Uint64Min(1).Draw(t, "count")}
		if !e.unknown() {
			return
		}
		e.own()
		var r Record
		r.fill(&e, rules.Hint)
		r.Boot, r.Seq = "vhk3pzqd7a", 1<<64-1
		if line := r.Append(nil); len(line) > lineBound(&e) {
			t.Fatalf("%d octets, budgeted %d: %s", len(line), lineBound(&e), line)
		}
		e.drop()
		e.omitted = 1<<32 - 1
		r.fill(&e, rules.Hint)
		r.Boot, r.Seq = "vhk3pzqd7a", 1<<64-1
		if line := r.Append(nil); len(line) > lineBound(&e)+unknownCount-unknownLine {
			t.Fatalf("%d octets, budgeted %d: %s", len(line), lineBound(&e)+unknownCount-unknownLine, line)
		}
	})
}
