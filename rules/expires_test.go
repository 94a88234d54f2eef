// Expiry: a rule ends with a day, or at an instant in any zone.

package rules_test

import (
	"strings"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/site"
)

func TestARuleEndsAtAnInstant(t *testing.T) {
	const text = `[[client]]
name     = "mgr"
sources  = ["10.1.0.1"]
profiles = []
[[rule]]
id      = "window"
client  = "mgr"
to      = ["window.example"]
tcp     = [443]
reason  = "CHG-1"
expires = 2026-12-01T18:00:00+01:00
`
	end := time.Date(2026, 12, 1, 17, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		now                   time.Time
		decision, warns, hint string
	}{
		{end.Add(-time.Second), "allow site/window", "site.toml:5: warning: rule window expires at 2026-12-01T18:00:00+01:00: set a later expires if it is still needed", ""},
		{end, "deny expired near site/window", "site.toml:5: warning: rule window expired at 2026-12-01T18:00:00+01:00 and permits nothing",
			"rule site/window expired at 2026-12-01T18:00:00+01:00 (CHG-1): set a later expires, or remove the rule"},
	} {
		cfg, problems := site.Parse("site.toml", site.Disk{}, []byte(text), testProfiles(t))
		if cfg == nil {
			t.Fatal(problems)
		}
		p, warnings := Compile(&cfg.Spec, testOwn(), c.now)
		checkDecisions(t, p, []decisionCase{{c.now.String(), try("10.1.0.1", "window.example:443"), c.decision}})
		if got := warnings.Error(); len(warnings) != 1 || warnings[0].String() != c.warns {
			t.Errorf("%v: %s", c.now, got)
		}
		a := try("10.1.0.1", "window.example:443")
		if got := Hint(a, p.Decide(a)); got != c.hint {
			t.Errorf("%v: hint %q", c.now, got)
		}
		if at := p.NextExpiry(); c.hint == "" && !at.Equal(end) {
			t.Errorf("the policy is compiled again at %v, want %v", at, end)
		}
	}
	day := strings.Replace(text, "2026-12-01T18:00:00+01:00", "2026-12-01", 1)
	checkDecisions(t, compiled(t, day, end.Add(7*time.Hour-time.Second)), []decisionCase{{"on the day", try("10.1.0.1", "window.example:443"), "allow site/window"}})
	checkDecisions(t, compiled(t, day, end.Add(7*time.Hour)), []decisionCase{{"after the day", try("10.1.0.1", "window.example:443"), "deny expired near site/window"}})
}

func TestExpiresText(t *testing.T) {
	for _, c := range []struct{ at, want string }{
		{"2027-07-01T00:00:00Z", "2027-06-30"},
		{"2027-07-01T02:00:00+02:00", "2027-06-30"},
		{"2026-12-01T18:00:00+01:00", "2026-12-01T18:00:00+01:00"},
		{"2026-12-01T18:00:00Z", "2026-12-01T18:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := ExpiresText(at); got != c.want {
			t.Errorf("%s: %s, want %s", c.at, got, c.want)
		}
	}
	if got := ExpiresText(time.Time{}); got != "" {
		t.Errorf("never: %q", got)
	}
}
