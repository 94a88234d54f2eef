// Tests of what a profile declares and no rule names.

package lint

import (
	"slices"
	"testing"

	"sallyport/rules"
)

func TestWhatNoRuleNames(t *testing.T) {
	server := row("a", "server", `"a.vendor.com"`, `tcp = ["control"]`, `when = ["telemetry"]`)
	agent := row("b", "agent", `"role:server"`, "tcp = [443]")
	for _, c := range []struct {
		what, text string
		want       []string
	}{
		{"everything is named", head + feature + server + agent, nil},
		{"the rule of a feature was removed", head + feature + row("a", "server", `"a.vendor.com"`, `udp = ["control"]`) + agent,
			[]string{`b.toml:9: warning: feature "telemetry": no rule has it in when: remove the [[feature]], or write when = ["telemetry"] into its rules`}},
		{"a port as a number", head + row("a", "server", `"a.vendor.com"`, "tcp = [8443]") + agent,
			[]string{`b.toml:6: warning: port "control": no rule has it in tcp or udp: remove the [[port]], or write "control" instead of the number into its rules`}},
		{"a role without a rule", head + feature + server, []string{`b.toml:1: warning: party "agent": no rule is from it or to it: remove it from roles or binds`}},
		{"no rules yet", head[:len("name = \"backup\"\nproduct = \"Made-up Backup\"\nroles = [\"server\", \"agent\"]\n[document]\ntitle = \"Requirements\"\n")], nil},
	} {
		var got []string
		for _, f := range Profiles([]*rules.Profile{parsed(t, "b.toml", c.text)}, nil) {
			if f.Check == Unused {
				got = append(got, f.String())
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
