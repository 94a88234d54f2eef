// Tests of the rule that a decision names when several rules list the destination.

package rules_test

import (
	"net/netip"
	"testing"

	. "sallyport/rules"
)

// A decision names the rule that is closest to the name: an exact name before a wildcard, and a
// narrow wildcard before a wide one. So the record has the document's own purpose for the
// name. Only a rule that permits the attempt is named as the reason for allow.
func TestDecisionNamesTheClosestRule(t *testing.T) {
	p := compiled(t, `
[[client]]
name     = "manager"
sources  = ["10.1.0.1"]
profiles = []
[[rule]]
id     = "wide"
client = "manager"
reason = "all of it"
to     = ["*.vendor.example"]
tcp    = [80, 443]
[[rule]]
id     = "narrow"
client = "manager"
reason = "updates"
to     = ["*.update.vendor.example"]
tcp    = [443]
[[rule]]
id     = "exact"
client = "manager"
reason = "the catalogue of updates"
to     = ["catalogue.update.vendor.example"]
tcp    = [443, 8443]
`, today)
	for _, c := range []struct {
		host    string
		port    uint16
		verdict Verdict
		rule    string
	}{
		{"www.vendor.example", 443, Allow, "site/wide"},
		{"eu.update.vendor.example", 443, Allow, "site/narrow"},
		{"eu.update.vendor.example", 80, Allow, "site/wide"},
		{"catalogue.update.vendor.example", 443, Allow, "site/exact"},
		{"catalogue.update.vendor.example", 8443, Allow, "site/exact"},
		{"catalogue.update.vendor.example", 80, Allow, "site/wide"},
		{"catalogue.update.vendor.example", 25, Deny, "site/exact"},
		{"eu.update.vendor.example", 25, Deny, "site/narrow"},
	} {
		name, err := ParseName(c.host)
		if err != nil {
			t.Fatal(err)
		}
		d := p.Decide(Attempt{Client: netip.MustParseAddrPort("10.1.0.1:1"), Via: ViaConnect, Authority: name, Proto: TCP, Dest: netip.AddrPortFrom(netip.Addr{}, c.port), Provisional: true})
		rule, reason := d.Rule, ReasonNone
		if c.verdict == Deny {
			rule, reason = d.Nearest, PortNotListed
		}
		if d.Verdict != c.verdict || d.Reason != reason || rule == nil || rule.String() != c.rule {
			t.Errorf("%s:%d: %v %v by %v; want %v by %s", c.host, c.port, d.Verdict, d.Reason, rule, c.verdict, c.rule)
		}
	}
}
