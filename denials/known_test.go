// Tests of known denials in the review: apart from the others, back after their end, and proposed.

package denials

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

const knownProbe = `
[[known]]
client  = "es-manager"
host    = "*.msftconnecttest.com"
reason  = "not_listed"
why     = "TICKET-12"
expires = 2026-11-30
`

func TestKnownDenialsAreApart(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"),
		at(0, func(r *journal.Record) { r.Host, r.Count = "www.msftconnecttest.com", 10 }),
		at(1, func(r *journal.Record) { r.Host = "evil.example" }),
		at(2, func(r *journal.Record) {
			r.Host, r.ClientName, r.Client = "www.msftconnecttest.com", "other", "10.0.0.8"
		}),
		at(3, func(r *journal.Record) { r.Host, r.Reason = "www.msftconnecttest.com", "sni_mismatch" }),
		at(4, func(r *journal.Record) { r.Host, r.Known, r.Schema = "old.example", "TICKET-1", 2 }), // of an earlier configuration
		at(5, func(r *journal.Record) { r.Host, r.Known, r.Count, r.Schema = "", "TICKET-12", 3, 2 }))
	s := siteOf(t, fleet+knownProbe)
	for _, c := range []struct {
		name  string
		known string
		table *rules.KnownTable
		want  string
		left  uint64
	}{
		{"without the known ones", KnownNo, s.KnownAt(noon), "old evil www.msftconnecttest.com www.msftconnecttest.com", 13},
		{"the known ones", KnownOnly, s.KnownAt(noon), "www.msftconnecttest.com (many)", 0},
		{"all", KnownAll, s.KnownAt(noon), "www.msftconnecttest.com (many) old evil www.msftconnecttest.com www.msftconnecttest.com", 0},
		{"after its last day they come back", KnownNo, s.KnownAt(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)), "www.msftconnecttest.com old evil www.msftconnecttest.com www.msftconnecttest.com", 3},
		{"without a configuration, as recorded", KnownNo, nil, "www.msftconnecttest.com evil www.msftconnecttest.com www.msftconnecttest.com", 4},
		{"without any [[known]]", KnownOnly, siteOf(t, fleet).KnownAt(noon), "(many)", 0},
	} {
		v := review(t, Query{Files: []string{path}, Filter: Filter{Known: c.known, Table: c.table}})
		got := strings.Fields(groupHosts(v))
		want := strings.Fields(c.want)
		sortTexts(got, want)
		if strings.Join(got, " ") != strings.Join(want, " ") || v.Report.Known != c.left || v.Denials+v.Report.Known < v.Denials {
			t.Errorf("%s: %q with %d left out, want %q with %d", c.name, got, v.Report.Known, want, c.left)
		}
	}
}

func sortTexts(lists ...[]string) {
	for _, l := range lists {
		for i := range l {
			for j := i + 1; j < len(l); j++ {
				if l[j] < l[i] {
					l[i], l[j] = l[j], l[i]
				}
			}
		}
	}
}

// A [[known]] is proposed also for what no rule should permit, but not for what may be forged.
func TestSuggestKnown(t *testing.T) {
	s := siteOf(t, fleet)
	var groups []*Group
	for _, change := range []func(*journal.Record){
		func(r *journal.Record) { r.Host, r.Count = "www.msftconnecttest.com", 4 },
		func(r *journal.Record) {
			r.Host, r.Port, r.Via, r.Proto, r.Count = "www.msftconnecttest.com", 0, "dns", "udp", 2
		},
		func(r *journal.Record) {
			r.Host, r.Reason, r.QType, r.Via, r.Port = "_ldap.corp.example", "type_not_allowed", "SRV", "dns", 0
		},
		func(r *journal.Record) { r.Host, r.Reason = "forged.example", "sni_mismatch" },
		func(r *journal.Record) { r.Host, r.ClientName, r.Reason = "x.example", "", "unknown_client" },
		func(r *journal.Record) { r.Host, r.HostRaw = "", "bad\x1b[2J name" },
	} {
		var tally Tally
		r := at(0, func(r *journal.Record) { r.Client = manager; change(r) })
		tally.Add(&r)
		groups = append(groups, tally.Groups()...)
	}
	list := s.SuggestKnown(groups, 0)
	if len(list) != 5 {
		t.Fatalf("%d suggestions", len(list))
	}
	sg := list[0]
	const want = `[[known]]
client  = "es-manager"
host    = "www.msftconnecttest.com"
reason  = "not_listed"
why     = "FILL IN: ticket and why es-manager does not need it (denied 6 times until 2026-11-22 UTC)"
expires = 2027-02-20
`
	if sg.TOML != want || !sg.Verified || sg.Where != "at the end of site.toml" || len(sg.Groups) != 2 || len(sg.Gains) > 0 {
		t.Errorf("%+v", sg)
	}
	if never := list[1]; never.Cure != CureNever || !never.Verified || !strings.Contains(never.TOML, `reason  = "type_not_allowed"`) {
		t.Errorf("%+v", never)
	}
	for _, sg := range list[2:] {
		if sg.TOML != "" || sg.Why == "" {
			t.Errorf("%+v", sg)
		}
	}
	whole, err := s.Whole(list[:1])
	if err != nil || !strings.HasSuffix(string(whole), want) || strings.Contains(string(whole), "newly permit") {
		t.Errorf("%v\n%s", err, whole)
	}
	if _, err := NewSite(Source{File: "site.toml", Text: whole, Profiles: s.src.Profiles, Now: noon}); err == nil || !strings.Contains(err.Error(), "why: ") {
		t.Errorf("a proposal that was not filled in is accepted: %v", err)
	}
}
