// Covered: which rules a wildcard permits as well, and which condition it makes void.

package lint

import (
	"fmt"
	"strings"
	"testing"
)

const feature = "[[feature]]\nname = \"telemetry\"\n"

// A wildcard permits a name whose feature is off. The finding is about the rule with the
// condition, and only its own note answers it.
func TestAWildcardMakesAConditionVoid(t *testing.T) {
	wild := row("all", "server", `"*.vendor.com"`, "tcp = [443]", `note = "The document prints *.vendor.com."`)
	cond := func(from, port string, more ...string) string {
		return row("tele", from, `"telemetry.vendor.com"`, "tcp = ["+port+"]", more...)
	}
	const void = `rule "tele": telemetry.vendor.com is permitted without the condition when "telemetry": the rule "all" permits *.vendor.com; name the hosts in rule "all"`
	for _, c := range []struct{ what, text, want string }{
		{"the same role and port", wild + cond("server", "443", `when = ["telemetry"]`), void},
		{"a version", wild + cond("server", "443", `since = "7.1"`), `without the condition since 7.1`},
		{"another role", wild + cond("agent", "443", `when = ["telemetry"]`), ""},
		{"another port", wild + cond("server", "8443", `when = ["telemetry"]`), ""},
		{"no condition", wild + cond("server", "443"), ""},
		{"the wildcard has it too", row("all", "server", `"*.vendor.com"`, "tcp = [443]", `when = ["telemetry"]`) + cond("server", "443", `when = ["telemetry"]`), ""},
	} {
		got := found(t, head+feature+c.text)
		if c.want == "" && strings.Contains(got, "without the condition") || !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant %q", c.what, got, c.want)
		}
	}
	noted := found(t, head+feature+wild+cond("server", "443", `when = ["telemetry"]`, `note = "telemetry.vendor.com also serves updates."`))
	if !strings.Contains(noted, "noted: rule \"tele\": telemetry.vendor.com is permitted without the condition") {
		t.Errorf("a note does not answer it:\n%s", noted)
	}
}

// The finding about a wildcard lists the covered rules: those with a condition first, then
// those of other roles, and a count.
func TestAWildcardListsWhatItCovers(t *testing.T) {
	text := head + feature + row("all", "server", `"*.vendor.com"`, "tcp = [443]")
	for i := range 6 {
		text += row(fmt.Sprintf("r%d", i), "server", fmt.Sprintf(`"host-%c.vendor.com"`, 'a'+i), "tcp = [80]")
	}
	text += row("other", "agent", `"for-agents.vendor.com"`, "tcp = [80]") + row("cond", "server", `"telemetry.vendor.com"`, "tcp = [80]", `when = ["telemetry"]`)
	want := `(it also permits telemetry.vendor.com, which has the rule "cond" when "telemetry"; for-agents.vendor.com, which has the rule "other" from agent; ` +
		`host-a.vendor.com, which has the rule "r0"; host-b.vendor.com, which has the rule "r1"; and 4 more)`
	if got := found(t, text); !strings.Contains(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
}
