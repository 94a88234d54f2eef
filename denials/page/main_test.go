// Test helpers that several test files use.

package page

import (
	"context"
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
	fleet   = journaltest.Fleet
	manager = "10.1.0.7"
)

var noon = journaltest.Noon()

func at(seconds int, change func(*journal.Record)) journal.Record {
	return journaltest.At(seconds, change)
}

func journalOf(t testing.TB, name string, rs ...journal.Record) string {
	t.Helper()
	return journaltest.File(t, name, rs...)
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

func review(t testing.TB, q denials.Query) *denials.View {
	t.Helper()
	v, err := denials.Answer(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
