// Answers that DNSSEC does not prove: the decision, and the difference of two policies.

package rules_test

import (
	"slices"
	"testing"

	. "sallyport/rules"
)

// dnssecSite returns a configuration with one value of [dns] dnssec.
func dnssecSite(t *testing.T, value string) *Policy {
	t.Helper()
	return compiled(t, fixture(t, "site.toml")+"[dns]\nupstreams = [\"tcp://127.0.0.1\"]\ndnssec = \""+value+"\"\n", today)
}

func TestDecideUnproven(t *testing.T) {
	unproven := func(a Attempt) Attempt { a.Unproven = true; return a }
	flow := try(mgr, "www.product.example:443").TLS("www.product.example").Dials("198.41.0.4")
	const a = 1
	for value, cases := range map[string][]decisionCase{
		"off": {
			{"without proof", unproven(flow), "allow product/web"},
			{"a query without proof", unproven(asks(mgr, "www.product.example", a)), "allow product/web"},
		},
		"log": {
			{"without proof", unproven(flow), "would_deny dns_bogus product/web"},
			{"a query without proof", unproven(asks(mgr, "www.product.example", a)), "would_deny dns_bogus product/web"},
			{"with proof", flow, "allow product/web"},
			{"private as well: that is not let through", unproven(flow.Dials("10.0.0.1")), "deny private_address near product/web"},
			{"a limit as well", unproven(flow).Faulty(Limit), "deny limit near product/web"},
			{"mode audit lets it through for another reason", unproven(try(audited, "evil.test:22")), "would_deny not_listed"},
		},
		"require": {
			{"without proof", unproven(flow), "deny dns_bogus near product/web"},
			{"a query without proof", unproven(asks(mgr, "www.product.example", a)), "deny dns_bogus near product/web"},
			{"with proof", flow, "allow product/web"},
			{"denied anyway", unproven(try(mgr, "evil.test:443")), "deny not_listed"},
			{"private as well", unproven(flow.Dials("10.0.0.1")), "deny private_address near product/web"},
			{"a limit as well", unproven(flow).Faulty(Limit), "deny dns_bogus near product/web"},
			{"mode audit does not let it through", unproven(try(audited, "evil.test:22")), "deny dns_bogus"},
		},
	} {
		t.Run(value, func(t *testing.T) { checkDecisions(t, dnssecSite(t, value), cases) })
	}
	if d := (*Policy)(nil).Decide(unproven(flow)); d.Allowed() {
		t.Error("without a policy it is permitted")
	}
}

// TestDiffDNSSEC asserts that the difference of two policies has each way to demand less, and
// none to demand more.
func TestDiffDNSSEC(t *testing.T) {
	const logged = `dnssec is no longer "require": permitted names may resolve to addresses that DNSSEC does not prove, which is recorded`
	const off = `dnssec is "off": permitted names may resolve to addresses that DNSSEC does not prove, and nothing is recorded`
	for _, c := range []struct {
		old, new string
		want     []string
	}{
		{"require", "log", []string{logged}}, {"require", "off", []string{off}}, {"log", "off", []string{off}},
		{"off", "log", nil}, {"off", "require", nil}, {"log", "require", nil}, {"log", "log", nil},
	} {
		var got []string
		for _, g := range Diff(dnssecSite(t, c.old), dnssecSite(t, c.new)) {
			got = append(got, g.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s to %s: %q, want %q", c.old, c.new, got, c.want)
		}
	}
}
