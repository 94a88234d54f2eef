// Tests of what no suggestion may mend, and of what is said instead.

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
	// The cure of an address behind a NAT64 is another one than of a service of the site's own.
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
		wantNever(t, s, r, denialOf(t, s, a))
	}
}

// Records of schema 1 have no fault. No reason was added to schema 1 after these.
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

// wantNever checks that a record's suggestion is to change nothing, and says why.
func wantNever(t *testing.T, s *Site, r rules.Reason, rec journal.Record) {
	var tally Tally
	tally.Add(&rec)
	if sg := s.Suggest(tally.Groups(), 0, false)[0]; sg.Cure != CureNever || sg.Why == "" || sg.TOML != "" {
		t.Errorf("%v, schema %d: the cure is %q (%q, %q), want %q with a reason: see suggest in suggest.go", r, rec.Schema, sg.Cure, sg.Why, sg.TOML, CureNever)
	}
}

// A setting that would not help after all is not proposed as one that does:
// the name answers with a private address, whatever is turned on.
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

// A client that asks once for the gateway's loopback, or for a cloud's metadata
// service, gets no rule proposed that an operator might paste.
func TestNoRuleIntoTheHost(t *testing.T) {
	s := siteOf(t, fleet)
	for _, host := range []string{"127.0.0.1", "127.8.8.8", "169.254.169.254", "::1", "fe80::1", "ff02::1", "224.0.0.1", "0.0.0.0", "255.255.255.255"} {
		for _, client := range []string{manager, agentAddr} { // the agents' manager is bound to nothing yet
			for _, sg := range suggestFor(t, s, attempt(t, client, host, 443)) {
				if sg.Cure != CureNever || sg.TOML != "" || sg.Why == "" {
					t.Errorf("%s for %s: %s, %q, %q", host, client, sg.Cure, sg.TOML, sg.Why)
				}
				if c := s.Cure(sg.Groups[0]); c != CureNever {
					t.Errorf("%s for %s is filed under %s", host, client, c)
				}
			}
		}
	}
}

// Nor for another address of the host that the gateway runs on, where its own
// services listen; a client on that host can reach them anyway.
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

// What an expired rule permitted is not called undocumented, and the rule is
// named: a later date is what most will want.
func TestExpiredRuleIsNamed(t *testing.T) {
	s := siteOf(t, fleet)
	list := suggestFor(t, s, attempt(t, manager, "gone.corp.example", 443))
	if len(list) != 1 || !strings.Contains(list[0].Documented, "expired") || !strings.Contains(list[0].Why, "site/gone, site.toml line ") ||
		!strings.Contains(list[0].Why, "a later date in expires") {
		t.Errorf("%+v", list[0])
	}
}

// An unknown client on the link, whose address used to be recorded with its interface,
// does not make the whole configuration impossible to write.
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

// A look-up of a type that is never answered gets no rule, whatever the name;
// the same name's addresses may have one, and the rule does not help the other.
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

// What a packet filter dropped of neither TCP nor UDP gets no rule: none lists
// it. Its datagrams may have one.
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

// One datagram with the client's address in it, which a neighbour can write, makes
// a denial, and so a suggestion: that says so, also where it is pasted whole. What
// a handshake proves says nothing of it.
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

// No rule is proposed for an IPv6 address that stands for a private IPv4 one
// (RFC 6052, RFC 3056, RFC 4380): none would permit it.
func TestNoRuleForAPrivateAddressBehindATranslator(t *testing.T) {
	s := siteOf(t, fleet)
	for _, host := range []string{"64:ff9b::10.0.0.1", "2002:a00:1::1", "2001:0:5d5d:1::f5ff:fffe"} {
		list := suggestFor(t, s, attempt(t, manager, host, 443))
		if len(list) != 1 || list[0].Cure != CureNever || list[0].TOML != "" || !strings.HasPrefix(list[0].Why, "private_address: ") {
			t.Errorf("%s: %+v", host, *list[0])
		}
		if whole, err := s.Whole(list); err != nil || strings.TrimPrefix(string(whole), "# There are no suggestions: this is the unchanged configuration.\n") != fleet {
			t.Errorf("%s: %v\n%s", host, err, whole)
		}
	}
	if sg := suggestFor(t, s, attempt(t, manager, "2001:4860:4860::8888", 443))[0]; sg.Cure != CureRule || !sg.Verified {
		t.Errorf("a public address: %+v", *sg)
	}
}
