// Tests of filters.

package denials

import (
	"path/filepath"
	"testing"
	"time"

	"sallyport/denials/journal"
)

func TestFilters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	journalOf(t, path, at(0, nil),
		at(1, func(r *journal.Record) { r.Client, r.ClientName = "2001:db8::7", "" }),
		at(2, func(r *journal.Record) { r.Reason, r.Via = "sni_mismatch", "socks5"; r.SNI = "Front.Example" }),
		at(3, func(r *journal.Record) { r.Verdict, r.Mode = journal.VerdictWouldDeny, "audit" }),
		at(4, func(r *journal.Record) { r.Verdict, r.Reason = journal.VerdictAllow, "" }),
		at(5, func(r *journal.Record) { r.Event = journal.EventClose; r.Verdict = journal.VerdictAllow }),
		at(6, func(r *journal.Record) {
			*r = journal.Record{Schema: 1, Time: r.Time, Seq: 7, Boot: "b", Event: journal.EventStart}
		}),
		at(7, func(r *journal.Record) { r.Host, r.HostRaw, r.Profile = "", "ev il", "p" }))
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "n0 n1 n2 n3 n4 n5  "},
		{Filter{Denied: true}, "n0 n1 n2 n3 "},
		{Filter{Since: noon.Add(3 * time.Second), Until: noon.Add(5 * time.Second)}, "n3 n4"},
		{Filter{Reason: "sni_mismatch"}, "n2"},
		{Filter{Verdict: "would_deny"}, "n3"},
		{Filter{Client: "2001:db8::7"}, "n1"},
		{Filter{Client: "2001:db8::/32"}, "n1"},
		{Filter{Client: "10.0.0.0/8", Denied: true}, "n0 n2 n3 "},
		{Filter{Client: "es-manager", Via: "socks5"}, "n2"},
		{Filter{Client: "nobody"}, ""},
		{Filter{Host: "N[01].example"}, "n0 n1"},
		{Filter{Host: "front.*"}, "n2"},
		{Filter{Host: "ev*"}, ""},
		{Filter{Host: "ev il"}, ""},
		{Filter{Profile: "p"}, ""},
		{Filter{Event: journal.EventClose}, "n5"},
	} {
		rs, rep := scan(t, c.f, path)
		if got := hosts(rs); got != c.want || rep.Lines != 8 {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
	if rs, _ := scan(t, Filter{Host: "ev*"}, path); len(rs) != 1 {
		t.Error("the raw text of what is no name is not searched")
	}
	if _, err := (Filter{Host: "["}).Matcher(); err == nil {
		t.Error("a glob that is none")
	}
}
