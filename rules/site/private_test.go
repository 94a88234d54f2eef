// Private: which permitted names a warning says that the policy refuses by their address.

package site

import (
	"strings"
	"testing"

	"sallyport/rules"
)

func TestNamesWhosePrivateAddressIsRefused(t *testing.T) {
	const rule = "[[rule]]\nid = \"w\"\nclient = \"one\"\nto = [\"w.corp.example\"]\ntcp = [8530]\nreason = \"r\"\n"
	const zone = "[[dns.zone]]\nsuffix = \"corp.example\"\nupstreams = [\"udp://10.0.0.53\"]\n"
	const hosts = "[hosts]\n\"w.corp.example\" = \"10.0.0.9\"\n"
	const cure = ": list the address in [resolve] private, or beside the name in the rule or the binding"
	for _, c := range []struct{ what, text, want string }{
		{"neither hosts nor zone", rule, ""},
		{"hosts", rule + hosts, `site.toml:12: warning: hosts: w.corp.example is 10.0.0.9, so connections to it by rule site/w of client "one" are denied as private_address` + cure},
		{"hosts with a public address as well", rule + "[hosts]\n\"w.corp.example\" = [\"10.0.0.9\", \"198.41.0.4\"]\n", ""},
		{"hosts, and the address beside the name", strings.Replace(rule, `"w.corp.example"`, `"w.corp.example", "10.0.0.0/24"`, 1) + hosts, ""},
		{"hosts, and [resolve] private", rule + hosts + "[resolve]\nprivate = [\"10.0.0.0/8\"]\n", ""},
		{"hosts of a name that no rule permits", rule + "[hosts]\n\"x.corp.example\" = \"10.0.0.9\"\n", ""},
		{"zone", rule + zone, `site.toml:5: warning: rule site/w of client "one": w.corp.example is in the internal zone corp.example; if its address is private, connections to it are denied as private_address` + cure},
		{"zone, and [resolve] private", rule + zone + "[resolve]\nprivate = [\"10.0.0.0/8\"]\n", ""},
		{"zone, and the address beside the name", strings.Replace(rule, `"w.corp.example"`, `"w.corp.example", "10.0.0.0/24"`, 1) + zone, ""},
		{"another zone", rule + strings.Replace(zone, "corp", "lab", 1), ""},
	} {
		cfg, problems := Parse("site.toml", Disk{}, []byte(one+c.text), testProfiles(t))
		if cfg == nil {
			t.Fatalf("%s: %v", c.what, problems)
		}
		policy, _ := rules.Compile(&cfg.Spec, testOwn(), today)
		var got []string
		for _, p := range cfg.CheckPrivate(policy) {
			got = append(got, p.String())
		}
		if text := strings.Join(got, "\n"); text != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, text, c.want)
		}
	}
}
