// Broad: which rules of documents are warned of as the broadest.

package rules_test

import (
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/site"
)

func TestBroadRulesAreWarnedOf(t *testing.T) {
	const warning = `permits every protocol and port of 13.94.16.103 and is the broadest rule of its profiles: if the site does not need it, leave it out with without = ["anything"] beside the profile; if it needs a few ports, permit them in a [[rule]]`
	tables := strings.Replace(one, "profiles = [\"product\"]\n", "", 1) + "[[client.profile]]\nname = \"another\"\n[[client.profile]]\nname = \"product\"\n"
	for _, c := range []struct{ what, text, want string }{
		{"no profile", strings.Replace(one, `"product"`, "", 1), ""},
		{"in force", one, `site.toml:1: warning: client "one": rule product/anything ` + warning},
		{"in a table of its own", tables, `site.toml:6: warning: client "one": rule product/anything ` + warning},
		{"left out", one + "without = [\"anything\"]\n", ""},
		{"for another role", one + "role = \"agent\"\n", ""},
		{"the site's own", strings.Replace(one, `"product"`, "", 1) + "[[rule]]\nid = \"r\"\nclient = \"one\"\nto = [\"203.0.113.7\"]\nany = true\nreason = \"r\"\n", ""},
	} {
		cfg, problems := site.Parse("site.toml", site.Disk{}, []byte(c.text), testProfiles(t))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		p, _ := Compile(&cfg.Spec, testOwn(), today)
		var got []string
		for _, w := range p.BroadRules("site.toml") {
			got = append(got, w.String())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, strings.Join(got, "\n"), c.want)
		}
	}
	if got := (*Policy)(nil).BroadRules("x"); len(got) != 0 {
		t.Errorf("no policy: %v", got)
	}
}
