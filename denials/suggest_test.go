// Tests of suggestions: for every reason that a change can cure, the test puts the
// proposed text into the configuration, reads it and asks about the denial again.

package denials

import (
	"slices"
	"strings"
	"testing"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// denialOf returns the record that a gateway with the site's policy writes.
func denialOf(t testing.TB, s *Site, a rules.Attempt) journal.Record {
	t.Helper()
	d := s.Policy.Decide(a)
	if d.Allowed() && !d.Would {
		t.Fatalf("%v %v is permitted", a.Authority, a.Dest)
	}
	r := journal.RecordOf(noon, a, d)
	r.Boot, r.Seq = "b", 1
	return r
}

func udp(a rules.Attempt) rules.Attempt { a.Proto = rules.UDP; return a }

// suggestFor returns the suggestions for some attempts.
func suggestFor(t testing.TB, s *Site, as ...rules.Attempt) []*Suggestion {
	t.Helper()
	var tally Tally
	for _, a := range as {
		r := denialOf(t, s, a)
		tally.Add(&r)
	}
	return s.Suggest(tally.Groups(), 0, false)
}

const manager, agentAddr, sep, laptop = "10.1.0.7", "10.2.0.7", "10.3.0.7", "10.4.0.7"

func TestSuggestionPermitsAndNothingElse(t *testing.T) {
	s := siteOf(t, fleet)
	for _, c := range []struct {
		what   string
		a      rules.Attempt
		reason rules.Reason
		cure   Cure
		toml   string   // all of these, in order
		also   []string // parts of Also
		still  rules.Attempt
	}{
		{"a feature that is off", attempt(t, manager, "auth.sangfor.com", 443), rules.FeatureOff, CureFeature,
			`features = ["cyber-guardian", "neural-x"]`, []string{"auth-sea: auth.sea.sangfor.com: tcp 443"}, attempt(t, manager, "evil.example", 443)},
		{"one more of two features", attempt(t, manager, "auth.sea.sangfor.com", 443), rules.FeatureOff, CureFeature,
			`features = ["cyber-guardian", "neural-x"]`, []string{"auth: auth.sangfor.com: tcp 443"}, attempt(t, agentAddr, "auth.sea.sangfor.com", 443)},
		{"a look-up for a feature that is off", attempt(t, manager, "auth.sangfor.com", 0), rules.FeatureOff, CureFeature,
			`features = ["cyber-guardian", "neural-x"]`, []string{"auth-sea"}, attempt(t, manager, "www.auth.sangfor.com", 0)},
		{"a role that is not bound", attempt(t, agentAddr, "10.20.30.40", 443), rules.IPLiteral, CureBinding,
			"# [client.addresses]\n# manager = [\"10.20.30.40\"]", []string{"agent-upgrade: 10.20.30.40: tcp 4430"}, attempt(t, agentAddr, "10.20.30.41", 443)},
		{"a role that is not bound, by name", attempt(t, agentAddr, "manager.corp.example", 4430), rules.NotListed, CureBinding,
			"# [client.addresses]\n# manager = [\"manager.corp.example\"]", []string{"webui: manager.corp.example: tcp 443"}, attempt(t, agentAddr, "other.corp.example", 4430)},
		{"another port", attempt(t, manager, "license.sangfor.com", 8080), rules.PortNotListed, CureRule,
			`tcp     = [8080]`, nil, attempt(t, manager, "license.sangfor.com", 8081)},
		{"another protocol", udp(attempt(t, manager, "license.sangfor.com", 443)), rules.ProtocolNotListed, CureRule,
			`udp     = [443]`, nil, udp(attempt(t, manager, "license.sangfor.com", 444))},
		{"another role", attempt(t, agentAddr, "license.sangfor.com", 443), rules.RoleNotListed, CureRule,
			`client  = "es-agents"`, nil, attempt(t, agentAddr, "x.sangfor.com", 443)},
		{"an expired rule", attempt(t, manager, "gone.corp.example", 443), rules.Expired, CureRule,
			`expires = 2027-02-20`, nil, attempt(t, manager, "also.gone.corp.example", 443)},
		{"a bare address", attempt(t, manager, "8.8.4.4", 443), rules.IPLiteral, CureRule,
			`to      = ["8.8.4.4"]`, nil, attempt(t, manager, "8.8.4.5", 443)},
		{"a private address", attempt(t, manager, "10.99.0.1", 8443), rules.IPLiteral, CureRule,
			`to      = ["10.99.0.1"]`, nil, attempt(t, manager, "10.99.0.1", 443)},
		{"an IPv6 address", attempt(t, manager, "2001:db8::1", 443), rules.IPLiteral, CureRule,
			`to      = ["2001:db8::1"]`, nil, attempt(t, manager, "2001:db8::2", 443)},
		{"a name that no document lists", attempt(t, manager, "wsus.corp.example", 8530), rules.NotListed, CureRule,
			"id      = \"es-manager-wsus.corp.example\"\nclient  = \"es-manager\"\nto      = [\"wsus.corp.example\"]\ntcp     = [8530]", nil,
			attempt(t, manager, "corp.example", 8530)},
		{"a look-up that no document lists", attempt(t, manager, "wsus.corp.example", 0), rules.NotListed, CureRule,
			`tcp     = [443]`, []string{"site/es-manager-wsus.corp.example: wsus.corp.example: tcp 443"}, attempt(t, manager, "a.wsus.corp.example", 0)},
		{"let through by mode audit", attempt(t, laptop, "wsus.corp.example", 443), rules.NotListed, CureRule,
			`client  = "laptops"`, nil, attempt(t, manager, "wsus.corp.example", 443)},
		{"an unknown client", attempt(t, "10.66.0.1", "license.sangfor.com", 443), rules.UnknownClient, CureBinding,
			`# sources = ["10.1.0.0/24", "10.66.0.1"]`, []string{"upd.sangfor.com"}, attempt(t, "10.66.0.2", "license.sangfor.com", 443)},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := s.Policy.Decide(c.a)
			if d.Why() != c.reason {
				t.Fatalf("denied as %v, want %v", d.Why(), c.reason)
			}
			list := suggestFor(t, s, c.a)
			if len(list) != 1 {
				t.Fatalf("%d suggestions", len(list))
			}
			sg := list[0]
			if sg.Cure != c.cure || !sg.Verified || !strings.Contains(sg.TOML, c.toml) || len(sg.Loses) > 0 {
				t.Errorf("%+v", sg)
			}
			for _, also := range c.also {
				if !slices.ContainsFunc(sg.Also, func(s string) bool { return strings.Contains(s, also) }) {
					t.Errorf("does not say that it permits %s: %q", also, sg.Also)
				}
			}
			if len(c.also) == 0 && len(sg.Also) > 0 {
				t.Errorf("permits more: %q", sg.Also)
			}
			after := applied(t, s, list)
			if sg.Asks {
				if got := after.Policy.Decide(c.a); got.Allowed() {
					t.Errorf("permitted before the question was answered, by %v", got.Rule)
				}
				after = siteOf(t, answers(t, s, list))
			}
			if got := after.Policy.Decide(c.a); !got.Allowed() || got.Would {
				t.Errorf("still denied: %v", got.Why())
			}
			if got := after.Policy.Decide(c.still); got.Allowed() && !got.Would {
				t.Errorf("permits %v %v too, by %v", c.still.Authority, c.still.Dest, got.Rule)
			}
		})
	}
}

// applied returns the site after all suggestions were written into its file, as by
// an operator. It reads the file as check does.
func applied(t testing.TB, s *Site, list []*Suggestion) *Site {
	t.Helper()
	text, err := s.Whole(list)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "# asked for in the contract") || !strings.Contains(string(text), "# The manager of the endpoints.") {
		t.Error("comments are lost")
	}
	return siteOf(t, strings.ReplaceAll(string(text), "FILL IN", "INC-1")) // a person fills it in
}

// answers returns the configuration with every question answered yes: as an
// operator would, it removes the # from the lines below each question.
func answers(t testing.TB, s *Site, list []*Suggestion) string {
	t.Helper()
	text, err := s.Whole(list)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	yes := false
	for i, l := range lines {
		rest, comment := strings.CutPrefix(l, "# ")
		switch {
		case strings.HasPrefix(rest, "who is this? ") || strings.HasPrefix(rest, "was this port moved? "):
			if yes = true; strings.Contains(rest, "put this in place of ") {
				lines[i-1] = ""
			}
		case yes && comment:
			lines[i] = rest
		default:
			yes = false
		}
	}
	return strings.Join(lines, "\n")
}

func TestVersionIsSuggested(t *testing.T) {
	s := siteOf(t, `
[[client]]
name = "saas"
sources = ["10.9.0.0/16"]
profiles = ["endpoint-secure-saas"]
`)
	a := attempt(t, "10.9.0.1", "download.sangfor.com.cn", 443)
	if d := s.Policy.Decide(a); d.Why() != rules.VersionExcluded {
		t.Fatal(d.Why())
	}
	sg := suggestFor(t, s, a)[0]
	// The document says only where the versions end. Which version the client has is a question.
	const want = `# is the version of saas below 6.0.4? endpoint-secure-saas/download-cn is only for such versions, and nothing here says so; if that is so, write it without the #
# version = "FILL IN: the version of saas, below 6.0.4"`
	if sg.Cure != CureBinding || !sg.Verified || !sg.Asks || strings.TrimSpace(sg.TOML) != want || !strings.Contains(sg.Why, "only if") || sg.Title != "find out which version saas has, then set the version, if it is below 6.0.4, for saas" {
		t.Errorf("%+v\n%s", sg, sg.TOML)
	}
	if whole, err := s.Whole([]*Suggestion{sg}); err != nil || !strings.Contains(string(whole), `# version = "FILL IN: the version of saas, below 6.0.4"`) {
		t.Errorf("%v\n%s", err, whole)
	}
}

// Suggest sets a port that the site moved, and lists what the policy would no
// longer permit.
func TestConfigurablePortIsSuggested(t *testing.T) {
	s := siteOf(t, fleet)
	sg := suggestFor(t, s, attempt(t, sep, "10.3.9.9", 8082))[0]
	if sg.Cure != CureBinding || !sg.Verified || !sg.Asks || !strings.HasSuffix(sg.TOML, "\n# ports = { sql-server = 8082 }\n") || !strings.Contains(sg.Why, "only if") {
		t.Errorf("%+v", sg)
	}
	if len(sg.Loses) != 1 || !strings.Contains(sg.Loses[0], "10.3.9.9: tcp 1433") {
		t.Errorf("loses %q", sg.Loses)
	}
	if d := applied(t, s, []*Suggestion{sg}).Policy.Decide(attempt(t, sep, "10.3.9.9", 8082)); d.Allowed() {
		t.Error("permitted before the question about the port was answered")
	}
	after := siteOf(t, answers(t, s, []*Suggestion{sg}))
	if d := after.Policy.Decide(attempt(t, sep, "10.3.9.9", 8082)); !d.Allowed() {
		t.Error(d.Why())
	}
	if sg := suggestFor(t, s, attempt(t, sep, "10.3.9.9", 22))[0]; sg.Cure != CureRule || !sg.Verified {
		t.Errorf("ssh is not a moved port: %+v", sg)
	}
}

// Denials of one destination become one rule. Denials that one feature permits
// become one suggestion.
func TestGroupsShareSuggestions(t *testing.T) {
	s := siteOf(t, fleet)
	list := suggestFor(t, s,
		attempt(t, manager, "wsus.corp.example", 0), attempt(t, manager, "wsus.corp.example", 8530), attempt(t, manager, "wsus.corp.example", 8531),
		attempt(t, "10.1.0.8", "wsus.corp.example", 8530), udp(attempt(t, manager, "wsus.corp.example", 53)),
		attempt(t, manager, "auth.sangfor.com", 443), attempt(t, manager, "auth.sangfor.com", 0), attempt(t, manager, "auth.sea.sangfor.com", 443))
	if len(list) != 2 || list[0].Count != 5 || list[1].Count != 3 {
		t.Fatalf("%d suggestions: %+v", len(list), list)
	}
	if rule := list[0].TOML; !strings.Contains(rule, "tcp     = [8530, 8531]\nudp     = [53]") || !list[0].Verified {
		t.Error(rule)
	}
	if !list[1].Verified || len(list[1].Also) != 0 {
		t.Errorf("%+v", list[1])
	}
}

// A client with a loopback address is on the gateway's host. Suggest may propose a
// rule for other loopback addresses, but none for a cloud's metadata service.
func TestRuleWithinTheHost(t *testing.T) {
	s := siteOf(t, strings.Replace(fleet, `["10.1.0.0/24"]`, `["127.0.0.1"]`, 1))
	for host, never := range map[string]bool{"127.8.8.8": false, "::1": false, "169.254.169.254": true} {
		list := suggestFor(t, s, attempt(t, "127.0.0.1", host, 443))
		if len(list) != 1 || (list[0].Cure == CureNever) != never || (list[0].TOML == "") != never {
			t.Errorf("%s: %+v", host, list)
			continue
		}
		if c := s.Cure(list[0].Groups[0]); (c == CureNever) != never {
			t.Errorf("%s is filed under %s", host, c)
		}
	}
}

// If [hosts] gives a name an address of sallyport itself or a private address,
// Suggest does not report that a rule would permit the name.
func TestRuleForANameThatLeadsNowhere(t *testing.T) {
	s := siteOf(t, fleet+"[hosts]\n\"gw.corp.example\" = [\"192.0.2.1\"]\n\"db.corp.example\" = [\"10.9.9.9\"]\n\"two.corp.example\" = [\"10.9.9.9\", \"45.83.7.10\"]\n")
	for _, c := range []struct {
		host string
		port uint16
		cure Cure
		good bool
		why  string
	}{
		{"gw.corp.example", 3128, CureNever, false, "self: "},
		{"db.corp.example", 8443, CureRule, false, "private address"},
		{"two.corp.example", 8443, CureRule, true, ""},
		{"none.corp.example", 8443, CureRule, true, ""},
	} {
		sg := suggestFor(t, s, attempt(t, manager, c.host, c.port))[0]
		if sg.Cure != c.cure || sg.Verified != c.good || !strings.Contains(sg.Why, c.why) || (sg.TOML == "") != (c.cure == CureNever) {
			t.Errorf("%s: %+v", c.host, sg)
		}
	}
}

// If the configuration has the role or address in another place, that is evidence.
// Suggest proposes such a change without a question, and before the questions.
func TestWhatTheConfigurationKnowsIsNoQuestion(t *testing.T) {
	known := strings.Replace(fleet, `["10.1.0.0/24"]`, `["10.1.0.0/24", "10.20.30.40"]`, 1)
	s := siteOf(t, known)
	list := suggestFor(t, s,
		attempt(t, agentAddr, "10.20.30.40", 443), attempt(t, "10.66.0.1", "license.sangfor.com", 443), attempt(t, "10.66.0.1", "license.sangfor.com", 0),
		attempt(t, "10.66.0.2", "license.sangfor.com", 443), attempt(t, manager, "wsus.corp.example", 8530))
	var got []string
	for _, sg := range list {
		got = append(got, string(sg.Cure)+map[bool]string{true: "?"}[sg.Asks])
	}
	if want := []string{"never", "binding", "rule", "binding?"}; len(got) != 4 || got[3] != want[3] || !slices.Contains(got, "binding") || !slices.Contains(got, "rule") || !slices.Contains(got, "never") {
		t.Errorf("%q", got)
	}
	for _, sg := range list {
		if sg.Cure == CureBinding && !sg.Asks && (!strings.HasPrefix(sg.TOML, "[client.addresses]\nmanager = ") || sg.Documented != documentedTexts[0]) {
			t.Errorf("%+v", sg)
		}
	}
	text, err := s.Whole(list)
	if n := strings.Count(string(text), "who is this?"); err != nil || n != 1 {
		t.Errorf("%d questions, %v:\n%s", n, err, text)
	}
	// Of two candidates for one role, only the first is a question.
	s = siteOf(t, fleet)
	list = suggestFor(t, s, attempt(t, agentAddr, "10.20.30.40", 443), attempt(t, agentAddr, "10.20.30.40", 4430), attempt(t, agentAddr, "evil.example", 8083))
	text, err = s.Whole(list)
	if n := strings.Count(string(text), "who is this?"); err != nil || n != 1 || strings.Contains(string(text), "manager = [\"evil") {
		t.Errorf("%d questions, %v:\n%s", n, err, text)
	}
}
