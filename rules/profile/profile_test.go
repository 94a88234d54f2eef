// Profiles: which texts are refused, with which message and line, and how the
// others are read.

package profile

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

// head is a profile of seven lines without rules.
const head = `name  = "p"
roles = ["manager", "agent"]
binds = ["syslog"]
[document]
title = "T"
[[feature]]
name = "cloud"
`

// row returns a profile with a rule of five lines from line 8 on, followed by last.
func row(last string) string {
	return head + "[[rule]]\nid = \"r\"\nfrom = \"manager\"\nto = [\"a.example\"]\npurpose = \"x\"\n" + last + "\n"
}

// fixture returns the text of a profile that the tests of several packages share.
func fixture(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile("../testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProfileRefusals(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"no rules is a profile that permits nothing", head, ""},
		{"one rule", row("tcp = [443]"), ""},
		{"syntax", "name = ", "p.toml:1: name: has no value: write one behind the =, or remove the line"},
		{"nothing", " \n", "p.toml: the file is empty; is it being written?"},
		{"no key", "# to do\n", "p.toml: name is missing: clients and explain use the profile's name\n" +
			"p.toml: roles is missing: list the roles of the document, the default one first\n" +
			"p.toml: document.title is missing: name the document that the rules are typed from"},
		{"a configuration", "[listen]\nhttp = [\"127.0.0.1:3128\"]\n[[client]]\nname = \"c\"\n", "p.toml: this is a configuration, not a profile; to check it: sallyport check --config p.toml"},
		{"a misspelt key is no missing key", strings.Replace(row("tcp = [1]"), "from =", "form =", 1), `p.toml:10: unknown key "form": did you mean "from"?`},
		{"no role that connects", strings.Replace(row("tcp = [1]"), "from = \"manager\"\n", "", 1), `p.toml:8: rule "r": from is missing: write the role that connects`},
		{"no id", strings.Replace(row("tcp = [1]"), "id = \"r\"\n", "", 1), `p.toml:8: the 1st [[rule]]: id is missing: name the rule, once in the profile`},
		{"the site's name", strings.Replace(head, `"p"`, `"site"`, 1), `p.toml:1: name: "site" is not a profile name: lower-case letters, digits and hyphens, and not "site"`},
		{"unknown key", "nmae = \"q\"\n" + head, `p.toml:1: unknown key "nmae": did you mean "name"?`},
		{"unknown key of a rule", row("tcp = [1]\nPurpose = \"y\""), `p.toml:14: unknown key "Purpose": did you mean "purpose"?`},
		{"unknown key of the document", strings.Replace(head, "title", "author = \"a\"\ntitle", 1), `p.toml:5: unknown key "author": known here: language, note, released, retrieved, sha256, title, url, version`},
		{"a document with everything", strings.Replace(head, "[[feature]]", "released = 2026-05-01\nretrieved = \"2026-05-01\"\nurl = \"https://docs.example/ports\"\nlanguage = \"pt-BR\"\nsha256 = \""+strings.Repeat("aB", 32)+"\"\n[[feature]]", 1), ""},
		{"a document with every mistake", strings.Replace(head, "[[feature]]", "released = 2026-05-02\nretrieved = 2026-05-01\nurl = \"docs.example/ports\"\nlanguage = \"German language\"\nsha256 = \""+strings.Repeat("ab", 31)+"\"\n[[feature]]", 1),
			"p.toml:7: retrieved: 2026-05-01 is before the document was released, on 2026-05-02\n" +
				"p.toml:8: url: \"docs.example/ports\" is not the address of a page, like \"https://docs.example/ports\"\n" +
				"p.toml:9: language: \"German language\" is not a language tag like \"en\" or \"pt-BR\"\n" +
				"p.toml:10: sha256: \"" + strings.Repeat("ab", 31) + "\" is not a SHA-256 hash of 64 hexadecimal digits, as sha256sum prints it"},
		{"a date that is none", strings.Replace(head, "[[feature]]", "retrieved = \"May\"\n[[feature]]", 1), "p.toml:6: retrieved: must be a date like 2027-06-30"},
		{"a page of another kind", strings.Replace(head, "[[feature]]", "url = \"file:///etc/passwd\"\n[[feature]]", 1), "p.toml:6: url: \"file:///etc/passwd\" is not the address of a page, like \"https://docs.example/ports\""},
		{"replaces nothing", "replaces = \"\"\n" + head, "p.toml:1: replaces: is empty: write the version or the revision of the shipped profile"},
		{"a role that is none", strings.Replace(head, "agent", "the agent", 1), `p.toml:2: roles: "the agent" is not a role name: lower-case letters, digits and hyphens`},
		{"one role twice", strings.Replace(head, "agent", "manager", 1), `p.toml:2: roles: "manager" is listed twice`},
		{"one feature twice", head + "[[feature]]\nname = \"cloud\"\n", `p.toml:9: name: "cloud" is not a feature name, or is used twice`},
		{"a port without a default", head + "[[port]]\nname = \"x\"\n", `p.toml:8: port "x": default is missing: give the port that the document states`},
		{"a default that is no port", head + "[[port]]\nname = \"x\"\ndefault = 70000\n", "p.toml:10: default: 70000 is not from 1 to 65535"},
		{"a rule from an unknown role", strings.Replace(row("tcp = [1]"), `from = "manager"`, `from = "boss"`, 1), `p.toml:10: from: "boss" is not one of the profile's roles; the roles are "manager", "agent"`},
		{"a rule from a bind", strings.Replace(row("tcp = [1]"), `from = "manager"`, `from = "syslog"`, 1), `p.toml:10: from: "syslog" is not one of the profile's roles; the roles are "manager", "agent"`},
		{"a rule to an unknown role", strings.Replace(row("tcp = [1]"), `"a.example"`, `"role:boss"`, 1), `p.toml:11: to: role:boss is not one of the profile's roles or binds (a party that only receives is in a line at the top of the file, binds = ["boss"]); the parties are "manager", "agent", "syslog"`},
		{"a role without role:", strings.Replace(row("tcp = [1]"), `"a.example"`, `"a.example", "syslog"`, 1), `p.toml:11: to: "syslog" is a role of the profile: write to = ["role:syslog"], and a site says in [client.addresses] where it is`},
		{"a bind that is none", strings.Replace(head, "syslog", "the log", 1), `p.toml:3: binds: "the log" is not a role name: lower-case letters, digits and hyphens`},
		{"a range without quotes", row("tcp = [443, 8000-8010]"), `p.toml:13: tcp: write a range as a text: "8000-8010"`},
		{"a rule to a bind", strings.Replace(row("tcp = [1]"), `"a.example"`, `"role:syslog"`, 1), ""},
		{"a rule to no role", strings.Replace(row("tcp = [1]"), `"a.example"`, `"role:"`, 1), `p.toml:11: to: "role:" is not role: and the name of a role`},
		{"an unknown feature", row("tcp = [1]\nwhen = [\"cloud\", \"rain\"]"), `p.toml:14: when: "rain" is not one of the profile's features (a feature has the two lines [[feature]] and name = "rain", and each of its rules has when = ["rain"]); the features are "cloud"`},
		{"a misspelt feature", row("tcp = [1]\nwhen = [\"clout\"]"), `p.toml:14: when: "clout" is not one of the profile's features (a feature has the two lines [[feature]] and name = "clout", and each of its rules has when = ["clout"]): did you mean "cloud"?`},
		{"no purpose", strings.Replace(row("tcp = [1]"), "purpose = \"x\"\n", "", 1), `p.toml:8: rule "r": purpose is missing: state what the document says the rule is for`},
		{"one id twice", row("tcp = [1]") + "[[rule]]\nid = \"r\"\nfrom = \"manager\"\nto = [\"b.example\"]\npurpose = \"x\"\ntcp = [1]\n", `p.toml:15: id: "r" is not a rule id, or is used twice: lower-case letters, digits, dots and hyphens`},
		{"versions the wrong way round", row("tcp = [1]\nsince = \"6.0.10\"\nuntil = \"6.0.4\""), `p.toml:15: until: "6.0.4" is not after since "6.0.10"`},
		{"no version", row("tcp = [1]\nsince = \"\""), `p.toml:14: since: "" is not a version: write a version as "6.0.4", "14 MP2" (maintenance patch), "14.3 RU5" (release update), "14 RU1 MP2" or "14.3 RU10 Patch 1"`},
		{"no ports", row(""), `p.toml:8: rule "r": tcp is missing: list the ports: tcp = […], udp = […], or any = true`},
		{"ports and any", row("udp = \"all\"\nany = true"), `p.toml:14: any: any = true already means every protocol and port: remove tcp and udp`},
		{"an unnamed port", row("tcp = [\"upgrade\"]"), `p.toml:13: tcp: "upgrade" is neither a port range nor a [[port]] of the profile`},
		{"a wildcard on a public suffix", strings.Replace(row("tcp = [1]"), `a.example`, `*.com.cn`, 1), `p.toml:11: to: "*.com.cn": anyone can register a name under this public suffix; name the domain`},
		{"a mapped prefix", strings.Replace(row("tcp = [1]"), `a.example`, `::ffff:10.0.0.0/104`, 1), `p.toml:11: to: "::ffff:10.0.0.0/104" is not a prefix like 10.0.0.0/8`},
		{"bits behind a prefix", strings.Replace(row("tcp = [1]"), `a.example`, `10.1.0.0/8`, 1), `p.toml:11: to: "10.1.0.0/8" has bits set after its prefix length: write "10.0.0.0/8" or "10.1.0.0"`},
		{"an IPv6 zone", strings.Replace(row("tcp = [1]"), `a.example`, `fe80::1%eth0`, 1), `p.toml:11: to: "fe80::1%eth0": name has a byte other than a letter, digit, hyphen, underscore or dot`},
		{"a table's name as a key", row("tcp = [1]\nfeature = \"cloud\""), `p.toml:14: unknown key "feature": known here: any, from, id, local, note, purpose, section, since, tcp, to, udp, until, when`},
		{"several at once, in order", row("when = [\"rain\"]\ntcp = [0]\nflavour = 1"), "p.toml:13: when: \"rain\" is not one of the profile's features (a feature has the two lines [[feature]] and name = \"rain\", and each of its rules has when = [\"rain\"]); the features are \"cloud\"\np.toml:14: tcp: port 0 is not from 1 to 65535\n" +
			`p.toml:15: unknown key "flavour": known here: any, from, id, local, note, purpose, section, since, tcp, to, udp, until, when`},
	} {
		p, err := Parse("p.toml", []byte(c.text))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want || (p == nil) != (err != nil) {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

func TestProfileValues(t *testing.T) {
	p, err := Parse("profile.toml", []byte(fixture(t, "product.toml")))
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "product" || !slices.Equal(p.Roles, []string{"manager", "agent"}) || len(p.Features) != 2 || p.Ports[0] != (rules.Port{Name: "upgrade", Default: 4430, Line: 13}) {
		t.Errorf("%+v", p)
	}
	web, manager := p.Rules[0], p.Rules[slices.IndexFunc(p.Rules, func(r *rules.Rule) bool { return r.ID == "agent-manager" })]
	if web.String() != "product/web" || web.Source() != "Requirements, version 01, section 1" || web.Line != 16 {
		t.Errorf("%v of %q, line %d", web, web.Source(), web.Line)
	}
	if tcp, _ := p.DefaultPorts(manager); tcp.String() != "443, 4430" {
		t.Errorf("ports %v", tcp)
	}
	chosen := rules.ClientProfile{Profile: p, Ports: map[string]uint16{"upgrade": 444}}
	if tcp, _ := chosen.PortsOf(manager); tcp.String() != "443-444" {
		t.Errorf("ports as the site set them: %v", tcp)
	}
	for _, s := range []string{"a.example", "*.a.example", "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "role:manager", "2001:db8::1"} {
		if d, err := rules.ParseDestination(s); err != nil || d.String() != s {
			t.Errorf("%q is read as %v, %v", s, d, err)
		}
	}
}

// No text makes Parse panic. A profile has no error, and is the same when it is parsed again.
func FuzzProfile(f *testing.F) {
	for _, s := range []string{"", head, row("tcp = [443]"), fixture(f, "product.toml"), fixture(f, "another.toml")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("f.toml", []byte(text))
		again, err2 := Parse("f.toml", []byte(text))
		if (p == nil) != (err != nil) || (p == nil) != (again == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("%v, %v; then %v, %v", p != nil, err, again != nil, err2)
		}
		if p == nil {
			return
		}
		for i, r := range p.Rules {
			tcp, udp := p.DefaultPorts(r)
			if r.String() != again.Rules[i].String() || len(r.To) == 0 || !r.Any && len(tcp) == 0 && len(udp) == 0 {
				t.Fatalf("rule %v", r)
			}
		}
	})
}

// A document that leaves the names of a party open says so in wildcards, which lists roles
// and binds of the profile and nothing else.
func TestWildcardsOfAProfile(t *testing.T) {
	const text = "name = \"p\"\nroles = [\"server\"]\nbinds = [\"cloud\"]\nwildcards = [\"cloud\"]\n[document]\ntitle = \"T\"\n"
	p, err := Parse("p.toml", []byte(text))
	if err != nil || len(p.Wildcards) != 1 || p.Wildcards[0] != "cloud" {
		t.Fatalf("%v: %+v", err, p)
	}
	without, err := Parse("p.toml", []byte(strings.Replace(text, "wildcards = [\"cloud\"]\n", "", 1)))
	if err != nil || without.Revision == p.Revision {
		t.Errorf("%v: the revision %s does not change with wildcards", err, p.Revision)
	}
	_, err = Parse("p.toml", []byte(strings.Replace(text, "wildcards = [\"cloud\"]", "wildcards = [\"clod\"]", 1)))
	if err == nil || err.Error() != `p.toml:4: wildcards: "clod" is not one of the profile's roles or binds: did you mean "cloud"?` {
		t.Error(err)
	}
}

// The texts of a profile are printed on terminals, on pages and in exports, so a character
// that a terminal obeys, or that turns the direction of writing, is refused in each of them. A
// text of several lines becomes one line. A tab and other scripts are no mistake.
func TestTextsThatATerminalObeys(t *testing.T) {
	const text = "name = \"p\"\nroles = [\"a\"]\nproduct = \"#product\"\n[document]\ntitle = \"#title\"\nversion = \"#version\"\nnote = \"#about\"\n" +
		"[[feature]]\nname = \"f\"\nmeaning = \"#feature\"\n[[port]]\nname = \"n\"\ndefault = 5\nmeaning = \"#port\"\n" +
		"[[rule]]\nid = \"r\"\nfrom = \"a\"\nto = [\"a.example\"]\ntcp = [443]\npurpose = \"#purpose\"\nsection = \"#section\"\nnote = \"#note\"\n"
	for what, want := range map[string]string{
		"#product": "p.toml:3: product: ", "#title": "p.toml:5: title: ", "#version": "p.toml:6: version: ", "#about": "p.toml:7: note: ",
		"#feature": "p.toml:10: meaning: ", "#port": "p.toml:14: meaning: ",
		"#purpose": "p.toml:20: purpose: ", "#section": "p.toml:21: section: ", "#note": "p.toml:22: note: ",
	} {
		for escape, name := range map[string]string{
			`\u001b[31m`: "U+001B", `\r`: "U+000D", `\u0007`: "U+0007", `\u007f`: "U+007F", `\u009b`: "U+009B", `\u202e`: "U+202E", `\u2066`: "U+2066", `\u2028`: "U+2028",
		} {
			_, err := Parse("p.toml", []byte(strings.Replace(text, what, "x"+escape+"y"+escape, 1)))
			if full := want + "has the character " + name + ", which terminals obey or which hides text: remove it, and write the text in plain characters"; err == nil || err.Error() != full {
				t.Errorf("%s in %s: %v, want %s", escape, what, err, full)
			}
		}
		if _, err := Parse("p.toml", []byte(strings.Replace(text, what, `Gerät\t製品\u200f`, 1))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	p, err := Parse("p.toml", []byte(strings.Replace(text, `"#note"`, "\"\"\"\nfirst\r\nsecond\nthird\n\"\"\"", 1)))
	if err != nil || p.Rules[0].Note != "first second third" {
		t.Errorf("a note of three lines: %v", err)
	}
}
