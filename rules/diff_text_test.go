// The texts of gains.

package rules_test

import (
	"reflect"
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// The texts of Diff for changes that an operator makes.
func TestDiffText(t *testing.T) {
	const base = `[[client]]
name = "es"
sources = ["10.1.0.0/24"]
profiles = []
[[rule]]
id = "one"
client = "es"
to = ["a.corp.example", "10.9.0.0/25"]
tcp = [443]
reason = "x"
`
	rule := func(to, ports string) string {
		return base + "[[rule]]\nid = \"two\"\nclient = \"es\"\nto = [" + to + "]\n" + ports + "\nreason = \"x\"\n"
	}
	for _, c := range []struct {
		what, after string
		want        []string
	}{
		{"nothing", base, nil},
		{"a whole range", rule(`"b.example"`, `tcp = [22, "8000-8010"]`), []string{"site/two: b.example: tcp 22, 8000-8010"}},
		{"any = true", rule(`"45.83.7.0/24"`, `any = true`), []string{"site/two: 45.83.7.0/24: every protocol and port, whatever the content"}},
		{"a wildcard over a name that has it", rule(`"*.corp.example"`, `tcp = [443]`), []string{"site/two: *.corp.example, but not a.corp.example: tcp 443"}},
		{"a wildcard with more ports", rule(`"*.corp.example"`, `tcp = [80, 443]`),
			[]string{"site/two: *.corp.example, but not a.corp.example: tcp 80, 443", "site/two: a.corp.example: tcp 80"}},
		{"a prefix around one that has it", rule(`"10.9.0.0/24"`, `tcp = [443]`), []string{"site/two: 10.9.0.0/24, but not 10.9.0.0/25: tcp 443"}},
		{"what a rule has already", rule(`"a.corp.example"`, `tcp = [443]`), nil},
		{"every port of both protocols", rule(`"b.example"`, "tcp = \"all\"\nudp = \"all\""), []string{"site/two: b.example: tcp all; udp all"}},
		{"another source", strings.Replace(base, `"10.1.0.0/24"`, `"10.1.0.0/24", "10.7.7.7"`, 1),
			[]string{"site/one: a.corp.example: tcp 443", "site/one: 10.9.0.0/25: tcp 443"}},
		{"audit mode", strings.Replace(base, "profiles", "mode = \"audit\"\nprofiles", 1), []string{`mode "audit": attempts that no rule permits are let through and recorded`}},
		{"a zone", base + "[[dns.zone]]\nsuffix = \"int.example\"\nupstreams = [\"udp://10.0.0.53\"]\n",
			[]string{"int.example: look-ups through its [[dns.zone]], private answers included", "*.int.example: look-ups through its [[dns.zone]], private answers included"}},
		{"private answers", base + "[resolve]\nprivate = [\"10.0.0.0/8\"]\n", []string{"[resolve] private: permitted names may resolve to 10.0.0.0/8"}},
		{"a name tied to addresses", strings.Replace(base, `tcp = [443]`, `tcp = [443, 80]`, 1), []string{"site/one: a.corp.example: tcp 80", "site/one: 10.9.0.0/25: tcp 80"}},
		{"a name tied to addresses that it had", rule(`"a.corp.example", "10.9.0.0/26", "10.10.0.1"`, `tcp = [443]`),
			[]string{"site/two: a.corp.example at 10.10.0.1: tcp 443", "site/two: 10.10.0.1: tcp 443"}},
	} {
		text := c.after
		oldC, _ := site.Parse("x", site.Disk{}, []byte(base), nil)
		newC, problems := site.Parse("x", site.Disk{}, []byte(text), nil)
		if newC == nil {
			t.Fatal(problems)
		}
		old, _ := Compile(&oldC.Spec, Own{}, today)
		new, _ := Compile(&newC.Spec, Own{}, today)
		var got []string
		for _, g := range Diff(old, new) {
			got = append(got, g.String())
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
