// Tests of what is said about a profile: its JSON, and the provenance of its rules.

package profile

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

const told = `name  = "p"
product = "P"
roles = ["manager"]
binds = ["syslog"]
wildcards = ["syslog"]
[document]
title = "Ports"
version = "2"
released = 2026-01-31
retrieved = 2026-02-01
url = "https://docs.example/ports"
language = "en"
[[feature]]
name = "cloud"
meaning = "the cloud service"
[[port]]
name = "console"
default = 8443
meaning = "web console"
[[rule]]
id = "r"
from = "manager"
to = ["a.example", "*.b.example", "role:syslog"]
tcp = [443, "console"]
udp = [53]
when = ["cloud"]
since = "3.2"
purpose = "updates"
section = "4"
note = "as the vendor writes it"
`

func parseTold(t *testing.T) *rules.Profile {
	t.Helper()
	p, err := Parse("p.toml", []byte(told))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A profile's JSON has its document with its age; with its rules it has every key of a rule.
func TestJSON(t *testing.T) {
	p := parseTold(t)
	p.Revision = "0123456789ab"
	text := func(whole bool, now time.Time) string {
		b, err := json.Marshal(NewJSON(p, whole, now))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const head = `{"name":"p","product":"P","roles":["manager"],"binds":["syslog"],"wildcards":["syslog"],` +
		`"document":{"title":"Ports","version":"2","released":"2026-01-31","url":"https://docs.example/ports","retrieved":"2026-02-01","language":"en",`
	const rest = `"revision":"0123456789ab","features":[{"meaning":"the cloud service","name":"cloud"}],"ports":[{"default":8443,"meaning":"web console","name":"console"}],"rule_count":1`
	if got, want := text(false, time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)), head+`"age_days":2,"old":false},`+rest+`}`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	got := text(true, time.Date(2028, 2, 2, 0, 0, 0, 0, time.UTC))
	want := head + `"age_days":732,"old":true},` + rest +
		`,"rules":[{"id":"r","from":"manager","to":["a.example","*.b.example","role:syslog"],"tcp":"443, 8443","udp":"53","when":["cloud"],"since":"3.2","purpose":"updates","section":"4","note":"as the vendor writes it"}]}`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	p.Origin, p.File = "profiles/p.toml", "/etc/sallyport/profiles/p.toml"
	if got := text(false, time.Time{}); !strings.Contains(got, `"file":"/etc/sallyport/profiles/p.toml","origin":"profiles/p.toml"`) {
		t.Errorf("a profile from a file: %s", got)
	}
}

// The provenance of a rule names its document, and the file and the replaced revision if the
// profile is not a shipped one. A rule of the site has none.
func TestProvenance(t *testing.T) {
	p := parseTold(t)
	p.Revision = "0123456789ab"
	for i := range p.Rules {
		p.Rules[i].Profile = p.Name
	}
	of := ProvenanceOf([]*rules.Profile{p}, p.Rules[0])
	want := Provenance{Profile: "p", Revision: "0123456789ab", Document: "Ports", Version: "2", Released: "2026-01-31", URL: "https://docs.example/ports", Retrieved: "2026-02-01"}
	if of == nil || *of != want {
		t.Errorf("%+v", of)
	}
	if page := of.Page(); page != "https://docs.example/ports, retrieved 2026-02-01" {
		t.Errorf("%q", page)
	}
	p.Origin, p.File, p.Replaced, p.Document.Retrieved = "p.toml", "/etc/p.toml", &rules.Profile{Revision: "ba9876543210"}, ""
	of = ProvenanceOf([]*rules.Profile{p}, p.Rules[0])
	if of.File != "/etc/p.toml" || of.Replaces != "ba9876543210" || of.Page() != "https://docs.example/ports" {
		t.Errorf("%+v, %q", of, of.Page())
	}
	own := ProvenanceOf([]*rules.Profile{p}, &rules.Rule{Profile: rules.SiteProfile})
	if own != nil || own.Page() != "" {
		t.Errorf("a rule of the site: %+v", own)
	}
}
