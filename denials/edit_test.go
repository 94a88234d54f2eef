// Tests of changes of a configuration's text: the rest of the text stays as it
// is, and a form of TOML that cannot be changed is an error.

package denials

import (
	"strings"
	"testing"

	"sallyport/rules"
)

const edited = `# top
[[client]]
name = "one" # first
sources = ["10.1.0.0/16"]
profiles = ["endpoint-secure-onprem"]
features = [ # what we use
  "neural-x", # ticket 7
]
[client.addresses]
"manager" = ["10.1.2.3"]   # in the cellar

# about two
[[client]]
  name     = "two"
  sources  = ["10.2.0.0/16"]
  profiles = ["endpoint-secure-onprem"]
  features = []   # none # yet

# about three: [[client]] is said here and means nothing
[[client]]
name = "three"
sources = ["10.3.0.0/16"]
[[client.profile]]
name = "symantec-endpoint-protection"
version = "14.0"
[[client.profile]]
name = "endpoint-secure-onprem"
role = "agent"

# the rest
[[rule]]
id = "r"
client = "one"
to = ["r.example"]
tcp = [443]
reason = """
[[client]]
features = ["not a statement"]
"""
`

func TestEdits(t *testing.T) {
	s := siteOf(t, edited)
	for _, c := range []struct {
		what     string
		m        Edit
		from, to string // of the text
	}{
		{"a list of many lines", Edit{Client: "one", Key: "features", Value: `["a"]`}, "features = [ # what we use\n  \"neural-x\", # ticket 7\n]", `features = ["a"]`},
		{"a comment after the value stays", Edit{Client: "two", Key: "features", Value: `["a"]`}, "  features = []   # none # yet", `  features = ["a"] # none # yet`},
		{"a key that is not there", Edit{Client: "two", Key: "version", Value: `"6"`}, "# none # yet\n", "# none # yet\nversion = \"6\"\n"},
		{"a party that is bound", Edit{Client: "one", Key: "addresses.manager", Value: `["a", "b"]`}, `"manager" = ["10.1.2.3"]   # in the cellar`, `"manager" = ["a", "b"] # in the cellar`},
		{"another party", Edit{Client: "one", Key: "addresses.x", Value: `["a"]`}, "# in the cellar\n", "# in the cellar\nx = [\"a\"]\n"},
		{"the first party", Edit{Client: "two", Key: "addresses.x", Value: `["a"]`}, "# none # yet\n", "# none # yet\n[client.addresses]\nx = [\"a\"]\n"},
		{"the first party after profiles", Edit{Client: "three", Key: "addresses.x", Value: `["a"]`}, "role = \"agent\"\n", "role = \"agent\"\n[client.addresses]\nx = [\"a\"]\n"},
		{"the first party of a profile", Edit{Client: "three", Profile: 1, Table: "client.profile.addresses", Key: "addresses.x", Value: `["a"]`}, "role = \"agent\"\n", "role = \"agent\"\n[client.profile.addresses]\nx = [\"a\"]\n"},
		{"the first party of the first profile", Edit{Client: "three", Table: "client.profile.addresses", Key: "addresses.x", Value: `["a"]`}, "version = \"14.0\"\n", "version = \"14.0\"\n[client.profile.addresses]\nx = [\"a\"]\n"},
		{"the second profile", Edit{Client: "three", Profile: 1, Key: "features", Value: `["a"]`}, "role = \"agent\"\n", "role = \"agent\"\nfeatures = [\"a\"]\n"},
		{"the first profile", Edit{Client: "three", Key: "version", Value: `"15"`}, `version = "14.0"`, `version = "15"`},
		{"sources beside profiles", Edit{Client: "three", Key: "sources", Value: `["a"]`}, `sources = ["10.3.0.0/16"]`, `sources = ["a"]`},
		{"a rule", Edit{Rule: "[[rule]]\nid = \"n\"\n"}, "statement\"]\n\"\"\"\n", "statement\"]\n\"\"\"\n\n[[rule]]\nid = \"n\"\n"},
	} {
		got, err := ApplyEdits(s.Config, []byte(edited), []Edit{c.m})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if strings.Count(edited, c.from) != 1 {
			t.Fatalf("%s: %q is not there once", c.what, c.from)
		}
		if want := strings.Replace(edited, c.from, c.to, 1); string(got) != want {
			t.Errorf("%s:\n%s", c.what, got)
		}
	}
}

func TestEditsRefusesWhatItDoesNotKnow(t *testing.T) {
	const head = "[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = [\"endpoint-secure-onprem\"]\n"
	for what, c := range map[string]struct {
		text string
		m    Edit
	}{
		"inline addresses":           {head + "addresses = { manager = [\"10.0.0.1\"] }\n", Edit{Client: "c", Key: "addresses.manager", Value: "[]"}},
		"a table of ports":           {head + "[client.ports]\nagent-upgrade = 4431\n", Edit{Client: "c", Key: "ports", Value: "{}"}},
		"a client that is not there": {head, Edit{Client: "d", Key: "features", Value: "[]"}},
	} {
		s := siteOf(t, c.text)
		if got, err := ApplyEdits(s.Config, []byte(c.text), []Edit{c.m}); err == nil {
			t.Errorf("%s:\n%s", what, got)
		}
	}
	// A suggestion that cannot be tried out has a note, and is not Verified.
	s := siteOf(t, strings.Replace(head, "profiles", "role = \"agent\"\naddresses = {}\nprofiles", 1))
	sg := suggestFor(t, s, attempt(t, "10.0.0.1", "10.20.30.40", 443))[0]
	if sg.Verified || sg.TOML == "" || !strings.Contains(sg.Why, "not tried out") {
		t.Errorf("%+v", sg)
	}
	if _, err := s.Whole([]*Suggestion{sg}); err == nil {
		t.Error("a whole configuration without the change")
	}
}

func TestEditsDottedAddresses(t *testing.T) {
	const text = "[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = [\"endpoint-secure-onprem\"]\nrole = \"agent\"\naddresses.manager = [\"10.0.0.1\"]\n"
	s := siteOf(t, text)
	got, err := ApplyEdits(s.Config, []byte(text), []Edit{{Client: "c", Key: "addresses.manager", Value: `["10.0.0.2"]`}})
	if err != nil || string(got) != strings.Replace(text, "0.0.1", "0.0.2", 1) {
		t.Errorf("%v\n%s", err, got)
	}
}

// A question is a comment, so it changes nothing, in every form of the client's
// addresses. An operator can answer one question alone, or all of them.
func TestEditsAsks(t *testing.T) {
	head := "[[client]]\nname = \"c\"\nsources = [\"10.1.0.1\"] # here\nprofiles = [\"symantec-endpoint-protection\"]\nrole = \"manager\"\n"
	for what, tail := range map[string]string{
		"no addresses yet":        "\n# of the next\n[[rule]]\nid = \"r\"\nclient = \"c\"\nto = [\"a.example\"]\ntcp = [443]\nreason = \"T\"\n",
		"a table of addresses":    "[client.addresses]\nsyslog = [\"10.9.9.1\"]\n",
		"addresses as keys":       "addresses.syslog = [\"10.9.9.1\"]\n",
		"the last of the file":    "",
		"another client below it": "[[client]]\nname = \"d\"\nsources = [\"10.2.0.1\"]\nprofiles = []\n",
	} {
		s := siteOf(t, head+tail)
		list := []Edit{
			{Client: "c", Key: "addresses.database", Value: `["10.9.9.2"]`, Ask: "who is this? A"},
			{Client: "c", Key: "addresses.update-provider", Value: `["10.9.9.3"]`, Ask: "who is this? B"},
			{Client: "c", Key: "sources", Value: `["10.1.0.1", "10.1.0.2"]`, Ask: "who is this? C"},
			{Client: "c", Key: "ports", Value: "{ embedded-database = 2639 }", Ask: "was this port moved? D"},
		}
		now := s
		for _, m := range list {
			next, text, err := now.with([]Edit{m})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if !strings.HasPrefix(string(text), "[[client]]\n") || len(rules.Diff(s.Policy, next.Policy)) > 0 {
				t.Errorf("%s: a question changes something:\n%s", what, text)
			}
			now = next
		}
		asked := string(now.src.Text)
		if strings.Count(asked, "\n# who is this? ")+strings.Count(asked, "\n# was this port moved? ") != len(list) {
			t.Errorf("%s:\n%s", what, asked)
		}
		yes := siteOf(t, answers(t, now, nil))
		c := yes.client("c")
		if len(c.Sources) != 2 || len(c.Addresses["database"]) != 1 || len(c.Addresses["update-provider"]) != 1 || c.Profiles[0].Ports["embedded-database"] != 2639 {
			t.Errorf("%s: answered, it is %+v:\n%s", what, c, yes.src.Text)
		}
	}
}
