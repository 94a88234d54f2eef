// What a denial says about a rule that the site leaves out, when other rules list the same
// destination.

package rules_test

import (
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

// leftOutProfile lists each kind of destination with one port by a rule of its own, so that a
// site can leave out one of several rules of one destination.
const leftOutProfile = `name    = "made-up"
product = "A product that was made up"
roles   = ["agent", "appliance"]
binds   = ["manager"]
[document]
title   = "Ports"
[[feature]]
name = "link"
[[rule]]
id = "web"
from = "agent"
to = ["www.product.example", "*.cdn.product.example", "203.0.113.0/24", "role:manager"]
tcp = [443]
purpose = "p"
section = "1"
[[rule]]
id = "push"
from = "agent"
to = ["www.product.example", "*.cdn.product.example", "203.0.113.0/24", "role:manager"]
tcp = [8083]
purpose = "p"
section = "2"
[[rule]]
id = "log"
from = "agent"
to = ["www.product.example", "*.cdn.product.example", "203.0.113.0/24", "role:manager"]
udp = [514]
purpose = "p"
section = "3"
[[rule]]
id = "integration"
from = "appliance"
to = ["role:manager"]
tcp = [4460]
when = ["link"]
purpose = "p"
section = "4"
`

const leftOutSite = `[[client]]
name    = "agents"
sources = ["10.3.0.1"]
[[client.profile]]
name    = "made-up"
without = ["push", "log"]
[client.addresses]
manager = ["10.9.0.1", "10.9.1.0/24", "manager.corp.example"]
[[client]]
name     = "boxes"
sources  = ["10.3.0.2"]
profiles = ["made-up"]
role     = "appliance"
without  = ["integration"]
[client.addresses]
manager = ["10.9.0.1", "manager.corp.example"]
`

func TestADenialNamesTheRuleLeftOut(t *testing.T) {
	p, err := profile.Parse("made-up.toml", []byte(leftOutProfile))
	if err != nil {
		t.Fatal(err)
	}
	c, problems := site.Parse("sallyport.toml", site.Disk{}, []byte(leftOutSite), []*Profile{p})
	if c == nil {
		t.Fatal(problems)
	}
	policy, _ := Compile(&c.Spec, testOwn(), today)
	const (
		agent, box = "10.3.0.1", "10.3.0.2"
		push       = `documented for made-up, section 2, but rule made-up/push is left out by without, line 6: if the site needs it, remove "push" there, or add a [[rule]] with a reason`
	)
	for _, q := range []struct{ from, to, reason, hint string }{
		{agent, "www.product.example:8083", "port_not_listed", push},
		{agent, "a.cdn.product.example:8083", "port_not_listed", push},
		{agent, "203.0.113.9:8083", "port_not_listed", push},
		{agent, "10.9.0.1:8083", "port_not_listed", push},
		{agent, "10.9.1.77:8083", "port_not_listed", push},
		{agent, "manager.corp.example:8083", "port_not_listed", push},
		{agent, "10.9.0.1:9999", "port_not_listed", "only tcp 443, 8083 and udp 514 are documented for 10.9.0.1 (made-up, section 1), not tcp 9999"},
		{box, "10.9.0.1:4460", "role_not_listed", `documented for made-up, section 4, but rule made-up/integration is left out by without, line 14: if the site needs it, remove "integration" there, or add a [[rule]] with a reason`},
		{box, "manager.corp.example:4460", "role_not_listed", `documented for made-up, section 4, but rule made-up/integration is left out by without, line 14: if the site needs it, remove "integration" there, or add a [[rule]] with a reason`},
		{box, "10.9.0.1:443", "role_not_listed", `documented for role agent (made-up, section 1), and client "boxes" has role appliance: if it has that role as well, give it one more [[client.profile]] with role = "agent"`},
	} {
		a := try(q.from, q.to)
		d := policy.Decide(a)
		if got := Hint(a, d); d.Verdict != Deny || d.Why().String() != q.reason || got != q.hint {
			t.Errorf("%s to %s: %s\n     %s\nwant %s: %s", q.from, q.to, answer(d), got, q.reason, q.hint)
		}
	}
	datagram := try(agent, "10.9.0.1:514")
	datagram.Proto = UDP
	if got := Hint(datagram, policy.Decide(datagram)); !strings.HasPrefix(got, "documented for made-up, section 3, but rule made-up/log is left out by without, line 6:") {
		t.Errorf("udp 514: %s", got)
	}
}

// A rule that is left out alone, asked on a port that it does not have: the hint gives its ports
// too, because without its ID in "without" the attempt would still be denied.
func TestARuleLeftOutWithOtherPorts(t *testing.T) {
	p := compiled(t, strings.Replace(agentOf, "role     = \"agent\"\n", "role     = \"agent\"\nwithout  = [\"agent-web\"]\n", 1), today)
	a := try("10.3.0.1", "agents.product.example:22")
	want := `documented for product, section 3, on tcp 443: not on tcp 22; besides, rule product/agent-web is left out by without, line 6: if the site needs it, remove "agent-web" there, or add a [[rule]] with a reason`
	if d := p.Decide(a); d.Why() != NotListed && d.Why() != PortNotListed || Hint(a, d) != want {
		t.Errorf("%s\n     %s\nwant %s", answer(d), Hint(a, d), want)
	}
}
