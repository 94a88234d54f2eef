// Tests of Survey: what is left of a configuration with errors.

package site

import (
	"net/netip"
	"testing"

	"sallyport/rules"
)

// What Survey returns of a configuration with an error permits nothing, and has the files that the
// configuration names.
func TestSurveyPermitsNothing(t *testing.T) {
	const text = `[listen]
http = ["127.0.0.1:3128"]
[admin]
token_file = "token"
[[client]]
name = "c"
sources = ["10.1.2.3"]
profiles = []
[[rule]]
id = "r"
client = "c"
to = ["a.example"]
tcp = [443]
reason = "T"
`
	name, err := rules.ParseName("a.example")
	if err != nil {
		t.Fatal(err)
	}
	ask := rules.Attempt{Via: rules.ViaConnect, Proto: rules.TCP, Client: netip.MustParseAddrPort("10.1.2.3:1"), Authority: name, Dest: netip.AddrPortFrom(netip.Addr{}, 443), Provisional: true}
	for more, want := range map[string]bool{"": true, "tpc = [80]\n": false} {
		cfg, problems := Survey("c.toml", Disk{Dir: "/etc"}, []byte(text+more), nil)
		if (problems.Err() == nil) != want {
			t.Fatal(problems)
		}
		policy, _ := rules.Compile(&cfg.Spec, testOwn(), today)
		if got := policy.Decide(ask).Allowed(); got != want || len(cfg.Clients) != 1 || cfg.Secure != nil {
			t.Errorf("with %q: allowed %v, clients %d", more, got, len(cfg.Clients))
		}
		if len(cfg.Inputs) != 1 || cfg.Inputs[0] != (Input{Key: "[admin] token_file", Line: 4, Path: "/etc/token", Secret: true}) || len(cfg.Listen.HTTP) != 1 {
			t.Errorf("with %q: %+v", more, cfg.Inputs)
		}
	}
	if cfg, problems := Survey("c.toml", Disk{}, []byte("x"), nil); cfg == nil || problems.Err() == nil || cfg.File != "c.toml" {
		t.Errorf("no TOML: %v, %v", cfg, problems)
	}
}
