// Tests of grants: the part of the policy that a packet filter gets.

package rules_test

import (
	"net/netip"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

func TestGrants(t *testing.T) {
	profile, problems := profile.Parse("p.toml", []byte(`
name = "p"
product = "P"
roles = ["manager", "agent"]
[document]
title = "Guide"
released = 2024-01-01
[[port]]
name = "log"
default = 514
meaning = "syslog"
[[feature]]
name = "extra"
meaning = "more"
[[rule]]
id = "log"
from = "manager"
to = ["role:agent", "log.example.com"]
udp = ["log"]
purpose = "logs"
section = "1"
[[rule]]
id = "off"
from = "manager"
to = ["off.example.com"]
udp = [9]
when = ["extra"]
purpose = "off"
section = "1"
[[rule]]
id = "others"
from = "agent"
to = ["others.example.com"]
udp = [9]
purpose = "others"
section = "1"
`))
	if problems != nil {
		t.Fatal(problems)
	}
	cfg, ps := site.Parse("c.toml", site.Disk{}, []byte(`
[[client]]
name = "c"
sources = ["10.0.0.1"]
profiles = ["p"]
ports = { log = 1514 }
[client.addresses]
agent = ["10.9.0.0/16"]
[[rule]]
id = "gone"
client = "c"
to = ["gone.example.com"]
udp = [9]
reason = "test"
expires = 2020-01-01
[[rule]]
id = "wild"
client = "c"
to = ["*.wild.example.com"]
udp = [9]
reason = "test"
`), []*Profile{profile})
	if err := ps.Err(); err != nil {
		t.Fatal(err)
	}
	policy, _ := Compile(&cfg.Spec, Own{}, time.Now())
	grants := policy.Grants()
	if len(grants) != 2 || grants[0].Rule.ID != "log" || grants[1].Rule.ID != "wild" {
		t.Fatalf("in force: %v", grants)
	}
	log := grants[0]
	if log.UDP.String() != "1514" || len(log.Prefixes) != 1 || log.Prefixes[0].String() != "10.9.0.0/16" || len(log.Names) != 1 {
		t.Errorf("the site's choices are not in %+v", log)
	}
	for _, c := range []struct {
		grant      Grant
		name, addr string
		want       Reason
	}{
		{log, "log.example.com", "93.184.0.1", ReasonNone},
		{log, "log.example.com", "10.9.1.1", ReasonNone}, // the same rule names the prefix
		{log, "log.example.com", "10.8.1.1", PrivateAddress},
		{log, "off.example.com", "93.184.0.1", NotListed},
		{grants[1], "a.wild.example.com", "93.184.0.1", ReasonNone},
		{grants[1], "wild.example.com", "93.184.0.1", NotListed},
		{Grant{}, "log.example.com", "93.184.0.1", NotListed},
	} {
		n, err := ParseName(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.grant.Reach(n, netip.AddrPortFrom(netip.MustParseAddr(c.addr), 1514)); got != c.want {
			t.Errorf("%s at %s: %v, want %v", c.name, c.addr, got, c.want)
		}
	}
}
