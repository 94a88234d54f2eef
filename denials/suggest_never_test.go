// Tests of denials that no suggestion may permit, and of the text in its place.

package denials

import (
	"net/netip"
	"strings"
	"testing"

	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/site"
)

func TestNeverFixableSaysWhy(t *testing.T) {
	s := siteOf(t, fleet)
	forged := attempt(t, manager, "license.sangfor.com", 443)
	forged.Provisional, forged.Shown, forged.SNI = false, rules.ShownTLS, name(t, "evil.example")
	private := attempt(t, manager, "license.sangfor.com", 443)
	private.Resolved = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	private.Dest = netip.AddrPortFrom(private.Resolved[0], 443)
	nameless := forged
	nameless.SNI = rules.Name{}
	for what, a := range map[rules.Reason]rules.Attempt{rules.SNIMismatch: forged, rules.PrivateAddress: private, rules.SNIMissing: nameless} {
		if d := s.Policy.Decide(a); d.Why() != what {
			t.Fatalf("%v: %v", what, d.Why())
		}
		sg := suggestFor(t, s, a)[0]
		if sg.Cure != CureNever || sg.TOML != "" || !strings.Contains(sg.Why, what.String()) {
			t.Errorf("%v: %+v", what, sg)
		}
	}
	// A private address inside a NAT64 address needs another cure than the site's
	// own service.
	private.Resolved[0] = netip.MustParseAddr("64:ff9b::5db8:320a")
	private.Dest = netip.AddrPortFrom(private.Resolved[0], 443)
	if why := suggestFor(t, s, private)[0].Why; !strings.Contains(why, "stands for 93.184.50.10: if a NAT64 translates it, list 64:ff9b::/96 in [resolve] nat64") {
		t.Errorf("behind a NAT64: %q", why)
	}
	for _, r := range rules.Reasons() {
		if r.Fixable() {
			continue
		}
		if whyNever(r) == whyNeverElse {
			t.Errorf("%v: whyNever in cure.go has no case for it", r)
		}
		a := attempt(t, manager, "license.sangfor.com", 443)
		a.Fault = r
		at := s
		if r == rules.DNSBogus { // a site that does not demand proof permits it
			a.Fault, a.Unproven, a.Detail = rules.ReasonNone, true, "the zone is not signed"
			at = siteOf(t, fleet+"[dns]\nupstreams = [\"tcp://127.0.0.1\"]\ndnssec = \"require\"\n")
		}
		wantNever(t, at, r, denialOf(t, at, a))
	}
}

// Records of schema 1 have no fault. Schema 1 gets no further reasons, so the
// list stays complete.
func TestNeverFixableInSchema1(t *testing.T) {
	s := siteOf(t, fleet)
	for _, r := range []rules.Reason{rules.MalformedRequest, rules.MalformedName, rules.NotTLS, rules.NotHTTP, rules.SniffTimeout,
		rules.SniffTooLong, rules.SNIMissing, rules.ECHPresent, rules.QUIC, rules.Self, rules.SNIMismatch, rules.HostMismatch,
		rules.TypeNotAllowed, rules.PrivateAddress, rules.Limit, rules.JournalUnavailable, rules.Draining} {
		rec := journal.Record{Schema: 1, Event: journal.EventDecision, Verdict: journal.VerdictDeny, Time: noon, Via: "connect", Client: manager,
			Host: "license.sangfor.com", Port: 443, Proto: "tcp", Reason: r.String(), Resolved: []string{"10.0.0.1"}}
		if r == rules.Self {
			rec.Host, rec.Resolved, rec.Port = "192.0.2.1", nil, 3128
		} else if r == rules.TypeNotAllowed {
			rec.Via, rec.Port, rec.Resolved = "dns", 0, nil
		}
		wantNever(t, s, r, rec)
	}
}

// wantNever checks that the suggestion for a record changes nothing, and has a
// reason for this.
func wantNever(t *testing.T, s *Site, r rules.Reason, rec journal.Record) {
	var tally Tally
	tally.Add(&rec)
	if sg := s.Suggest(tally.Groups(), 0, false)[0]; sg.Cure != CureNever || sg.Why == "" || sg.TOML != "" {
		t.Errorf("%v, schema %d: the cure is %q (%q, %q), want %q with a reason: see suggest in suggest.go", r, rec.Schema, sg.Cure, sg.Why, sg.TOML, CureNever)
	}
}

// Suggest does not propose a setting that would not help: here, the name resolves
// to a private address, so no feature helps.
func TestWhatDoesNotHelpIsNotCalledTried(t *testing.T) {
	s := siteOf(t, fleet)
	good, bad := denialOf(t, s, attempt(t, manager, "auth.sangfor.com", 443)), denialOf(t, s, attempt(t, manager, "auth.sangfor.com", 443))
	bad.Dest, bad.Client = "10.0.0.1", "10.1.0.8"
	var tally Tally
	tally.Add(&good)
	tally.Add(&bad)
	list := s.Suggest(tally.Groups(), 0, false)
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	for _, sg := range list {
		if helps := sg.Groups[0].Client == manager; len(sg.Groups) != 1 || sg.Verified != helps || (sg.Cure == CureFeature) != helps {
			t.Errorf("%+v", sg)
		}
	}
	list = s.Suggest([]*Group{tally.Groups()[0], tally.Groups()[1]}[1:], 0, false)
	if len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

// Suggest proposes no rule for an attempt to reach the gateway's loopback or a
// cloud's metadata service, because an operator might paste it.
func TestNoRuleIntoTheHost(t *testing.T) {
	s := siteOf(t, fleet)
	for _, host := range []string{"127.0.0.1", "127.8.8.8", "169.254.169.254", "::1", "fe80::1", "ff02::1", "224.0.0.1", "0.0.0.0", "255.255.255.255"} {
		for _, client := range []string{manager, agentAddr} { // the role manager of the agents has no address yet
			for _, sg := range suggestFor(t, s, attempt(t, client, host, 443)) {
				if sg.Cure != CureNever || sg.TOML != "" || sg.Why == "" {
					t.Errorf("%s for %s: %s, %q, %q", host, client, sg.Cure, sg.TOML, sg.Why)
				}
				r := s.recordOf(sg.Groups[0])
				a, d, _ := s.Ask(&r)
				if hint, why := rules.Hint(a, d), s.withinHost(&a); !strings.HasSuffix(hint, ": "+why) || !strings.HasSuffix(sg.Why, ": "+why) {
					t.Errorf("%s for %s: the hint says %q, and suggest says %q", host, client, hint, sg.Why)
				}
				if c := s.Cure(sg.Groups[0]); c != CureNever {
					t.Errorf("%s for %s is filed under %s", host, client, c)
				}
			}
		}
	}
}

// Suggest proposes no rule for any other address of the gateway's host, because
// the host's own services listen there. A client on that host can reach them
// without the gateway.
func TestNoRuleToTheHostsAddresses(t *testing.T) {
	src := siteOf(t, fleet).src
	src.Own = func(site.Listen) rules.Own {
		local := netip.MustParseAddr("10.1.0.2")
		return rules.Own{Listeners: []netip.AddrPort{netip.MustParseAddrPort("10.1.0.1:3128")}, Local: func(a netip.Addr) bool { return a == local }}
	}
	s, err := NewSite(src)
	if err != nil {
		t.Fatal(err)
	}
	for host, cure := range map[string]Cure{"10.1.0.1": CureNever, "10.1.0.2": CureNever, "10.1.0.3": CureRule} {
		for _, sg := range suggestFor(t, s, attempt(t, manager, host, 22)) {
			if sg.Cure != cure || (sg.TOML == "") != (cure == CureNever) || s.Cure(sg.Groups[0]) != cure {
				t.Errorf("%s: %s, filed under %s, %q", host, sg.Cure, s.Cure(sg.Groups[0]), sg.TOML)
			}
		}
	}
	for _, sg := range suggestFor(t, s, attempt(t, "10.1.0.2", "10.1.0.1", 22)) {
		if sg.Cure != CureRule {
			t.Errorf("from the host itself: %s, %q", sg.Cure, sg.Why)
		}
	}
}

// A destination of an expired rule is not called undocumented. The suggestion
// names the rule, because most operators will want a later date.
func TestExpiredRuleIsNamed(t *testing.T) {
	s := siteOf(t, fleet)
	list := suggestFor(t, s, attempt(t, manager, "gone.corp.example", 443))
	if len(list) != 1 || !strings.Contains(list[0].Documented, "expired") || !strings.Contains(list[0].Why, "site/gone, site.toml line ") ||
		!strings.Contains(list[0].Why, "a later date in expires") {
		t.Errorf("%+v", list[0])
	}
}

// Whole also works with an unknown client with a link-local address. The journal used
// to record such an address with its interface.
func TestSuggestLinkLocalUnknownClient(t *testing.T) {
	s := siteOf(t, fleet)
	r := denialOf(t, s, attempt(t, "fe80::7", "license.sangfor.com", 443))
	r.Schema, r.Client = 1, r.Client+"%eth0"
	var tally Tally
	tally.Add(&r)
	if _, err := s.Whole(s.Suggest(tally.Groups(), 0, false)); err != nil {
		t.Error(err)
	}
}

// Suggest proposes no rule for a look-up of a type that is never answered, for any
// name. It may propose a rule for the addresses of the same name. That rule does
// not permit the look-up.
func TestNoRuleForTypesThatAreNeverLookedUp(t *testing.T) {
	s := siteOf(t, fleet+"[[dns.zone]]\nsuffix = \"int.example\"\nupstreams = [\"udp://10.0.0.53\"]\n")
	ask := func(host string, qtype uint16) rules.Attempt {
		a := attempt(t, manager, host, 0)
		a.QType = qtype
		return a
	}
	for _, c := range []struct {
		host  string
		qtype uint16
		says  string
	}{
		{"_ldap._tcp.dc._msdcs.corp.example", 33, "type SRV is never looked up"},
		{"mail.example", 16, "type TXT is never looked up"},
		{"mail.example", 15, "type MX is never looked up"},
		{"corp.example", 255, "type ANY is never looked up"},
		{"_ldap._tcp.int.example", 33, "type_not_allowed"},
		{"test", 43, "keys and signatures (type DS)"},
		{"evil.example", 48, "keys and signatures (type DNSKEY)"},
		{"7.0.20.10.in-addr.arpa", 12, "do not add a rule for 7.0.20.10.in-addr.arpa"},
		{"7.0.20.10.in-addr.arpa", 1, "do not add a rule for 7.0.20.10.in-addr.arpa"},
		{"_dns.resolver.arpa", 64, "do not add a rule for _dns.resolver.arpa"},
		{"localhost", 1, "do not add a rule for localhost"},
		{"db.localhost", 28, "do not add a rule for db.localhost"},
		{"use-application-dns.net", 1, "do not add a rule for use-application-dns.net"},
		{"mask.icloud.com", 65, "do not add a rule for mask.icloud.com"},
		{"nas.home.arpa", 1, "do not add a rule for nas.home.arpa"},
	} {
		list := suggestFor(t, s, ask(c.host, c.qtype))
		if len(list) != 1 || list[0].Cure != CureNever || list[0].TOML != "" || !strings.Contains(list[0].Why, c.says) {
			t.Errorf("%s %d: %+v", c.host, c.qtype, list[0])
			continue
		}
		if g := list[0].Groups[0]; s.Cure(g) != CureNever {
			t.Errorf("%s %d is filed under %s", c.host, c.qtype, s.Cure(g))
		}
		if a := ask(c.host, c.qtype); strings.Contains(rules.Hint(a, s.Policy.Decide(a)), "a [[rule]]") {
			t.Errorf("%s %d: the hint is %q", c.host, c.qtype, rules.Hint(a, s.Policy.Decide(a)))
		}
	}
	list := suggestFor(t, s, ask("mail.example", 16), ask("mail.example", 1), ask("mail.example", 28), ask("mail.example", 65))
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	for _, sg := range list {
		if txt := sg.Groups[0].QType == "TXT"; txt != (sg.Cure == CureNever) || txt == sg.Verified || !txt && sg.Count != 3 {
			t.Errorf("%+v", sg)
		}
	}
	after := applied(t, s, list)
	if d := after.Policy.Decide(ask("mail.example", 16)); d.Allowed() || d.Why() != rules.TypeNotAllowed {
		t.Errorf("TXT: %v %v", d.Text(), d.Why())
	}
	if d := after.Policy.Decide(ask("mail.example", 28)); !d.Allowed() {
		t.Errorf("AAAA: %v", d.Why())
	}
}

// Suggest proposes no rule for a dropped packet of neither TCP nor UDP, because no
// rule lists such protocols. It may propose a rule for dropped datagrams.
func TestNoRuleForOtherProtocols(t *testing.T) {
	s := siteOf(t, fleet)
	dropped := rules.Attempt{Via: rules.ViaUDP, Client: netip.MustParseAddrPort(manager + ":0"), Dest: netip.MustParseAddrPort("203.0.113.9:0"), Fault: rules.ProtocolNotListed}
	list := suggestFor(t, s, dropped)
	if len(list) != 1 || list[0].Cure != CureNever || list[0].TOML != "" || !strings.Contains(list[0].Why, "neither TCP nor UDP") {
		t.Fatalf("%+v", list[0])
	}
	if g := list[0].Groups[0]; s.Cure(g) != CureNever {
		t.Errorf("filed under %s", s.Cure(g))
	}
	dropped.Proto, dropped.Fault, dropped.Dest = rules.UDP, rules.ReasonNone, netip.MustParseAddrPort("203.0.113.9:123")
	if list := suggestFor(t, s, dropped); len(list) != 1 || !list[0].Verified || !strings.Contains(list[0].TOML, "udp     = [123]") {
		t.Errorf("%+v", list[0])
	}
}

// A neighbour can forge a datagram with the client's address. The datagram causes a
// denial, and so a suggestion. The suggestion has a note about this, also in the
// whole configuration. If a handshake proves the source, there is no note.
func TestSuggestionOfDatagramsSaysThatNothingProvesThem(t *testing.T) {
	s := siteOf(t, fleet)
	forged := attempt(t, manager, "attacker.example", 0)
	proven := forged
	proven.SourceProven, proven.Proto = true, rules.TCP
	connected := attempt(t, manager, "attacker.example", 443)
	connected.SourceProven = true
	for _, c := range []struct {
		what   string
		as     []rules.Attempt
		warned bool
	}{
		{"a datagram", []rules.Attempt{forged}, true},
		{"many", []rules.Attempt{forged, forged, forged}, true},
		{"a query by TCP or with a cookie", []rules.Attempt{proven}, false},
		{"a datagram and then a connection", []rules.Attempt{forged, connected}, false},
	} {
		list := suggestFor(t, s, c.as...)
		if len(list) != 1 || list[0].Cure != CureRule || !list[0].Verified {
			t.Fatalf("%s: %+v", c.what, list)
		}
		whole, err := s.Whole(list)
		if err != nil {
			t.Fatal(err)
		}
		for where, text := range map[string]string{"warnings": strings.Join(list[0].Warnings, "\n"), "snippet": list[0].TOML, "whole": string(whole)} {
			if strings.Contains(text, "nothing proves that this client asked") != c.warned {
				t.Errorf("%s, %s:\n%s", c.what, where, text)
			}
		}
	}
}
