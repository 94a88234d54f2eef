// Decisions about what surrounds the rules: our own listeners, DNS, resolved
// addresses, mode "audit", faults.

package rules_test

import (
	"net/netip"
	"testing"

	. "sallyport/rules"
)

func TestDecideSelf(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	mapped := try(whole, "127.0.0.1:3128")
	mapped.Dest = netip.MustParseAddrPort("[::ffff:127.0.0.1]:3128")
	looped := redirected(mgr, "127.0.0.1:3128").TLS("www.product.example")
	looped.Dest = netip.AddrPortFrom(netip.Addr{}, 443)
	checkDecisions(t, p, []decisionCase{
		{"a listener, although every address is permitted", try(whole, "127.0.0.1:3128"), "deny self near site/everything4"},
		{"the listener's port on another address", try(whole, "127.0.0.2:3128"), "allow site/everything4"},
		{"the address, another port", try(whole, "127.0.0.1:3129"), "allow site/everything4"},
		{"a wildcard listener on loopback", try(whole, "127.0.0.9:9180"), "deny self near site/everything4"},
		{"a wildcard listener on an address of ours", try(whole, "10.1.0.254:9180"), "deny self near site/everything4"},
		{"a wildcard listener on IPv6 loopback", try(whole, "[::1]:9180"), "deny self near site/everything6"},
		{"a wildcard listener's port elsewhere", try(whole, "192.0.2.1:9180"), "allow site/everything4"},
		{"the unspecified address", try(whole, "0.0.0.0:3128"), "deny self near site/everything4"},
		{"the unspecified IPv6 address", try(whole, "[::]:3128"), "deny self near site/everything6"},
		{"an IPv4-mapped listener", mapped, "deny self near site/everything6"},
		{"a redirected flow that was headed for us", looped, "deny self near product/web"},
		{"a permitted name that resolves to us", try(mgr, "www.product.example:443").TLS("www.product.example").Dials("127.0.0.1"), "deny private_address near product/web"},
		{"a permitted name that resolves to a listener", try(mgr, "any.product.example:9180").Dials("127.0.0.1"), "deny self near product/anything"},
		{"a permitted name that resolves to a listener, in audit", try(audited, "www.product.example:9180").Dials("10.1.0.254"), "deny self near product/web"},
	})
	if d := p.Decide(try(mgr, "any.product.example:9180")); d.Reach(netip.MustParseAddrPort("10.1.0.254:9180")) != Self {
		t.Error("a listener of ours can be reached by name")
	}
}

// A decision reports whether only a wildcard or an internal zone permits the name.
// The client chooses the labels of such a name.
func TestFreeLabels(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	for _, c := range []struct {
		what string
		a    Attempt
		want bool
	}{
		{"below a wildcard", try(mgr, "x.cdn.product.example:443"), true},
		{"the look-up of that", asks(mgr, "deep.x.cdn.product.example", 1), true},
		{"an exact name", try(mgr, "www.product.example:443"), false},
		{"its look-up", asks(mgr, "www.product.example", 1), false},
		{"in an internal zone", asks(mgr, "anything.corp.example", 1), true},
		{"in an internal zone, in audit", asks(audited, "anything.corp.example", 1), true},
		{"an exact name in an internal zone", asks(mgr, "wsus.corp.example", 1), false},
		{"an internal zone itself", asks(mgr, "corp.example", 1), false},
		{"a denied name", try(mgr, "evil.test:443"), false},
		{"an address", try(whole, "192.0.2.1:9180"), false},
		{"what audit lets through", asks(audited, "evil.test", 1), false},
		{"an unknown client's", asks("192.0.2.9", "anything.corp.example", 1), false},
	} {
		if d := p.Decide(c.a); d.FreeLabels() != c.want {
			t.Errorf("%s: %t (%s)", c.what, !c.want, d.Text())
		}
	}
	if (Decision{}).FreeLabels() {
		t.Error("no decision has free labels")
	}
}

// TestZoneNeedsRule checks that a client may look up names of an internal zone only
// while some rule permits it something. An expired rule does not count. Audit mode
// lets the look-up and the zone's private addresses through, with a record.
func TestZoneNeedsRule(t *testing.T) {
	p := compiled(t, `
[[client]]
name = "ruled"
sources = ["10.1.0.1"]
profiles = []
[[client]]
name = "bare"
sources = ["10.1.0.2"]
profiles = []
[[client]]
name = "lapsed"
sources = ["10.1.0.3"]
profiles = []
[[client]]
name = "trial"
sources = ["10.1.0.4"]
profiles = []
mode = "audit"
[[rule]]
id = "r"
client = "ruled"
to = ["192.0.2.7"]
tcp = [443]
reason = "INC-1"
[[rule]]
id = "l"
client = "lapsed"
to = ["a.example"]
tcp = [443]
reason = "INC-2"
expires = 2026-01-31
[[dns.zone]]
suffix = "corp.example"
upstreams = ["udp://10.0.0.53"]
`, today)
	for from, want := range map[string]string{
		"10.1.0.1": "allow site/dns.zone:corp.example", "10.1.0.2": "deny not_listed", "10.1.0.3": "deny not_listed", "10.1.0.4": "would_deny not_listed",
	} {
		for _, name := range []string{"corp.example", "any.corp.example"} {
			d := p.Decide(asks(from, name, 1))
			if got := answer(d); got != want {
				t.Errorf("%s for %s: %s, want %s", name, from, got, want)
			}
			if r := d.Reach(netip.MustParseAddrPort("10.9.9.9:0")); d.Allowed() != (r == ReasonNone) {
				t.Errorf("%s for %s: a private address is %v", name, from, r)
			}
		}
	}
}

func TestDecideDNS(t *testing.T) {
	const a, txt, aaaa, https, svcb, anyType = 1, 16, 28, 65, 64, 255
	checkDecisions(t, compiled(t, fixture(t, "site.toml"), today), []decisionCase{
		{"a permitted name", asks(mgr, "www.product.example", a), "allow product/web"},
		{"IPv6", asks(mgr, "www.product.example", aaaa), "allow product/web"},
		{"HTTPS", asks(mgr, "www.product.example", https), "allow product/web"},
		{"SVCB", asks(mgr, "www.product.example", svcb), "allow product/web"},
		{"a name for UDP only", asks(mgr, "time.product.example", a), "allow product/time"},
		{"a name for port 22 only", asks(mgr, "ssh.product.example", a), "allow product/ssh"},
		{"below a wildcard", asks(mgr, "x.cdn.product.example", a), "allow product/cdn"},
		{"the apex of a wildcard", asks(mgr, "cdn.product.example", a), "deny not_listed near product/cdn"},
		{"below an exact name", asks(mgr, "secret.www.product.example", a), "deny not_listed near product/web"},
		{"TXT", asks(mgr, "www.product.example", txt), "deny type_not_allowed near product/web"},
		{"ANY", asks(mgr, "www.product.example", anyType), "deny type_not_allowed near product/web"},
		{"TXT of a denied name", asks(mgr, "evil.test", txt), "deny not_listed"},
		{"feature off", asks(mgr, "cloud.product.example", a), "deny feature_off near product/cloud"},
		{"another role", asks(mgr, "agents.product.example", a), "deny role_not_listed near product/agent-web"},
		{"a denied name", asks(mgr, "evil.test", a), "deny not_listed"},
		{"an unknown client", asks("10.3.0.1", "www.product.example", a), "deny unknown_client"},
		{"in an internal zone", asks(mgr, "anything.corp.example", a), "allow site/dns.zone:corp.example"},
		{"the internal zone itself", asks(agent, "corp.example", a), "allow site/dns.zone:corp.example"},
		{"in an internal zone, with a rule", asks(mgr, "wsus.corp.example", a), "allow site/wsus"},
		{"in an internal zone, TXT", asks(mgr, "anything.corp.example", txt), "deny type_not_allowed near site/dns.zone:corp.example"},
		{"the zone permits no connection", try(cloudy, "anything.corp.example:443"), "deny not_listed"},
		{"beside the zone", asks(cloudy, "xcorp.example", a), "deny not_listed"},
		{"in audit a denied name is looked up", asks(audited, "evil.test", a), "would_deny not_listed"},
		{"in audit no other type is", asks(audited, "evil.test", txt), "deny type_not_allowed"},
	})
}

func TestDecideStrictDestination(t *testing.T) {
	elsewhere := redirected(mgr, "198.41.0.4:443").TLS("www.product.example")
	elsewhere.Mismatch = true
	undialed := elsewhere
	undialed.Dest = netip.AddrPortFrom(netip.Addr{}, 443)
	private := elsewhere.Dials("10.0.0.1")
	checkDecisions(t, compiled(t, fixture(t, "site.toml"), today), []decisionCase{
		{"lax: the mismatch is evidence only", elsewhere, "allow product/web"},
	})
	checkDecisions(t, compiled(t, "strict_destination = true\n"+fixture(t, "site.toml"), today), []decisionCase{
		{"strict", elsewhere, "deny destination_mismatch near product/web"},
		{"strict, before the dial", undialed, "deny destination_mismatch near product/web"},
		{"strict and private: the private address comes first", private, "deny private_address near product/web"},
		{"strict, the limit comes after it", elsewhere.Faulty(Limit), "deny destination_mismatch near product/web"},
		{"strict, denied anyway", func() Attempt { a := elsewhere; a.SNI = MustName("evil.test"); return a }(), "deny not_listed"},
		{"strict, no mismatch", redirected(mgr, "198.41.0.4:443").TLS("www.product.example"), "allow product/web"},
	})
}

// Mode "audit" lets an attempt through if a line of configuration could permit it.
func TestDecideAudit(t *testing.T) {
	ech := try(audited, "www.product.example:443").TLS("www.product.example")
	ech.ECH = true
	checkDecisions(t, compiled(t, `ech = "deny"`+"\n"+fixture(t, "site.toml"), today), []decisionCase{
		{"permitted", try(audited, "www.product.example:443"), "allow product/web"},

		{"not_listed", try(audited, "evil.test:443").TLS("evil.test"), "would_deny not_listed"},
		{"port_not_listed", try(audited, "www.product.example:22"), "would_deny port_not_listed near product/web"},
		{"protocol_not_listed", try(audited, "time.product.example:123"), "would_deny protocol_not_listed near product/time"},
		{"role_not_listed", try(audited, "agents.product.example:443"), "would_deny role_not_listed near product/agent-web"},
		{"feature_off", try(audited, "cloud.product.example:443"), "would_deny feature_off near product/cloud"},
		{"version_excluded", try(audited, "old.product.example:443"), "would_deny version_excluded near product/old"},
		{"expired", try(audited, "gone.site.example:443"), "would_deny expired near site/gone-audited"},

		{"ip_literal", try(audited, "198.41.0.4:443"), "deny ip_literal"},
		{"sni_missing", try(audited, "evil.test:443").TLS(""), "deny sni_missing"},
		{"sni_mismatch", try(audited, "evil.test:443").TLS("www.product.example"), "deny sni_mismatch"},
		{"sni_mismatch at an address, on a port not listed", try(audited, "121.46.26.221:8443").TLS("evil.test"), "deny sni_mismatch near product/address"},
		{"host_mismatch", try(audited, "evil.test:80").HTTP("www.product.example"), "deny host_mismatch"},
		{"host_mismatch at an address, on a port not listed", try(audited, "121.46.26.221:8081").HTTP("evil.test:8081"), "deny host_mismatch near product/address"},
		{"not_tls", try(audited, "evil.test:443").Shows(ShownOpaque), "deny not_tls"},
		{"not_http", try(audited, "evil.test:80").Shows(ShownOpaque), "deny not_http"},
		{"ech_present", ech, "deny ech_present near product/web"},
		{"malformed_name", try(audited, "evil.test:443").Faulty(MalformedName), "deny malformed_name"},
		{"private_address", try(audited, "evil.test:443").Dials("10.0.0.1"), "deny private_address"},
		{"limit", try(audited, "evil.test:22").Faulty(Limit), "deny limit"},
		{"a client in enforce mode", try(mgr, "evil.test:443"), "deny not_listed"},
	})
	mended := map[Reason]bool{NotListed: true, PortNotListed: true, ProtocolNotListed: true, RoleNotListed: true, FeatureOff: true, VersionExcluded: true, Expired: true}
	for _, r := range Reasons() {
		if r.Auditable() != mended[r] {
			t.Errorf("audit lets %v through: %v", r, r.Auditable())
		}
	}
}

// No attempt with a fault is let through. A fault of unreadable content is reported
// before the policy's reason, and so is a refused proof of who asks; a fault of content that
// sallyport cannot serve is reported after it.
func TestDecideFaults(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	good, bad := try(mgr, "www.product.example:8443"), try(mgr, "evil.test:8443")
	good.Dest = netip.AddrPortFrom(netip.Addr{}, 443)
	unknown := try("10.3.0.1", "www.product.example:443")
	for _, r := range Reasons() {
		a := good.TLS("www.product.example")
		a.Fault = r
		if d := p.Decide(a); d.Allowed() || d.Reason != r {
			t.Errorf("fault %v in a permitted flow: %s", r, answer(d))
		}
		a = bad.Faulty(r)
		want := NotListed
		if r <= QUIC || r == Unauthenticated {
			want = r
		}
		if d := p.Decide(a); d.Allowed() || d.Reason != want {
			t.Errorf("fault %v in a denied flow: %s, want %v", r, answer(d), want)
		}
		a = unknown.Faulty(r)
		a.Dest = netip.AddrPortFrom(netip.Addr{}, 8443)
		want = UnknownClient
		if r <= QUIC {
			want = r
		}
		if d := p.Decide(a); d.Allowed() || d.Reason != want {
			t.Errorf("fault %v of an unknown client: %s, want %v", r, answer(d), want)
		}
	}
	any443 := try(mgr, "any.product.example:443").Faulty(MalformedRequest)
	if d := p.Decide(any443); d.Allowed() || d.Reason != MalformedRequest {
		t.Errorf("any = true lets a fault through: %s", answer(d))
	}
}

// If several reasons hold, Decide reports the first of the list.
func TestReasonPrecedence(t *testing.T) {
	order := []string{
		"malformed_request", "malformed_name", "not_tls", "not_http", "sniff_timeout", "sniff_too_long", "sni_missing", "ech_present", "proxy_protocol", "quic",
		"unknown_client", "unauthenticated", "self", "sni_mismatch", "host_mismatch",
		"feature_off", "version_excluded", "expired", "protocol_not_listed", "port_not_listed", "role_not_listed", "type_not_allowed", "ip_literal", "not_listed",
		"private_address", "destination_mismatch", "dns_bogus", "limit", "journal_unavailable", "draining",
	}
	all := Reasons()
	if len(all) != len(order) {
		t.Fatalf("%d reasons, and %d in the list of this test: a new reason needs its name here, at the place of its constant", len(all), len(order))
	}
	for i, r := range all {
		back, err := ParseReason(order[i])
		if r.String() != order[i] || r.Help() == "" || back != r || err != nil {
			t.Errorf("reason %d is %q (%q), want %q", i, r, r.Help(), order[i])
		}
	}
	if _, err := ParseReason(""); err == nil {
		t.Error("no text is a reason")
	}
	both := try(mgr, "www.product.example:80").HTTP("evil.example")
	both.SNI = MustName("evil.example")
	checkDecisions(t, compiled(t, fixture(t, "site.toml"), today), []decisionCase{
		{"sni before host", both, "deny sni_mismatch near product/web"},
		{"mismatch before the port", try(mgr, "www.product.example:22").TLS("evil.test"), "deny sni_mismatch near product/web"},
		{"mismatch before the feature", try(mgr, "cloud.product.example:443").TLS("evil.test"), "deny sni_mismatch near product/cloud"},
		{"content before the client", try("10.3.0.1", "www.product.example:443").Shows(ShownOpaque), "deny not_tls"},
		{"the client before the names", try("10.3.0.1", "www.product.example:443").TLS("evil.test"), "deny unknown_client"},
		{"the rules before the address", try(mgr, "evil.test:443").Dials("10.0.0.1"), "deny not_listed"},
		{"the address before the limit", try(mgr, "www.product.example:443").Dials("10.0.0.1").TLS("www.product.example").Limited(), "deny private_address near product/web"},
	})
}

// A connection that is refused before its destination is known is not judged by a
// destination. Decide reports the reason of the refusal.
func TestRefusedBeforeItAsked(t *testing.T) {
	p := compiled(t, "[[client]]\nname='c'\nsources=['10.0.0.1']\nprofiles=[]\n", today)
	for _, c := range []struct {
		from string
		want Reason
	}{{"10.0.0.1", Limit}, {"10.0.0.1", Draining}, {"10.0.0.2", UnknownClient}} {
		a := Attempt{Via: ViaConnect, Proto: TCP, Client: netip.MustParseAddrPort(c.from + ":1"), Fault: c.want, Provisional: true}
		if c.want == UnknownClient {
			a.Fault = Limit
		}
		if d := p.Decide(a); d.Allowed() || d.Reason != c.want {
			t.Errorf("%s: %v %v, want %v", c.from, d.Verdict, d.Reason, c.want)
		}
	}
}
