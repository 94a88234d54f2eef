// Test helpers that several test files use.

package text

import (
	"testing"

	"go.uber.org/goleak"

	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
	"sallyport/rules"
	"sallyport/rules/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	fleet                           = journaltest.Fleet
	manager, agentAddr, sep, laptop = "10.1.0.7", "10.2.0.7", "10.3.0.7", "10.4.0.7"
)

var noon = journaltest.Noon()

func at(seconds int, change func(*journal.Record)) journal.Record {
	return journaltest.At(seconds, change)
}

func journalOf(t testing.TB, name string, rs ...journal.Record) string {
	t.Helper()
	return journaltest.File(t, name, rs...)
}

func attempt(t testing.TB, client, host string, port uint16) rules.Attempt {
	t.Helper()
	return journaltest.Attempt(t, client, host, port)
}

// siteOf compiles a configuration at the time noon.
func siteOf(t testing.TB, text string) *denials.Site {
	t.Helper()
	s, err := denials.NewSite(denials.Source{File: "site.toml", Text: []byte(text), Profiles: journaltest.Profiles(t), Now: noon,
		Own: func(l site.Listen) rules.Own { return rules.Own{Listeners: l.HTTP} }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decided writes all decisions of a site into a file, allowed attempts too.
func decided(t testing.TB, s *denials.Site, as ...rules.Attempt) []journal.Record {
	t.Helper()
	var out []journal.Record
	for i, a := range as {
		r := journal.RecordOf(noon, a, s.Policy.Decide(a))
		r.Boot, r.Seq = "b", uint64(i+1)
		out = append(out, r)
	}
	return out
}

// denialOf returns the record of a denial that a gateway with the site's policy writes.
func denialOf(t testing.TB, s *denials.Site, a rules.Attempt) journal.Record {
	t.Helper()
	d := s.Policy.Decide(a)
	if d.Allowed() && !d.Would {
		t.Fatalf("%v %v is permitted", a.Authority, a.Dest)
	}
	r := journal.RecordOf(noon, a, d)
	r.Boot, r.Seq = "b", 1
	return r
}
