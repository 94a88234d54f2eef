// Decisions: tables that read like policy, with verdict, reason and rule.

package rules_test

import (
	"net/netip"
	"testing"
	"time"

	. "sallyport/rules"
)

const mgr, agent, cloudy, audited, whole, guarded = "10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.9", "10.2.0.1"

func TestDecideNames(t *testing.T) {
	checkDecisions(t, compiled(t, fixture(t, "site.toml"), today), []decisionCase{
		{"documented", try(mgr, "www.product.example:443"), "allow product/web"},
		{"the other port", try(mgr, "www.product.example:80"), "allow product/web"},
		{"another port", try(mgr, "www.product.example:8080"), "deny port_not_listed near product/web"},
		{"UDP for TCP", try(mgr, "www.product.example:443").OverUDP(), "deny protocol_not_listed near product/web"},
		{"UDP documented", try(mgr, "time.product.example:123").OverUDP(), "allow product/time"},
		{"TCP for UDP", try(mgr, "time.product.example:123"), "deny protocol_not_listed near product/time"},
		{"below an exact name", try(mgr, "x.www.product.example:443"), "deny not_listed near product/web"},
		{"a sibling", try(mgr, "www2.product.example:443"), "deny not_listed near product/web"},
		{"a name that ends alike", try(mgr, "evilwww.product.example:443"), "deny not_listed near product/web"},
		{"a name that begins alike", try(mgr, "www.product.example.evil.example:443"), "deny not_listed"},
		{"below a wildcard", try(mgr, "a.cdn.product.example:443"), "allow product/cdn"},
		{"far below a wildcard", try(mgr, "d.c.b.a.cdn.product.example:443"), "allow product/cdn"},
		{"127 labels", try(mgr, Labels127()[:253-len(".cdn.product.example")]+".cdn.product.example:443"), "allow product/cdn"},
		{"the apex of a wildcard", try(mgr, "cdn.product.example:443"), "deny not_listed near product/cdn"},
		{"beside a wildcard", try(mgr, "acdn.product.example:443"), "deny not_listed near product/cdn"},
		{"nothing near", try(mgr, "evil.test:443"), "deny not_listed"},
		{"single label", try(mgr, "localhost:443"), "deny not_listed"},
		{"another profile's", try(mgr, "live.another.example:443"), "deny not_listed near another/live"},
		{"the site's rule", try(mgr, "wsus.corp.example:8530"), "allow site/wsus"},
		{"another client's rule", try(agent, "wsus.corp.example:8530"), "deny not_listed near product/agent-manager"},
		{"used on one host only", try(mgr, "loop.product.example:8765"), "deny role_not_listed near product/loop"},
	})
}

func TestDecideConditions(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	checkDecisions(t, p, []decisionCase{
		{"feature off", try(mgr, "cloud.product.example:443"), "deny feature_off near product/cloud"},
		{"feature on", try(cloudy, "cloud.product.example:443"), "allow product/cloud"},
		{"one of two features on", try(cloudy, "guarded.product.example:443"), "deny feature_off near product/guarded"},
		{"both features on", try(guarded, "guarded.product.example:443"), "allow product/guarded"},
		{"feature off and another port", try(mgr, "cloud.product.example:80"), "deny port_not_listed near product/cloud"},
		{"unknown version is current: until", try(mgr, "old.product.example:443"), "deny version_excluded near product/old"},
		{"unknown version is current: since", try(mgr, "new.product.example:443"), "allow product/new"},
		{"6.0.3 is before 6.0.4: until", try(cloudy, "old.product.example:443"), "allow product/old"},
		{"6.0.3 is before 6.0.4: since", try(cloudy, "new.product.example:443"), "deny version_excluded near product/new"},
		{"6.0.10 is behind 6.0.4: until", try(guarded, "old.product.example:443"), "deny version_excluded near product/old"},
		{"6.0.10 is behind 6.0.4: since", try(guarded, "new.product.example:443"), "allow product/new"},
		{"another role", try(mgr, "agents.product.example:443"), "deny role_not_listed near product/agent-web"},
		{"the role", try(agent, "agents.product.example:443"), "allow product/agent-web"},
		{"a role bound to an address", try(agent, "10.20.30.40:443"), "allow product/agent-manager"},
		{"a role bound to a name", try(agent, "manager.corp.example:443"), "allow product/agent-manager"},
		{"a configurable port, as the site set it", try(agent, "10.20.30.40:4431"), "allow product/agent-manager"},
		{"its default, no more", try(agent, "10.20.30.40:4430"), "deny port_not_listed near product/agent-manager"},
		{"a role that is not bound", try("10.2.0.2", "10.20.30.40:4430"), "deny ip_literal near product/agent-manager"},
		{"expired", try(mgr, "gone.site.example:443"), "deny expired near site/gone"},
		{"expires later", try(mgr, "short.site.example:443"), "allow site/short"},
	})
	if want := time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC); !p.NextExpiry().Equal(want) {
		t.Errorf("the next rule expires at %v, want %v: with that day, UTC", p.NextExpiry(), want)
	}
	lastDay := compiled(t, fixture(t, "site.toml"), time.Date(2027, 6, 30, 23, 59, 59, 999, time.UTC))
	checkDecisions(t, lastDay, []decisionCase{{"on its last day", try(mgr, "short.site.example:443"), "allow site/short"}})
	over := compiled(t, fixture(t, "site.toml"), p.NextExpiry())
	checkDecisions(t, over, []decisionCase{{"the day after", try(mgr, "short.site.example:443"), "deny expired near site/short"}})
	if !over.NextExpiry().IsZero() {
		t.Errorf("nothing expires any more, yet at %v", over.NextExpiry())
	}
}

func TestDecideClients(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	checkDecisions(t, p, []decisionCase{
		{"an unknown client", try("10.3.0.1", "www.product.example:443"), "deny unknown_client"},
		{"an unknown client, by IPv6", try("2001:db8::1", "www.product.example:443"), "deny unknown_client"},
		{"a host above the net it is in", try(mgr, "www.product.example:443"), "allow product/web"},
		{"the rest of the net", try(whole, "www.product.example:443"), "deny not_listed near product/web"},
		{"the net by IPv6", try("fd00:1::7", "[2606:4700::1]:25"), "allow site/everything6"},
	})
	// The first client that matches wins, not the client with the narrower
	// network.
	reversed := compiled(t, `
[[client]]
name = "net"
sources = ["10.1.0.0/24"]
profiles = []
[[client]]
name = "host"
sources = ["10.1.0.1", "10.5.0.1"]
profiles = ["product"]
`, today)
	for addr, want := range map[string]string{"10.1.0.1": "net", "10.1.0.2": "net", "10.5.0.1": "host"} {
		if c := reversed.ClientOf(netip.MustParseAddr(addr)); c == nil || c.Name != want {
			t.Errorf("%s is %v, want client %q", addr, c, want)
		}
	}
	if c := reversed.ClientOf(netip.MustParseAddr("10.5.0.2")); c != nil {
		t.Errorf("10.5.0.2 is %v", c)
	}
}

// Empty values deny: no policy, no configuration, no attempt.
func TestDecideZero(t *testing.T) {
	var none *Policy
	var live Live
	for what, d := range map[string]Decision{
		"the zero Decision": {}, "no policy": none.Decide(try(mgr, "www.product.example:443")), "no policy in force": live.Decide(try(mgr, "www.product.example:443")),
		"an empty configuration": compiled(t, "", today).Decide(try(mgr, "www.product.example:443")),
		"a zero attempt":         compiled(t, fixture(t, "site.toml"), today).Decide(Attempt{}),
		"a zero DNS attempt":     compiled(t, fixture(t, "site.toml"), today).Decide(Attempt{Via: ViaDNS, Client: try(mgr, "a:1").Client, Provisional: true}),
		"a client alone":         compiled(t, fixture(t, "site.toml"), today).Decide(Attempt{Client: try(mgr, "a:1").Client}),
	} {
		if d.Allowed() || d.Opaque() || d.Text() != "deny" || d.Why() == ReasonNone {
			t.Errorf("%s: %s, %v", what, d.Text(), d.Why())
		}
		if d.Reach(netip.MustParseAddrPort("8.8.8.8:443")) == ReasonNone {
			t.Errorf("%s reaches an address", what)
		}
	}
	live.Swap(&Generation{Policy: compiled(t, fixture(t, "site.toml"), today)})
	if !live.Decide(try(mgr, "www.product.example:443")).Allowed() {
		t.Error("the policy in force is not asked")
	}
}

func TestDecideContent(t *testing.T) {
	www443, www80 := try(mgr, "www.product.example:443"), try(mgr, "www.product.example:80")
	ssh := try(mgr, "ssh.product.example:22")
	ech := www443.TLS("www.product.example")
	ech.ECH = true
	p := compiled(t, fixture(t, "site.toml"), today)
	checkDecisions(t, p, []decisionCase{
		{"TLS with the name on 443", www443.TLS("www.product.example"), "allow product/web"},
		{"TLS without a name on 443", www443.TLS(""), "deny sni_missing near product/web"},
		{"TLS with another name", www443.TLS("evil.example"), "deny sni_mismatch near product/web"},
		{"TLS with another permitted name", www443.TLS("new.product.example"), "deny sni_mismatch near product/web"},
		{"HTTP on 443", www443.HTTP("www.product.example:443"), "deny not_tls near product/web"},
		{"SSH on 443", www443.Shows(ShownOpaque), "deny not_tls near product/web"},
		{"silence on 443", www443.Shows(ShownSilent), "deny not_tls near product/web"},
		{"nothing looked at on 443", www443.Shows(Unseen), "deny not_tls near product/web"},
		{"ECH with the outer name", ech, "allow product/web"},

		{"HTTP with the name on 80", www80.HTTP("www.product.example"), "allow product/web"},
		{"HTTP with the name and port on 80", www80.HTTP("www.product.example:80"), "allow product/web"},
		{"HTTP with another port", www80.HTTP("www.product.example:8080"), "deny host_mismatch near product/web"},
		{"HTTP with another name", www80.HTTP("evil.example"), "deny host_mismatch near product/web"},
		{"HTTP with an address", www80.HTTP("121.46.26.221"), "deny host_mismatch near product/web"},
		{"TLS on 80", www80.TLS("www.product.example"), "deny not_http near product/web"},
		{"silence on 80", www80.Shows(ShownSilent), "deny not_http near product/web"},

		{"a server that speaks first, on 22", ssh.Shows(ShownSilent), "allow product/ssh"},
		{"an opaque protocol on 22", ssh.Shows(ShownOpaque), "allow product/ssh"},
		{"TLS on 22 with the name", ssh.TLS("ssh.product.example"), "allow product/ssh"},
		{"TLS on 22 without a name", ssh.TLS(""), "allow product/ssh"},
		{"TLS on 22 with another name", ssh.TLS("www.product.example"), "deny sni_mismatch near product/ssh"},
		{"HTTP on 22 with another name", ssh.HTTP("evil.example:22"), "deny host_mismatch near product/ssh"},
		{"HTTP on 22 for port 80", ssh.HTTP("ssh.product.example:80"), "deny host_mismatch near product/ssh"},

		{"any = true: TLS with a foreign name", try(mgr, "any.product.example:443").TLS("evil.example"), "allow product/anything"},
		{"any = true: opaque on 443", try(mgr, "any.product.example:443").Shows(ShownOpaque), "allow product/anything"},
		{"any = true: unseen on 80", try(mgr, "13.94.16.103:80").Shows(Unseen), "allow product/anything"},
		{"any = true: any port, UDP", try(mgr, "13.94.16.103:9").OverUDP(), "allow product/anything"},

		{"a denied name without TLS: what is unreadable comes first", try(mgr, "evil.test:443").Shows(ShownOpaque), "deny not_tls"},
		{"a denied name in TLS", try(mgr, "evil.test:443").TLS("evil.test"), "deny not_listed"},
		{"a denied name in TLS for a permitted one", try(mgr, "evil.test:443").TLS("www.product.example"), "deny sni_mismatch"},
	})
	if d := p.Decide(try(mgr, "13.94.16.103:80")); !d.Opaque() {
		t.Error("any = true makes demands on content")
	}
	if d := p.Decide(www443); d.Opaque() {
		t.Error("a rule with ports makes no demand on content")
	}
	strict := compiled(t, `ech = "deny"`+"\n"+fixture(t, "site.toml"), today)
	checkDecisions(t, strict, []decisionCase{
		{"ECH where it is refused", ech, "deny ech_present near product/web"},
		{"no ECH", www443.TLS("www.product.example"), "allow product/web"},
	})
}

// Address rules: a flow need not show a name. If it shows one, the rule must bind
// that name too.
func TestDecideAddresses(t *testing.T) {
	at443, at80, at8080 := try(mgr, "121.46.26.221:443"), try(mgr, "121.46.26.221:80"), try(mgr, "121.46.26.221:8080")
	checkDecisions(t, compiled(t, fixture(t, "site.toml"), today), []decisionCase{
		{"the address", at443, "allow product/address"},
		{"its neighbour", try(mgr, "121.46.26.222:443"), "deny ip_literal"},
		{"IPv6", try(mgr, "[2606:4700::1]:443"), "deny ip_literal"},
		{"another port", try(mgr, "121.46.26.221:22"), "deny port_not_listed near product/address"},
		{"in a prefix of the site", try(mgr, "10.9.0.77:8530"), "allow site/wsus"},
		{"beside the prefix", try(mgr, "10.9.1.0:8530"), "deny ip_literal"},
		{"TLS without a name", at443.TLS(""), "allow product/address"},
		{"TLS with a name of the same rule", at443.TLS("update.product.example"), "allow product/address"},
		{"TLS with a name of another rule", at443.TLS("www.product.example"), "deny sni_mismatch near product/address"},
		{"TLS with a foreign name", at443.TLS("evil.example"), "deny sni_mismatch near product/address"},
		{"Host is the address", at80.HTTP("121.46.26.221"), "allow product/address"},
		{"Host is a name of the same rule", at80.HTTP("update.product.example"), "allow product/address"},
		{"Host is another address", at80.HTTP("13.94.16.103"), "deny host_mismatch near product/address"},
		{"Host is a foreign name", at80.HTTP("evil.example"), "deny host_mismatch near product/address"},
		{"Host has another port", at8080.HTTP("121.46.26.221"), "deny host_mismatch near product/address"},
		{"Host has the port", at8080.HTTP("121.46.26.221:8080"), "allow product/address"},
		{"an address that no rule names, TLS without a name", try(mgr, "121.46.26.222:443").TLS(""), "deny sni_missing"},
		{"not TLS on 443", at443.Shows(ShownOpaque), "deny not_tls near product/address"},
		{"redirected, by address", redirected(mgr, "121.46.26.221:443").TLS(""), "allow product/address"},
		{"redirected, by name", redirected(mgr, "198.41.0.4:443").TLS("www.product.example"), "allow product/web"},
		{"redirected, by Host", redirected(mgr, "198.41.0.4:80").HTTP("www.product.example"), "allow product/web"},
		{"redirected, nothing shown", redirected(mgr, "198.41.0.4:443").TLS(""), "deny sni_missing"},
		{"redirected to another port, nothing shown", redirected(mgr, "198.41.0.4:22").Shows(ShownSilent), "deny ip_literal"},
	})
}
