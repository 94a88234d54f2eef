// Tests that a record says whether the site knows the denial, also when it counts many.

package journal

import (
	"hash/maphash"
	"testing"
	"time"

	"sallyport/rules"
)

// generation returns a generation that knows denials of evil.example.
func generation(t *testing.T, until time.Time) *rules.Generation {
	t.Helper()
	p, problems := rules.Compile(&rules.Spec{Known: []*rules.Known{{Host: "*.evil.example", Why: "TICKET-12", Expires: until}}}, rules.Own{}, time.Time{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return &rules.Generation{Policy: p}
}

func TestRecordSaysKnown(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	g := generation(t, now.Add(time.Hour))
	deny := rules.Decision{Reason: rules.NotListed}
	for _, c := range []struct {
		host string
		at   time.Time
		g    *rules.Generation
		d    rules.Decision
		want string
	}{
		{"www.evil.example", now, g, deny, "TICKET-12"},
		{"www.evil.example", now, g, rules.Decision{Verdict: rules.Allow, Would: true, Reason: rules.NotListed}, "TICKET-12"},
		{"www.evil.example", now, g, rules.Decision{Verdict: rules.Allow}, ""},
		{"www.evil.example", now, g, rules.Decision{Reason: rules.SNIMismatch}, ""},
		{"www.evil.example", now.Add(time.Hour), g, deny, ""}, // it has ended
		{"www.evil.example", now, nil, deny, ""},
		{"evil.example", now, g, deny, ""},
	} {
		a := connect(t, "10.0.0.7", c.host)
		a.Generation = c.g
		if got := RecordOf(c.at, a, c.d); got.Known != c.want {
			t.Errorf("%s at %v, %v: %q, want %q", c.host, c.at, c.d.Why(), got.Known, c.want)
		}
	}
}

// Denials that are folded, with or without their names, stay apart: their counts are exact.
func TestFoldKeepsKnownApart(t *testing.T) {
	k := &rules.Known{Host: "*.evil.example", Why: "TICKET-12"}
	mine := &rules.Client{Name: "mine"}
	var c client
	seed := maphash.MakeSeed()
	for i := range 400 {
		host := [...]string{"www.evil.example", "other.example"}[i%2]
		e := entry{event: EventDecision, a: connect(t, "10.0.0.7", host), d: rules.Decision{Reason: rules.NotListed, Client: mine}, count: 1}
		if i%2 == 0 {
			e.known = k
		}
		if i >= 200 { // names that never repeat
			e.a.Authority, _ = rules.ParseName("n" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "." + host)
		}
		c.fold(&e, seed)
	}
	counts := map[string]uint64{}
	for _, e := range c.unload(nil) {
		var r Record
		r.fill(&e, rules.Hint)
		counts[r.Known] += r.Times()
	}
	if counts["TICKET-12"] != 200 || counts[""] != 200 {
		t.Errorf("%v", counts)
	}
}
