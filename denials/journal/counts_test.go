// Tests that the counts in the file and the counts reported as lost add up to the decisions made.

package journal

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/rules"
)

// tallyOf has the counts of a journal by kind of event.
type tallyOf struct{ denied, allowed, closed, in, out uint64 }

func (s *tallyOf) add(r *Record) {
	switch {
	case r.Denied():
		s.denied += r.Times()
	case r.Event == EventClose:
		s.closed += r.Times()
		s.in, s.out = s.in+r.BytesIn, s.out+r.BytesOut
	case r.Verdict == VerdictAllow:
		s.allowed += r.Times()
	}
}

// burst makes n decisions of a kind by some clients, and counts them.
func burst(t *rapid.T, r *Recorder, want *tallyOf) {
	n := rapid.IntRange(1, 400).Draw(t, "decisions")
	clients := rapid.IntRange(1, 300).Draw(t, "clients")
	names := rapid.IntRange(1, 100).Draw(t, "names")
	kind := rapid.SampledFrom([]string{"unknown", "datagram", "connection", "unreadable", "permitted", "look-up"}).Draw(t, "kind")
	list := make([]rules.Name, names)
	for i := range list {
		list[i], _ = rules.ParseName("n" + jsonText(i) + ".example")
	}
	for i := range n {
		a := rules.Attempt{Flow: uint64(i), Via: rules.ViaConnect, Proto: rules.TCP, SourceProven: true, Authority: list[i%names],
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i % clients >> 8), byte(i % clients)}), uint16(i)), Dest: netip.AddrPortFrom(netip.Addr{}, 443)}
		switch kind {
		case "unknown":
			a.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i % clients >> 8), byte(i % clients)}), 1)
		case "datagram":
			a.Via, a.Proto, a.SourceProven = rules.ViaDNS, rules.UDP, false
		case "unreadable":
			a.Authority, a.Fault, a.Raw = rules.Name{}, rules.MalformedName, make([]byte, 1+i*7)
		case "permitted", "look-up":
			a.Authority, _ = rules.ParseName("update.example")
			if kind == "look-up" {
				a.Via, a.Proto = rules.ViaDNS, rules.UDP
			}
		}
		d := r.Decide(a)
		if !d.Allowed() {
			want.denied++
			continue
		}
		want.allowed++
		if kind == "permitted" {
			r.Closed(rules.Close{Attempt: a, Decision: d, BytesIn: uint64(i), BytesOut: 7})
			want.closed++
			want.in, want.out = want.in+uint64(i), want.out+7
		}
	}
}

// The counts and octets in the file and the counts reported as lost add up to
// the decisions made, after random bursts, failures of the disk and reopens.
func TestCountsAddUp(t *testing.T) {
	mine := &rules.Client{Name: "es-manager"}
	gate := gateFunc(func(a rules.Attempt) rules.Decision {
		switch {
		case a.Client.Addr().As4()[0] == 198:
			return rules.Decision{Reason: rules.UnknownClient}
		case a.Fault == rules.ReasonNone && a.Authority.String() == "update.example":
			return rules.Decision{Verdict: rules.Allow, Client: mine}
		}
		return rules.Decision{Reason: rules.NotListed, Client: mine}
	})
	rapid.Check(t, func(rt *rapid.T) {
		d := &disk{}
		now := newClock()
		j, err := Open(Config{Path: "denials", Flows: "denials", open: d.open, tick: time.Hour, queue: rapid.IntRange(1, 300).Draw(rt, "queue"),
			Now: now.time})
		if err != nil {
			rt.Fatal(err)
		}
		r := NewRecorder(gate, j, nil)
		var want tallyOf
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0: // the disk has room for a part of a line
				d.room.Store(int64(rapid.IntRange(0, 3000).Draw(rt, "room")))
				d.full.Store(true)
			case 1:
				d.full.Store(false)
			case 2:
				_ = j.Reopen()
			case 3:
				_ = j.Sync()
				now.pass(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "pause")) * time.Millisecond)
			default:
				burst(rt, r, &want)
			}
		}
		_ = j.Close()
		st := j.Stats()
		var got tallyOf
		for _, rec := range d.records(t) {
			got.add(&rec)
		}
		if got.denied+st.Dropped != want.denied || got.allowed+got.closed+st.Permits != want.allowed+want.closed || st.Denials != want.denied {
			rt.Fatalf("in the file %+v, lost %d denials and %d others of %+v", got, st.Dropped, st.Permits, want)
		}
		if st.Permits == 0 && (got.in != want.in || got.out != want.out || got.closed != want.closed) {
			rt.Fatalf("in the file %+v of %+v", got, want)
		}
	})
}
