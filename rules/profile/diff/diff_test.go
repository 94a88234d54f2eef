package diff

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/profile"
)

const seven = `name    = "made-up"
product = "A product that was made up"
roles   = ["server", "agent"]
[document]
title   = "Ports"
version = "7"
[[feature]]
name    = "cloud"
meaning = "the cloud is used"
[[port]]
name    = "log"
default = 514
[[rule]]
id      = "update"
from    = "server"
to      = ["b.example", "a.example"]
tcp     = [443, 80]
purpose = "Updates"
section = "1"
[[rule]]
id      = "time"
from    = "server"
to      = ["time.example"]
udp     = [123]
purpose = "Time"
section = "1"
[[rule]]
id      = "log"
from    = "agent"
to      = ["role:server"]
udp     = ["log"]
when    = ["cloud"]
purpose = "Logs"
section = "2"
`

// compared compares the seventh revision with itself after some replacements.
func compared(t *testing.T, replacements ...string) *Result {
	t.Helper()
	old, err := profile.Parse("seven.toml", []byte(seven))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(replacements...).Replace(seven)
	if len(replacements) > 0 && text == seven {
		t.Fatalf("%q replaces nothing", replacements)
	}
	now, err := profile.Parse("new.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Compare(old, now)
}

func TestCompare(t *testing.T) {
	const another = "[[rule]]\nid = \"more\"\nfrom = \"agent\"\nto = [\"more.example\"]\nany = true\nnote = \"printed ALL\"\npurpose = \"More\"\nsection = \"3\"\n"
	timeRule := seven[strings.Index(seven, "[[rule]]\nid      = \"time\""):strings.Index(seven, "[[rule]]\nid      = \"log\"")]
	for _, c := range []struct {
		name         string
		replacements []string
		want         string // lines of the text, "" for equal
	}{
		{"nothing", nil, ""},
		{"the order of destinations and ports", []string{`"b.example", "a.example"`, `"a.example", "b.example"`, "443, 80", "80, 443"}, ""},
		{"names", []string{`"b.example"`, `"c.example"`}, "changed  update|         to: - b.example|         to: + c.example|0 added, 0 removed, 0 renamed, 1 changed"},
		{"ports", []string{"[443, 80]", `[443, "8000-8010"]`}, "         tcp: 80, 443 -> 443, 8000-8010"},
		{"another protocol", []string{"udp     = [123]", "tcp     = [123]"}, "         tcp: none -> 123|         udp: 123 -> none"},
		{"every port", []string{"udp     = [123]", "any     = true"}, "         udp: 123 -> none|         any: none -> true"},
		{"a condition", []string{"when    = [\"cloud\"]\n", ""}, "changed  log|         when: - cloud"},
		{"versions", []string{"udp     = [123]", "udp = [123]\nsince = \"2\"\nuntil = \"3\""}, "         since: none -> 2|         until: none -> 3"},
		{"purpose and note", []string{`"Time"`, "\"Clock\"\nnote = \"x\""}, "         purpose: Time -> Clock|         note: none -> x"},
		{"section", []string{`section = "2"`, `section = "2.1"`}, "         section: 2 -> 2.1"},
		{"the other role", []string{`from    = "agent"`, `from    = "server"`}, "         from: agent -> server"},
		{"the default of a port", []string{"default = 514", "default = 6514"}, "profile  ports: - log, by default 514|profile  ports: + log, by default 6514|         udp: 514 -> 6514"},
		{"the document", []string{`version = "7"`, `version = "8"`}, "profile  version: 7 -> 8|0 added, 0 removed, 0 renamed, 0 changed"},
		{"wildcards", []string{`roles   = ["server", "agent"]`, "roles = [\"server\", \"agent\"]\nwildcards = [\"agent\"]"}, "profile  wildcards: + agent"},
		{"the default role", []string{`["server", "agent"]`, `["agent", "server"]`}, "profile  default role: server -> agent"},
		{"a feature's meaning", []string{"the cloud is used", "the cloud"}, "profile  features: - cloud: the cloud is used|profile  features: + cloud: the cloud"},
		{"a rule more", []string{timeRule, timeRule + another}, "added    more: agent to more.example, every protocol and port|         section 3: More|         note: printed ALL|1 added, 0 removed, 0 renamed, 0 changed"},
		{"a rule less", []string{timeRule, ""}, "removed  time: server to time.example, udp 123|         section 1: Time|0 added, 1 removed, 0 renamed, 0 changed"},
		{"another id", []string{`id      = "time"`, `id      = "clock"`}, "renamed  clock, was time|0 added, 0 removed, 1 renamed, 0 changed"},
		{"another id and more", []string{`id      = "time"`, `id      = "clock"`, "[123]", "[124]"}, "renamed  clock, was time|         udp: 123 -> 124|0 added, 0 removed, 1 renamed, 0 changed"},
		{"another id and destination", []string{`id      = "time"`, `id      = "clock"`, "time.example", "clock.example"}, "renamed  clock, was time|         to: - time.example|         to: + clock.example|0 added, 0 removed, 1 renamed, 0 changed"},
		{"another id, destination and port", []string{`id      = "time"`, `id      = "clock"`, "time.example", "clock.example", "[123]", "[124]"}, "added    clock|removed  time|1 added, 1 removed, 0 renamed, 0 changed"},
	} {
		r := compared(t, c.replacements...)
		var b bytes.Buffer
		r.WriteText(&b, func(s string) string { return s })
		if r.Equal() != (c.want == "") || r.Equal() != strings.Contains(b.String(), "the two revisions are equal\n") {
			t.Errorf("%s: equal is %t\n%s", c.name, r.Equal(), &b)
		}
		for _, line := range strings.Split(c.want, "|") {
			if !strings.Contains(b.String(), line) {
				t.Errorf("%s: no line %q in\n%s", c.name, line, &b)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	r := compared(t, `"b.example"`, `"c.example"`, "[443, 80]", "[443]", `id      = "time"`, `id      = "clock"`)
	b, err := json.Marshal(r.JSON())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"equal":false`, `"new":{"name":"made-up","title":"Ports","version":"7"`,
		`{"change":"changed","id":"update","from":"server","to":["c.example","a.example"],"ports":"tcp 443","purpose":"Updates","section":"1","fields":[{"field":"to","removed":["b.example"],"added":["c.example"]},{"field":"tcp","old":"80, 443","new":"443"}]}`,
		`{"change":"renamed","id":"clock","was":"time",`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
}

// Every field of a profile is compared, or listed here with the reason why it is not.
func TestEveryFieldIsCompared(t *testing.T) {
	compared := map[string][]string{
		"Profile":  {"Name", "Product", "Roles", "Binds", "Wildcards", "Document", "Features", "Ports", "Rules", "Notes"},
		"Document": {"Title", "Version", "Released", "URL", "SHA256", "Language", "Note"},
		"Rule":     {"ID", "From", "To", "TCP", "UDP", "TCPNamed", "UDPNamed", "Any", "Local", "When", "Since", "Until", "Purpose", "Section", "Note"},
	}
	not := map[string][]string{
		"Profile": {"Revision", // follows from the rest
			"File", "Line", "Origin", "Replaces", "ReplacesLine", "Replaced"}, // where the profile is and what it replaces; not part of its content
		"Document": {"Retrieved"},                                                                                       // when it was read
		"Rule":     {"Profile", "Document", "File", "Line", "Origin", "Client", "Parents", "Reason", "Expires", "List"}, // where the rule is; and fields that only rules of a site have
	}
	for _, v := range []any{rules.Profile{}, rules.Document{}, rules.Rule{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			name := typ.Field(i).Name
			if !slices.Contains(compared[typ.Name()], name) && !slices.Contains(not[typ.Name()], name) {
				t.Errorf("%s.%s: compare it, or say why not", typ.Name(), name)
			}
		}
	}
}
