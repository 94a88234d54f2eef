// Test helpers: records, journals and scans.

package denials

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
	"sallyport/rules"
	"sallyport/rules/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func name(t testing.TB, s string) rules.Name {
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return n
}

func scan(t testing.TB, f Filter, files ...string) ([]journal.Record, journal.Report) {
	t.Helper()
	var rs []journal.Record
	q := Query{Files: files, Filter: f}
	rep, err := q.Scan(context.Background(), func(r *journal.Record) error {
		rs = append(rs, r.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs, rep
}

// Short names for the helpers of journaltest.
const fleet = journaltest.Fleet

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

// siteOf compiles a configuration as of noon.
func siteOf(t testing.TB, text string) *Site {
	t.Helper()
	s, err := NewSite(Source{File: "site.toml", Text: []byte(text), Profiles: journaltest.Profiles(t), Now: noon,
		Own: func(l site.Listen) rules.Own { return rules.Own{Listeners: l.HTTP} }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hosts(rs []journal.Record) string {
	var hs []string
	for _, r := range rs {
		hs = append(hs, strings.TrimSuffix(r.Host, ".example"))
	}
	return strings.Join(hs, " ")
}
