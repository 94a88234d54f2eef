// Synthetic: every mistake of the keys is reported with its line, all at once.

package site

import (
	"strings"
	"testing"
)

const synthetic = `[listen]
dns         = ["198.18.0.1:5300"]
transparent = ["[::]:3129"]
[dns]
upstreams = ["udp://198.18.0.53"]
synthetic = ["198.18.0.0/15", "fd53::/64"]
synthetic_secret_file = "secret"
[hosts]
"a.example" = ["198.19.0.7"]
[resolve]
private = ["198.18.9.0/24"]
nat64   = ["fd53::/96"]
[[client]]
name      = "c"
sources   = ["198.18.3.3"]
profiles  = []
synthetic = true
[[rule]]
id     = "r"
client = "c"
to     = ["198.18.5.0/24", "198.16.0.0/14", "b.example"]
tcp    = [443]
reason = "test"
`

func TestSynthetic(t *testing.T) {
	secret := memory{"/d/secret": strings.Repeat("x", 32) + "\n", "/d/short": "too short\n"}
	good := strings.NewReplacer("198.18.0.1:5300", "10.0.0.1:5300", "198.18.0.53", "192.0.2.53", "198.19.0.7", "10.0.0.7", `"198.18.9.0/24"`, "", `"fd53::/96"`, "", "198.18.3.3", "10.0.0.3", "198.18.5.0/24", "10.0.5.0/24").Replace(synthetic)
	for _, c := range []struct {
		what, text string
		want       []string // parts of problems
	}{
		{"good", good, nil},
		{"addresses of the configuration in the prefixes", synthetic, []string{
			`2: [listen] dns: 198.18.0.1:5300 is in [dns] synthetic 198.18.0.0/15`,
			`5: [dns] upstreams: udp://198.18.0.53 is in`, `9: hosts: 198.19.0.7 of a.example is in`,
			`11: [resolve] private: 198.18.9.0/24 is in`, `12: [resolve] nat64: fd53::/96 is in [dns] synthetic fd53::/64`,
			`13: client "c": source 198.18.3.3/32 is in`, `18: rule "r": 198.18.5.0/24 is in`,
		}},
		{"no secret", strings.Replace(good, "synthetic_secret_file", "#", 1), []string{"4: dns.synthetic_secret_file is missing: name a file for the secret", "openssl rand -hex 32"}},
		{"a secret that is not there", strings.Replace(good, `"secret"`, `"none"`, 1), []string{"7: synthetic_secret_file: /d/none: ", "openssl rand -hex 32 > /d/none"}},
		{"a short secret", strings.Replace(good, `"secret"`, `"short"`, 1), []string{"7: synthetic_secret_file: /d/short has a secret of 9 characters, and must have at least 32", "the same file"}},
		{"a secret alone", strings.Replace(good, "synthetic = [", "#", 1), []string{"7: warning: synthetic_secret_file: has no effect", `13: client "c" has synthetic = true, but [dns] synthetic lists no prefix`}},
		{"public prefixes", strings.Replace(good, `"198.18.0.0/15", "fd53::/64"`, `"8.8.0.0/16", "2600::/64"`, 1), []string{"6: synthetic: 8.8.0.0/16 can have hosts", "6: synthetic: 2600::/64 can have hosts"}},
		{"small prefixes", strings.Replace(good, `"198.18.0.0/15", "fd53::/64"`, `"198.18.0.0/25", "fd53::/96"`, 1), []string{"6: synthetic: 198.18.0.0/25 has too few addresses for names: use a /24", "6: synthetic: fd53::/96 has too few addresses for names: use a /64"}},
		{"two of a family", strings.Replace(good, `"fd53::/64"`, `"10.9.0.0/16"`, 1), []string{"6: synthetic: 198.18.0.0/15 and 10.9.0.0/16 are of one family"}},
		{"no prefix", strings.Replace(good, `"fd53::/64"`, `"fd53::"`, 1), []string{"6: synthetic: fd53::/128 has too few"}},
		{"no client", strings.Replace(good, "synthetic = true\n", "", 1), []string{"6: warning: synthetic: has no effect, because no [[client]] has synthetic = true"}},
		{"no listener", strings.Replace(good, "transparent = [", "#", 1), []string{"6: warning: synthetic: [listen] has neither transparent nor tproxy, so this sallyport receives no redirected connection"}},
		{"no listener for DNS", strings.Replace(good, "dns         = [", "#", 1), []string{"6: warning: synthetic: [listen] dns is empty, so no client gets"}},
		{"a wrong type", strings.Replace(good, "synthetic = true", `synthetic = "yes"`, 1), []string{"17: synthetic: "}},
	} {
		cfg, problems := Parse("c.toml", Disk{Dir: "/d", Files: secret}, []byte(c.text), nil)
		var all strings.Builder
		for _, p := range problems {
			all.WriteString(strings.Replace(p.String(), "c.toml:", "", 1) + "\n")
		}
		bad := false
		for _, w := range c.want {
			bad = bad || strings.Contains(w, ": ") && !strings.Contains(w, "warning: ")
			if !strings.Contains(all.String(), w) {
				t.Errorf("%s: no %q among\n%s", c.what, w, all.String())
			}
		}
		if bad != (cfg == nil) || len(c.want) == 0 && len(problems) > 0 {
			t.Errorf("%s: configuration %v, problems\n%s", c.what, cfg != nil, all.String())
		}
	}
	cfg, problems := Parse("c.toml", Disk{Dir: "/d", Files: secret}, []byte(good), nil)
	if cfg == nil {
		t.Fatal(problems)
	}
	if got := string(cfg.Synthetic.Secret); got != strings.Repeat("x", 32) || !cfg.Clients[0].Synthetic {
		t.Errorf("the secret %q, the client %v", got, cfg.Clients[0].Synthetic)
	}
	if in := cfg.Inputs[len(cfg.Inputs)-1]; !in.Secret || in.Path != "/d/secret" || in.Key != "[dns] synthetic_secret_file" {
		t.Errorf("the input is %+v: who reads it would be unwatched or unchecked", in)
	}
	other, _ := Parse("c.toml", Disk{Dir: "/d", Files: memory{"/d/secret": strings.Repeat("y", 32)}}, []byte(good), nil)
	if other.Revision == cfg.Revision {
		t.Error("another secret has the same revision")
	}
}
