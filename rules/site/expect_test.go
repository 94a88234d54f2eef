// Expectations: which tables are refused, which policies break them, and with which words.

package site

import (
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// expect is an [[expect]] of client "one" without the keys of its answer.
const expect = "[[expect]]\nclient = \"one\"\nto = \"www.product.example\"\ntcp = 443\n"

func TestExpectationsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"correct", expect + "verdict = \"allow\"\nwhy = \"INC-1\"\n", ""},
		{"a why that a terminal obeys", expect + "verdict = \"deny\"\nwhy = \"a\\u001b[31m\"\n", `site.toml:10: why: has the character U+001B, which terminals obey or which hides text: remove it, and write the text in plain characters`},
		{"with a reason", expect + "verdict = \"deny\"\nreason = \"not_listed\"\n", ""},
		{"no keys", "[[expect]]\n", "site.toml:5: the 1st [[expect]]: client is missing: name the [[client]] that asks\n" +
			"site.toml:5: the 1st [[expect]]: to is missing: give the name or the address that the client asks for\n" +
			"site.toml:5: the 1st [[expect]]: tcp is missing: give the port: tcp = 443, or udp = 514\n" +
			"site.toml:5: the 1st [[expect]]: verdict is missing: write \"allow\" or \"deny\""},
		{"unknown client", strings.Replace(expect, `"one"`, `"on"`, 1) + "verdict = \"allow\"\n", `site.toml:6: client: there is no client "on": did you mean "one"?`},
		{"no name", strings.Replace(expect, "www.product.example", "www..example", 1) + "verdict = \"allow\"\n", `site.toml:7: to: "www..example": name has an empty label`},
		{"a port with the name", strings.Replace(expect, "www.product.example", "www.product.example:443", 1) + "verdict = \"allow\"\n", `site.toml:7: to: "www.product.example:443": write the name without its port: "www.product.example"`},
		{"a wildcard", strings.Replace(expect, "www.product.example", "*.product.example", 1) + "verdict = \"allow\"\n", `site.toml:7: to: "*.product.example" is not one name: ask about a name below it, like "a.product.example"`},
		{"a prefix", strings.Replace(expect, "www.product.example", "10.9.0.0/24", 1) + "verdict = \"allow\"\n", `site.toml:7: to: "10.9.0.0/24" is not one address: ask about an address in it, like "10.9.0.0"`},
		{"a role", strings.Replace(expect, "www.product.example", "role:manager", 1) + "verdict = \"allow\"\n", `site.toml:7: to: "role:manager" is not a name or an address: ask about a name or an address to which the role is bound`},
		{"both protocols", expect + "udp = 443\nverdict = \"allow\"\n", "site.toml:9: udp: asks about one protocol: write a second [[expect]] for the other protocol"},
		{"neither protocol", strings.Replace(expect, "tcp = 443\n", "", 1) + "verdict = \"allow\"\n", "site.toml:5: the 1st [[expect]]: tcp is missing: give the port: tcp = 443, or udp = 514"},
		{"a list of ports", strings.Replace(expect, "443", "[443]", 1) + "verdict = \"allow\"\n", "site.toml:8: tcp: must be a whole number, not a list"},
		{"a list of destinations", strings.Replace(expect, `"www.product.example"`, `["www.product.example"]`, 1) + "verdict = \"allow\"\n", "site.toml:7: to: must be a string, not a list"},
		{"lists everywhere", "[[expect]]\nclient = [\"one\"]\nto = [\"a.example\"]\ntcp = [443]\nverdict = [\"deny\"]\nreason = [\"not_listed\"]\n",
			"site.toml:6: client: must be a string, not a list\nsite.toml:7: to: must be a string, not a list\nsite.toml:8: tcp: must be a whole number, not a list\n" +
				"site.toml:9: verdict: must be a string, not a list\nsite.toml:10: reason: must be a string, not a list"},
		{"port 0", strings.Replace(expect, "443", "0", 1) + "verdict = \"allow\"\n", "site.toml:8: tcp: 0 is not from 1 to 65535"},
		{"no verdict", expect, `site.toml:5: the 1st [[expect]]: verdict is missing: write "allow" or "deny"`},
		{"unknown verdict", expect + "verdict = \"drop\"\n", `site.toml:9: verdict: "drop" is not one of "deny", "allow"`},
		{"a reason spelled wrong", expect + "verdict = \"deny\"\nreason = \"not_list\"\n", `site.toml:10: reason: "not_list" is not a reason: did you mean "not_listed"?`},
		{"unknown reason", expect + "verdict = \"deny\"\nreason = \"because\"\n", `site.toml:10: reason: "because" is not a reason; sallyport help reasons lists them`},
		{"a reason of an allow", expect + "verdict = \"allow\"\nreason = \"not_listed\"\n", `site.toml:10: reason: belongs to verdict = "deny": an attempt that is permitted has no reason`},
		{"unknown key", expect + "verdict = \"allow\"\nrule = \"x\"\n", `site.toml:10: unknown key "rule": known here: client, reason, tcp, to, udp, verdict, why`},
	} {
		if got := strings.Join(problemsOf(t, one+c.text), "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

func TestExpectationsThatThePolicyBreaks(t *testing.T) {
	const rule = "[[rule]]\nid = \"w\"\nclient = \"one\"\nto = [\"w.example\", \"private.example\"]\ntcp = [8530]\nreason = \"INC-2\"\nexpires = 2026-11-22T18:00:00Z\n"
	question := func(to, rest string) string {
		return "[[expect]]\nclient = \"one\"\nto = \"" + to + "\"\n" + rest + "\n"
	}
	for _, c := range []struct{ what, text, want string }{
		{"permitted, as expected", question("www.product.example", "tcp = 443\nverdict = \"allow\""), ""},
		{"denied, as expected", question("evil.example", "tcp = 443\nverdict = \"deny\""), ""},
		{"denied, with the reason", question("www.product.example", "udp = 443\nverdict = \"deny\"\nreason = \"protocol_not_listed\""), ""},
		{"an address", question("121.46.26.221", "tcp = 443\nverdict = \"allow\""), ""},
		{"denied, but expected", question("cloud.product.example", "tcp = 443\nverdict = \"allow\"\nwhy = \"INC-1\""),
			`site.toml:5: expect: client "one" to cloud.product.example on tcp 443: expected allow, but the answer is deny: feature_off; nearest product/cloud; hint: documented for product, section 1, when feature cloud is on: add "cloud" to the features of client "one" (why: INC-1)`},
		{"permitted, but not expected", question("www.product.example", "tcp = 443\nverdict = \"deny\""),
			`site.toml:5: expect: client "one" to www.product.example on tcp 443: expected deny, but the answer is allow; rule product/web`},
		{"denied for another reason", question("www.product.example", "tcp = 81\nverdict = \"deny\"\nreason = \"not_listed\""),
			`site.toml:5: expect: client "one" to www.product.example on tcp 81: expected deny: not_listed, but the answer is deny: port_not_listed; nearest product/web; hint: only tcp 80, 443 are`},
		{"all at once", question("www.product.example", "tcp = 443\nverdict = \"deny\"") + question("evil.example", "tcp = 443\nverdict = \"allow\""),
			"rule product/web\nsite.toml:10: expect: client \"one\" to evil.example on tcp 443: expected allow, but the answer is deny: not_listed; hint: no rule of client"},
		{"a private address of [hosts]", rule + "[hosts]\n\"private.example\" = \"10.0.0.9\"\n" + question("private.example", "tcp = 8530\nverdict = \"allow\""),
			`expected allow, but the answer is deny: private_address; nearest site/w; hint: private.example resolves to 10.0.0.9`},
		{"until the rule expires", rule + question("w.example", "tcp = 8530\nverdict = \"allow\""),
			`site.toml:12: warning: expect: client "one" to w.example on tcp 8530: holds only until rule site/w expires (2026-11-22T18:00:00Z): from then on, no start and no reload accepts this configuration; change the expectation and the rule together`},
		{"in audit, the policy's own answer", "mode = \"audit\"\n" + question("evil.example", "tcp = 443\nverdict = \"deny\"\nreason = \"not_listed\""), ""},
		{"in audit, what is let through is not permitted", "mode = \"audit\"\n" + question("evil.example", "tcp = 443\nverdict = \"allow\""), "expected allow, but the answer is would_deny: not_listed"},
	} {
		text := one + c.text
		if mode, rest, ok := strings.Cut(c.text, "\n"); ok && strings.HasPrefix(mode, "mode") {
			text = mode + "\n" + one + rest
		}
		cfg, problems := Parse("site.toml", Disk{}, []byte(text), testProfiles(t))
		if cfg == nil {
			t.Fatalf("%s: %v", c.what, problems)
		}
		policy, _ := rules.Compile(&cfg.Spec, testOwn(), today)
		var got []string
		for _, p := range cfg.CheckExpectations(policy, today) {
			got = append(got, p.String())
		}
		if text := strings.Join(got, "\n"); text != c.want && (c.want == "" || !strings.Contains(text, c.want)) {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, text, c.want)
		}
	}
}

// A client whose sources other clients have cannot be asked about. That breaks the
// expectation: nothing shows that it holds.
func TestAnExpectationOfAHiddenClient(t *testing.T) {
	const text = `[[client]]
name     = "low"
sources  = ["10.0.0.0/32", "10.0.0.3"]
profiles = []
[[client]]
name     = "one"
sources  = ["10.0.0.0/30"]
profiles = []
[[expect]]
client  = "one"
to      = "evil.example"
tcp     = 443
verdict = "deny"
`
	cfg, problems := Parse("site.toml", Disk{}, []byte(text), nil)
	if cfg == nil {
		t.Fatal(problems)
	}
	policy, _ := rules.Compile(&cfg.Spec, testOwn(), today)
	got := cfg.CheckExpectations(policy, today)
	if len(got) != 1 || got[0].String() != `site.toml:9: expect: client "one" to evil.example on tcp 443: sallyport cannot ask as this client: earlier clients have the first and the last address of each of its sources` {
		t.Error(got)
	}
}

// The policy of a later day can break an expectation that holds today.
func TestAnExpectationAfterARuleExpired(t *testing.T) {
	const text = one + "[[rule]]\nid = \"w\"\nclient = \"one\"\nto = [\"w.example\"]\ntcp = [443]\nreason = \"r\"\nexpires = 2026-12-24\n" +
		"[[expect]]\nclient = \"one\"\nto = \"w.example\"\ntcp = 443\nverdict = \"allow\"\n"
	cfg, problems := Parse("site.toml", Disk{}, []byte(text), testProfiles(t))
	if cfg == nil {
		t.Fatal(problems)
	}
	for day, want := range map[string]string{"2026-12-01": "", "2026-12-20": "warning: expect: ", "2026-12-25": "expected allow, but the answer is deny: expired; nearest site/w; hint: rule site/w expired on 2026-12-24"} {
		now, _ := time.Parse(time.DateOnly, day)
		policy, _ := rules.Compile(&cfg.Spec, testOwn(), now)
		got := cfg.CheckExpectations(policy, now)
		if (want == "") != (len(got) == 0) || want != "" && !strings.Contains(got[0].String(), want) {
			t.Errorf("%s: %v, want %s", day, got, want)
		}
	}
}
