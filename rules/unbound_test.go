// Unbound: which clients cause a warning that rules permit nothing.

package rules_test

import (
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// one is a correct client of five lines.
const one = `[[client]]
name     = "one"
sources  = ["10.0.0.1"]
profiles = ["product"]
`

func TestUnboundRolesAreWarnedOf(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"no profile", strings.Replace(one, `"product"`, "", 1), ""},
		{"a role without destinations", strings.Replace(one, `"product"`, `"another"`, 1), ""},
		{"one role", one, `site.toml:1: warning: client "one": role:syslog is not bound: 1 rule permits nothing; set [client.addresses] syslog = [...]`},
		{"another role", one + "role = \"agent\"\n", `site.toml:1: warning: client "one": role:manager is not bound: 1 rule permits nothing; set [client.addresses] manager = [...]`},
		{"bound", one + "[client.addresses]\nsyslog = [\"10.0.0.9\"]\n", ""},
		{"another bound", one + "[client.addresses]\nmanager = [\"10.0.0.9\"]\n", ""},
	} {
		cfg, problems := site.Parse("site.toml", site.Disk{}, []byte(c.text), testProfiles(t))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		_, warnings := Compile(&cfg.Spec, testOwn(), today)
		var got []string
		for _, w := range warnings {
			got = append(got, w.String())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, strings.Join(got, "\n"), c.want)
		}
	}
}
