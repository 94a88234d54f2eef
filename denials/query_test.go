// Tests of the review: groups, filters, order, pages, cures, totals, timeline.

package denials

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
	"sallyport/rules"
)

func review(t testing.TB, q Query) *View {
	t.Helper()
	v, err := Answer(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func groupHosts(v *View) string {
	var hs []string
	for _, g := range v.Groups {
		hs = append(hs, strings.TrimSuffix(g.Host, ".example"))
	}
	return strings.Join(hs, " ")
}

func TestReviewFiltersSortsAndPages(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"),
		at(0, func(r *journal.Record) { r.Host, r.Count = "b.example", 10 }),
		at(1, func(r *journal.Record) { r.Host, r.Count, r.Hint = "a.example", 30, "documented for CYBER-guardian" }),
		at(2, func(r *journal.Record) { r.Host, r.Count, r.Reason, r.Via = "d.example", 20, "feature_off", "dns" }),
		at(3, func(r *journal.Record) {
			r.Host, r.Profile, r.ClientName, r.Client = "c.example", "p", "other", "10.9.0.1"
		}),
		at(4, func(r *journal.Record) { r.Host, r.HostRaw, r.Reason = "", "bad name", "malformed_name" }),
		at(5, func(r *journal.Record) { r.Verdict, r.Host = journal.VerdictAllow, "fine.example" }),
		at(6, func(r *journal.Record) { r.Event, r.Host = journal.EventClose, "fine.example" }))
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{}, "a d b bad name c"},
		{Query{Sort: "last"}, "bad name c d a b"},
		{Query{Sort: "first"}, "bad name c d a b"},
		{Query{New: noon.Add(2 * time.Second)}, "d bad name c"},
		{Query{Sort: "host"}, "a b bad name c d"},
		{Query{Limit: 2}, "a d"},
		{Query{Limit: 2, Offset: 2}, "b bad name"},
		{Query{Offset: 9}, ""},
		{Query{Offset: -1, Limit: 1}, "a"},
		{Query{Filter: Filter{Text: "cyber-GUARD"}}, "a"},
		{Query{Filter: Filter{Text: "BAD"}}, "bad name"},
		{Query{Filter: Filter{Text: "10.9."}}, "c"},
		{Query{Filter: Filter{Via: "dns"}}, "d"},
		{Query{Filter: Filter{Profile: "p"}}, "c"},
		{Query{Filter: Filter{Client: "10.0.0.0/24", Host: "[a-b].example"}}, "a b"},
		{Query{Filter: Filter{Since: noon.Add(2 * time.Second), Until: noon.Add(4 * time.Second)}}, "d c"},
		{Query{Cure: CureFeature}, "d"},
		{Query{Cure: CureNever}, "bad name"},
		{Query{Cure: CureRule}, "a b c"},
	} {
		c.q.Files = []string{path}
		if got := groupHosts(review(t, c.q)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	v := review(t, Query{Files: []string{path}, Limit: 1})
	if v.Matched != 5 || v.Denials != 62 || v.Rest != 0 || v.Totals.Reasons.Of("not_listed") != 41 || v.Totals.Cures.Of("never") != 1 || v.Totals.Vias.Of("dns") != 20 {
		t.Errorf("%+v", v)
	}
	if _, err := Answer(context.Background(), Query{Files: []string{path}, Sort: "size"}); err == nil {
		t.Error("sorted by size")
	}
}

func TestCuresByTheConfiguration(t *testing.T) {
	s := siteOf(t, fleet)
	now := siteOf(t, strings.Replace(fleet, `["cyber-guardian"]`, `["neural-x"]`, 1))
	for _, c := range []struct {
		host   string
		port   uint16
		client string
		site   *Site
		want   Cure
	}{
		{"auth.sangfor.com", 443, manager, s, CureFeature},
		{"auth.sangfor.com", 443, manager, now, CurePermitted},
		{"10.20.30.40", 443, agentAddr, s, CureBinding},
		{"10.3.9.9", 8082, sep, s, CureBinding},
		{"license.sangfor.com", 443, "10.66.0.1", s, CureBinding},
		{"evil.example", 443, manager, s, CureRule},
		{"evil.example", 443, manager, nil, CureRule},
		{"auth.sangfor.com", 443, manager, nil, CureFeature},
	} {
		r := denialOf(t, s, attempt(t, c.client, c.host, c.port))
		v := review(t, Query{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "j"), r)}, Site: c.site})
		if got := v.Groups[0].Cure; got != c.want {
			t.Errorf("%s:%d %s: %s, want %s", c.host, c.port, c.client, got, c.want)
		}
	}
	for _, r := range rules.Reasons() {
		if got := cureOf(r.String()); (got == CureNever) == r.Fixable() {
			t.Errorf("%v: %s", r, got)
		}
	}
	if cureOf("of a later version") != CureNever {
		t.Error("an unknown reason is fixable")
	}
}

func TestDetailOfOneGroup(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"),
		at(0, func(r *journal.Record) { r.Host = "a.example" }), at(1, func(r *journal.Record) { r.Host = "b.example" }),
		at(2, func(r *journal.Record) { r.Host, r.Count = "a.example", 5 }), at(3, func(r *journal.Record) { r.Host = "a.example" }))
	q := Query{Files: []string{path}}
	key := review(t, q).Groups[0].Key()
	g, rs, err := Detail(context.Background(), q, key, 2)
	if err != nil || g == nil || g.Host != "a.example" || g.Count != 7 || g.Cure != CureRule || len(rs) != 2 || rs[0].Count != 5 || rs[1].Seq != 4 {
		t.Errorf("%+v %v %v", g, rs, err)
	}
	if g, _, err := Detail(context.Background(), q, "0000000000000000", 2); g != nil || err != nil {
		t.Errorf("%v %v", g, err)
	}
}

func TestTimelineKeepsEveryDenial(t *testing.T) {
	var line Timeline
	rs := []journal.Record{}
	for i := range 3000 {
		rs = append(rs, at(i*60*7, func(r *journal.Record) {
			r.Reason = [...]string{"not_listed", "feature_off", "not_listed"}[i%3]
			r.Count = uint64(1 + i%2)
		}))
		line.Add(&rs[i])
	}
	for _, n := range []int{1, 10, 100, 2000} {
		s := line.Series(n)
		var sum, of uint64
		for i, st := range s.Steps {
			sum += st.Total
			of += st.Counts[0]
			if i > 0 && st.Start.Sub(s.Steps[i-1].Start) != s.Step {
				t.Fatalf("a gap before %v", st.Start)
			}
		}
		if sum != 4500 || of != 3000 || len(s.Steps) > n || len(s.Steps) == 0 || s.Reasons[0] != "not_listed" || len(s.Reasons) != 2 {
			t.Errorf("%d steps: sum %d, %d, %v", len(s.Steps), sum, of, s.Reasons)
		}
	}
	if len(line.buckets) > stepsMax {
		t.Errorf("%d steps are kept", len(line.buckets))
	}
	if s := new(Timeline).Series(10); len(s.Steps) != 0 {
		t.Errorf("%+v", s)
	}
}

// A client that invents many long names fills neither the memory nor the counts.
// Every denial is counted.
func TestReviewIsBounded(t *testing.T) {
	var tally Tally
	peak := journaltest.WatchHeap(t)
	long := strings.Repeat("x", 3000)
	const n = 250_000
	for i := range n {
		r := at(0, func(r *journal.Record) {
			r.Host, r.HostRaw = "", fmt.Sprint(i, long)
			r.Hint, r.Detail, r.Client = fmt.Sprint(i, long[:1500]), fmt.Sprint(i, long[:900]), fmt.Sprint(i%5000)
		})
		tally.Add(&r)
	}
	most := peak()
	var sum uint64
	for _, g := range tally.Groups() {
		sum += g.Count
	}
	if sum != n || tally.Total != n || tally.Rest == 0 || len(tally.groups) > 2*groupsMax+100 {
		t.Errorf("%d of %d in %d groups, rest %d", sum, tally.Total, len(tally.groups), tally.Rest)
	}
	if most > 256<<20 {
		t.Errorf("%d MiB", most>>20)
	}
}
