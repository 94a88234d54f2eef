// Tests of the revision: what changes it, and what does not.

package profile

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

// revised is a profile with every kind of line.
const revised = `name = "made-up"
product = "Made-up Backup"
roles = ["server", "agent", "console"]
binds = ["syslog", "database"]
[document]
title = "Requirements"
[[feature]]
name = "cloud"
meaning = "cloud is used"
[[feature]]
name = "mail"
[[port]]
name = "control"
default = 8443
[[rule]]
id = "a"
from = "server"
to = ["a.example", "192.0.2.1"]
tcp = [443, "9000-9001", "control"]
when = ["cloud", "mail"]
since = "7.1"
purpose = "Licence"
section = "1"
[[rule]]
id = "b"
from = "agent"
to = ["role:server"]
udp = [53]
until = "8.0"
purpose = "Names"
`

func TestRevision(t *testing.T) {
	read := func(text string) string {
		p, err := Parse("p.toml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return p.Revision
	}
	first := read(revised)
	if len(first) != 12 || strings.Trim(first, "0123456789abcdef") != "" {
		t.Fatalf("revision %q", first)
	}
	seen := map[string]string{first: "the profile itself"}
	for _, c := range []struct {
		what, old, new string
		same           bool
	}{
		{"comments and layout", "[[rule]]\nid = \"a\"", "# why\n[[rule]]\n\n  id   = 'a' # a", true},
		{"the order of keys", "from = \"server\"\nto = [\"a.example\", \"192.0.2.1\"]", "to = [\"192.0.2.1\", \"a.example\"]\nfrom = \"server\"", true},
		{"the order of ports", `[443, "9000-9001", "control"]`, `["control", 9001, 9000, "443-443"]`, true},
		{"the order of features", `["cloud", "mail"]`, `["mail", "cloud"]`, true},
		{"the order of the roles behind the first", `"agent", "console"`, `"console", "agent"`, true},
		{"the letter case of a name", `"a.example"`, `"A.Example."`, true},
		{"the name of the profile", `"made-up"`, `"another"`, true},
		{"the document", `"Requirements"`, "\"Requirements\"\nversion = \"2\"\nreleased = 2026-01-01", true},
		{"a purpose", `"Licence"`, `"Licences"`, true},
		{"a section", `section = "1"`, `section = "2"`, true},
		{"a note", `section = "1"`, "section = \"1\"\nnote = \"doubtful\"", true},
		{"a meaning", `"cloud is used"`, `"the cloud is used"`, true},
		{"replaces", "product", "replaces = \"1\"\nproduct", true},

		{"the first role", `["server", "agent"`, `["agent", "server"`, false},
		{"a role", `"console"`, `"viewer"`, false},
		{"a bind", `"database"`, `"store"`, false},
		{"a feature", "[[port]]", "[[feature]]\nname = \"third\"\n[[port]]", false},
		{"a default port", "8443", "8444", false},
		{"an id", `id = "a"`, `id = "aa"`, false},
		{"who", `from = "agent"`, `from = "console"`, false},
		{"a destination", `"192.0.2.1"`, `"192.0.2.2"`, false},
		{"a wildcard", `"a.example"`, `"*.a.example"`, false},
		{"a destination less", `, "192.0.2.1"`, ``, false},
		{"a port", "[443,", "[444,", false},
		{"a protocol", "udp = [53]", "tcp = [53]", false},
		{"a named port by its number", `"control"]`, `8443]`, false},
		{"any", "udp = [53]", "any = true", false},
		{"local", "udp = [53]", "udp = [53]\nlocal = true", false},
		{"a condition less", `["cloud", "mail"]`, `["cloud"]`, false},
		{"since", `"7.1"`, `"7.2"`, false},
		{"until", `until = "8.0"`, ``, false},
		{"a rule less", revised[strings.LastIndex(revised, "[[rule]]"):], "", false},
	} {
		text := strings.Replace(revised, c.old, c.new, 1)
		if text == revised {
			t.Fatalf("%s: nothing changed", c.what)
		}
		got := read(text)
		if c.same != (got == first) {
			t.Errorf("%s: revision %s, of the profile itself %s", c.what, got, first)
		}
		if !c.same && seen[got] != "" {
			t.Errorf("%s has the revision of %s", c.what, seen[got])
		}
		seen[got] = c.what
	}
	at := strings.Index(revised, "[[rule]]\nid = \"b\"")
	head := strings.Index(revised, "[[rule]]")
	if got := read(revised[:head] + revised[at:] + revised[head:at]); got != first {
		t.Errorf("the order of rules changes the revision from %s to %s", first, got)
	}
}

// Every field of a profile is in the revision, or known not to decide. A new field must
// be put on one of the two lists.
func TestRevisionKnowsEveryField(t *testing.T) {
	decide := map[string][]string{
		"Profile":     {"Roles", "Binds", "Wildcards", "Features", "Ports", "Rules"},
		"Feature":     {"Name"},
		"Port":        {"Name", "Default"},
		"Rule":        {"ID", "From", "To", "TCP", "UDP", "TCPNamed", "UDPNamed", "Any", "Local", "When", "Since", "Until"},
		"Destination": {"Name", "Wildcard", "Prefix", "Role"},
	}
	others := map[string][]string{
		"Profile": {"Name", "Product", "Document", "Notes", "Revision", "File", "Line", "Origin", "Replaces", "ReplacesLine", "Replaced"},
		"Feature": {"Meaning", "Line"},
		"Port":    {"Meaning", "Line"},
		"Rule":    {"Profile", "Purpose", "Section", "Note", "List", "Client", "Reason", "Parents", "Expires", "File", "Line", "Document", "Origin"},
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[rules.Profile](), reflect.TypeFor[rules.Feature](), reflect.TypeFor[rules.Port](), reflect.TypeFor[rules.Rule](), reflect.TypeFor[rules.Destination]()} {
		for i := range typ.NumField() {
			if name := typ.Field(i).Name; !slices.Contains(decide[typ.Name()], name) && !slices.Contains(others[typ.Name()], name) {
				t.Errorf("%s.%s: does it decide? Then it belongs to the revision", typ.Name(), name)
			}
		}
	}
}
