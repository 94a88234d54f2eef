// Tests of one client's table and of the budgets that clients share.

package journal

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"
	"testing"
	"time"

	"sallyport/rules"
)

// denial returns an entry that stands for n denials of host.
func denial(t *testing.T, host string, n uint64) *entry {
	return &entry{at: noon, event: EventDecision, a: connect(t, "10.0.0.7", host), d: rules.Decision{Reason: rules.NotListed}, count: n}
}

// Records that a broken disk refused are folded again with their counts, also
// into a cell that was filled in the meantime.
func TestFoldedRecordsAreFoldedAgain(t *testing.T) {
	var c client
	seed := maphash.MakeSeed()
	c.fold(denial(t, "evil.example", 5), seed)
	later := denial(t, "evil.example", 7)
	later.at, later.in, later.a.SNI = noon.Add(time.Second), 3, name(t, "sni.example")
	c.fold(later, seed)
	es := c.unload(nil)
	if len(es) != 1 || es[0].count != 12 || es[0].in != 3 || !es[0].at.Equal(later.at) || !es[0].a.SNI.IsZero() {
		t.Errorf("%+v", es)
	}
	if !c.empty() || len(c.unload(nil)) != 0 {
		t.Error("taken twice")
	}
}

// Among thousands of names that occur once, a name that repeats has a record with
// its name. The other names are counted by reason. Nothing is counted twice.
func TestNameThatRepeatsIsNamed(t *testing.T) {
	var c client
	seed := maphash.MakeSeed()
	for i := range 5000 {
		c.fold(denial(t, fmt.Sprintf("n%d.example", i), 1), seed)
		if i >= 1000 && i%10 == 9 { // long after the table is full
			c.fold(denial(t, "beacon.example", 1), seed)
		}
	}
	var total, beacon uint64
	es := c.unload(nil)
	for i := range es {
		total += es[i].count
		if es[i].a.Authority.String() == "beacon.example" {
			beacon += es[i].count
		}
	}
	if total != 5400 || beacon < 300 || len(es) > foldHosts {
		t.Errorf("%d denials, %d of the name that repeats, %d records", total, beacon, len(es))
	}
}

// A table that is not full keeps every name.
func TestFewNamesAreAllNamed(t *testing.T) {
	var c client
	for i := range foldHosts {
		c.fold(denial(t, fmt.Sprintf("n%d.example", i), 1), maphash.MakeSeed())
	}
	if es := c.unload(nil); len(es) != foldHosts {
		t.Errorf("%d records", len(es))
	}
}

func TestUnprovenDenialsShareABudget(t *testing.T) {
	var b budget
	for window := range int64(3) {
		for i := range uint32(60) {
			if b.spend(window, 50) != (i < 50) {
				t.Fatalf("second %d, record %d", window, i)
			}
		}
	}
}

// The unreadable text of one client has a limit in each second. Text beyond it is
// cut, not left out. The text of another client is not cut.
func TestUnreadableTextIsBounded(t *testing.T) {
	j := open(t, func(c *Config) { now := time.Now(); c.Now = func() time.Time { return now } })
	mine := &rules.Client{Name: "es-manager"}
	r := NewRecorder(gateFunc(func(a rules.Attempt) rules.Decision { return rules.Decision{Reason: a.Fault, Client: mine} }), j, nil)
	bad := func(client string) rules.Attempt {
		a := connect(t, client, "evil.example")
		a.Fault, a.Raw = rules.MalformedName, bytes.Repeat([]byte("r"), 2*rawMax)
		return a
	}
	for range perSecond {
		r.Decide(bad("10.0.0.7"))
	}
	r.Decide(bad("10.0.0.8"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	text := map[string]int{}
	rs := records(t, j.cfg.Path)
	for _, rec := range rs {
		text[rec.Client] += len(rec.HostRaw)
		if !rec.Truncated || len(rec.HostRaw) < rawLeast {
			t.Errorf("%d octets of %d, truncated: %t", len(rec.HostRaw), 2*rawMax, rec.Truncated)
		}
	}
	if len(rs) != perSecond+1 || text["10.0.0.7"] > rawPerSecond+perSecond*rawLeast || text["10.0.0.8"] != rawMax {
		t.Errorf("%d records with %v octets of text", len(rs), text)
	}
}

// A host that sends from many addresses has one budget, and none of its denials
// is lost.
func TestManyAddressesOfOneHost(t *testing.T) {
	for _, format := range []string{"2001:db8:1:2::%x", "127.0.1.%d"} {
		j := open(t, func(c *Config) { now := time.Now(); c.Now = func() time.Time { return now } })
		mine := &rules.Client{Name: "es-manager"}
		r := NewRecorder(gateFunc(func(rules.Attempt) rules.Decision {
			return rules.Decision{Reason: rules.NotListed, Client: mine}
		}), j, nil)
		const addresses = 255
		for i := range addresses * 4 {
			r.Decide(connect(t, fmt.Sprintf(format, i%addresses), "evil.example"))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		rs := records(t, j.cfg.Path)
		total, _ := denied(rs)
		if total != addresses*4 || len(rs) != perSecond+1 {
			t.Errorf("%s: %d denials in %d lines", format, total, len(rs))
		}
		if last := rs[len(rs)-1]; last.ClientName != "es-manager" || last.Client != "" || last.Host != "evil.example" {
			t.Errorf("%s: folded into %+v", format, last)
		}
	}
}

// The denials of two clients in one network are counted separately.
func TestNeighboursAreToldApart(t *testing.T) {
	var c client
	seed := maphash.MakeSeed()
	for _, owner := range []*rules.Client{{Name: "a"}, {Name: "b"}} {
		for range 3 {
			e := denial(t, "evil.example", 1)
			e.d.Client = owner
			c.fold(e, seed)
		}
	}
	if es := c.unload(nil); len(es) != 2 || es[0].count != 3 || es[0].d.Client.Name != "a" || es[1].d.Client.Name != "b" {
		t.Errorf("%+v", es)
	}
}

// The denials of a client are recorded with their names while another client in
// the same /64 is denied without pause. Neither client uses up the budget of the
// other, or pushes it out of the table.
func TestClientsOfOneNetworkHaveBudgetsOfTheirOwn(t *testing.T) {
	for _, sources := range [][2]string{{"2001:db8:1:2::a", "2001:db8:1:2::b"}, {"127.0.0.1", "127.0.0.2"}} {
		j := open(t, func(c *Config) { now := time.Now(); c.Now = func() time.Time { return now } })
		clients := map[string]*rules.Client{sources[0]: {Name: "quiet"}, sources[1]: {Name: "loud"}}
		r := NewRecorder(gateFunc(func(a rules.Attempt) rules.Decision {
			return rules.Decision{Reason: rules.NotListed, Client: clients[a.Client.Addr().String()]}
		}), j, nil)
		const loud = 8 * perSecond
		for i := range loud {
			r.Decide(connect(t, sources[1], fmt.Sprintf("n%d.example", i%foldHosts)))
		}
		tried := []string{"evil1.example", "evil2.example", "evil3.example"}
		for _, host := range tried {
			r.Decide(connect(t, sources[0], host))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		var quiet []string
		total := uint64(0)
		for _, rec := range records(t, j.cfg.Path) {
			if total += rec.Times(); rec.ClientName == "quiet" && rec.Client == sources[0] && rec.Reason == "not_listed" {
				quiet = append(quiet, rec.Host)
			}
		}
		if total != loud+3 {
			t.Errorf("%v: %d denials on record, %d were made", sources, total, loud+3)
		}
		if !slices.Equal(quiet, tried) {
			t.Errorf("%v: of the quiet client's denials of %v there are %q", sources, tried, quiet)
		}
	}
}
