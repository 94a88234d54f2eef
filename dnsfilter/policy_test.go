// Policy: tables of queries, their replies and their upstream queries.

package dnsfilter

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestVerdicts asks for permitted and denied names and checks the reply, the
// reason, and the questions at the upstream.
func TestVerdicts(t *testing.T) {
	const (
		nxdomain, refused, noerror = dns.RcodeNameError, dns.RcodeRefused, dns.RcodeSuccess
	)
	for _, c := range []struct {
		what   string
		name   string
		qtype  uint16
		client string
		rcode  int
		answer string // data, joined
		reason rules.Reason
		asked  bool
	}{
		// Control: permitted names do reach the upstream.
		{"a permitted name", "a.example.", dns.TypeA, knownClient, noerror, "192.0.1.10", rules.ReasonNone, true},
		{"its IPv6 address", "a.example.", dns.TypeAAAA, knownClient, noerror, "2606:4700::10", rules.ReasonNone, true},
		{"capital letters are the same name", "A.EXAMPLE.", dns.TypeA, knownClient, noerror, "192.0.1.10", rules.ReasonNone, true},
		{"a permitted name without such a record", "b.example.", dns.TypeAAAA, knownClient, noerror, "", rules.ReasonNone, true},
		{"a permitted name that does not exist", "gone.example.", dns.TypeA, knownClient, nxdomain, "", rules.ReasonNone, true},
		{"the address behind an alias is the name's own", "www.a.example.", dns.TypeA, knownClient, noerror, "192.0.1.20", rules.ReasonNone, true},
		{"a client on IPv6 loopback", "a.example.", dns.TypeA, "::1", noerror, "192.0.1.10", rules.ReasonNone, true},

		{"a name that no rule names", "evil.example.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"its IPv6 address", "evil.example.", dns.TypeAAAA, knownClient, nxdomain, "", rules.NotListed, false},
		{"data in a label below an exact name", "6578666c.a.example.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"a suffix that is no label", "nota.example.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"a permitted name as a prefix", "a.example.evil.test.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"the target of an alias is not permitted by itself", "edge.cdn.test.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"a reverse look-up", "1.1.1.10.in-addr.arpa.", dns.TypePTR, knownClient, nxdomain, "", rules.NotListed, false},
		{"a name of mDNS", "printer.local.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"a single label", "localhost.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"the canary of DNS over HTTPS", "use-application-dns.net.", dns.TypeA, knownClient, nxdomain, "", rules.NotListed, false},
		{"a zone transfer", "a.example.", dns.TypeAXFR, knownClient, refused, "", rules.TypeNotAllowed, false},
		{"the root", ".", dns.TypeNS, knownClient, noerror, "", rules.MalformedName, false},
		{"a dot inside a label", `a\.example.`, dns.TypeA, knownClient, nxdomain, "", rules.MalformedName, false},
		{"a zero octet inside a label", `evil\000.a.example.`, dns.TypeA, knownClient, nxdomain, "", rules.MalformedName, false},
		{"a space inside a label", `a\ b.a.example.`, dns.TypeA, knownClient, nxdomain, "", rules.MalformedName, false},
		{"an octet above 127", `b\195\188cher.example.`, dns.TypeA, knownClient, nxdomain, "", rules.MalformedName, false},
		{"an address as a name", "127.0.0.1.", dns.TypeA, knownClient, nxdomain, "", rules.MalformedName, false},
		{"a hexadecimal address as a name", "0x7f.1.", dns.TypeA, knownClient, nxdomain, "", rules.MalformedName, false},
		{"a label that decodes to nothing", "xn--.example.", dns.TypeA, knownClient, nxdomain, "", rules.MalformedName, false},
		{"an unknown client", "a.example.", dns.TypeA, unknownClient, refused, "", rules.UnknownClient, false},
		{"an unknown client, a denied name", "evil.example.", dns.TypeA, unknownClient, refused, "", rules.UnknownClient, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := newHarness(t, nil, "a.example", "b.example", "www.a.example", "gone.example")
			for range 2 { // from upstream and from the cache
				r := b.sendFrom(question(c.name, c.qtype), c.client, rules.UDP)
				a, d := b.p.final(t)
				if r.Rcode != c.rcode || strings.Join(data(r), " ") != c.answer {
					t.Errorf("answered %s %v, want %s %s", dns.RcodeToString[r.Rcode], data(r), dns.RcodeToString[c.rcode], c.answer)
				}
				if d.Why() != c.reason && !d.Allowed() || d.Allowed() != (c.reason == rules.ReasonNone) {
					t.Errorf("decided %s %s, want %q", d.Text(), d.Why(), c.reason)
				}
				if a.Via != rules.ViaDNS || a.Proto != rules.UDP || a.QType != c.qtype || a.Flow == 0 || a.Client.Addr().String() != c.client {
					t.Errorf("attempt %+v", a)
				}
				if r.Question[0].Name != c.name {
					t.Errorf("question comes back as %s", r.Question[0].Name)
				}
			}
			switch asked := b.up.asked(); {
			case c.asked && len(asked) != 1:
				t.Errorf("upstream was asked %q, want once", asked)
			case !c.asked && len(asked) != 0:
				t.Errorf("upstream was asked %q about a denied name", asked)
			}
		})
	}
}

// TestTypes asserts that only addresses, services and keys are looked up.
// For every other type of a permitted name the filter itself answers "no such
// record".
func TestTypes(t *testing.T) {
	for _, anyType := range []bool{false, true} {
		b := newHarness(t, nil, "a.example")
		b.p.anyType = anyType // even if the policy permits every type
		for _, qtype := range []uint16{dns.TypeTXT, dns.TypeNULL, dns.TypeMX, dns.TypeSRV, dns.TypeKEY, dns.TypeCAA, dns.TypeCNAME,
			dns.TypeNS, dns.TypeSOA, dns.TypePTR, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeANY, 65280} {
			r := b.send(withEDNS(question("a.example.", qtype), 1232))
			if r.Rcode != dns.RcodeSuccess || len(r.Answer) != 0 || len(r.Ns) != 1 || r.Ns[0].Header().Rrtype != dns.TypeSOA || r.Ns[0].Header().Name != "a.example." {
				t.Errorf("type %d: %v", qtype, r)
			}
			if code, text := extended(r); code != dns.ExtendedErrorCodeBlocked || !strings.HasPrefix(text, "type_not_allowed: ") {
				t.Errorf("type %d: extended error %d %q", qtype, code, text)
			}
		}
		if asked := b.up.asked(); len(asked) != 0 {
			t.Errorf("upstream was asked %q", asked)
		}
	}
}

// TestDeniedForms asserts the three forms of a denial, and that its SOA record
// lets clients cache it briefly.
func TestDeniedForms(t *testing.T) {
	for text, rcode := range map[string]int{"nxdomain": dns.RcodeNameError, "refused": dns.RcodeRefused, "nodata": dns.RcodeSuccess} {
		denied, err := ParseDenied(text)
		if err != nil {
			t.Fatal(err)
		}
		b := newHarness(t, func(c *setup) { c.Denied = denied }, "a.example")
		r := b.ask("evil.example.", dns.TypeA)
		if r.Rcode != rcode || len(r.Answer) != 0 || r.IsEdns0() != nil {
			t.Errorf("%s: %v", text, r)
		}
		if text == "refused" {
			continue
		}
		soa, ok := r.Ns[0].(*dns.SOA)
		if !ok || soa.Hdr.Ttl == 0 || soa.Hdr.Ttl > 60 || soa.Minttl > 60 || !dns.IsSubDomain(soa.Hdr.Name, "evil.example.") {
			t.Errorf("%s: %v", text, r.Ns)
		}
	}
	if _, err := ParseDenied("drop"); err == nil {
		t.Error(`"drop" is a form of denial`)
	}
}

// TestExtendedError asserts that a denial has its reason in a short extended
// error, only for clients with EDNS.
func TestExtendedError(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	long := strings.Repeat(strings.Repeat("x", 61)+".", 4)
	for _, name := range []string{"evil.example.", "x.", long} {
		r := b.send(withEDNS(question(name, dns.TypeA), 512))
		code, text := extended(r)
		if code != dns.ExtendedErrorCodeBlocked || !strings.HasPrefix(text, "not_listed") {
			t.Errorf("%s: extended error %d %q", name, code, text)
		}
		if r := b.ask(name, dns.TypeA); r.IsEdns0() != nil {
			t.Errorf("%s: OPT for a client without EDNS", name)
		}
	}
	r := b.sendFrom(withEDNS(question("a.example.", dns.TypeA), 1232), unknownClient, rules.UDP)
	if code, text := extended(r); code != dns.ExtendedErrorCodeProhibited || text != "unknown_client" {
		t.Errorf("an unknown client got %d %q", code, text)
	}
}

// TestPrivateAnswers asserts that private addresses of a public name are
// removed. A name without any address left is denied as
// private_address, in the form "no such record", because it may have addresses
// of the other type.
func TestPrivateAnswers(t *testing.T) {
	b := newHarness(t, nil, "mixed.example", "inside.example", "db.corp.test")
	for range 2 {
		r := b.ask("mixed.example.", dns.TypeA)
		if a, d := b.p.final(t); !slices.Equal(data(r), []string{"192.0.1.30"}) || !d.Allowed() || len(a.Resolved) != 2 {
			t.Errorf("mixed: %v, %v, evidence %v", data(r), d, a.Resolved)
		}
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			r = b.send(withEDNS(question("inside.example.", qtype), 1232))
			a, d := b.p.final(t)
			if r.Rcode != dns.RcodeSuccess || len(r.Answer) != 0 || d.Why() != rules.PrivateAddress || !rules.Special(a.Dest.Addr()) || a.Dest.Port() != 0 {
				t.Errorf("inside: %v, %s, dest %v", r, d.Why(), a.Dest)
			}
			if code, text := extended(r); code != dns.ExtendedErrorCodeBlocked || !strings.HasPrefix(text, "private_address: ") {
				t.Errorf("inside: extended error %d %q", code, text)
			}
		}
		r = b.ask("db.corp.test.", dns.TypeA)
		if _, d := b.p.final(t); !slices.Equal(data(r), []string{"10.20.0.5"}) || !d.Allowed() {
			t.Errorf("an internal name: %v, %v", data(r), d)
		}
	}
}

// TestCachePerClient asserts that a cached answer is decided anew for each
// client.
func TestCachePerClient(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	b.ask("a.example.", dns.TypeA)
	b.p.final(t)
	r := b.sendFrom(question("a.example.", dns.TypeA), unknownClient, rules.UDP)
	if _, d := b.p.final(t); r.Rcode != dns.RcodeRefused || len(r.Answer) != 0 || d.Why() != rules.UnknownClient {
		t.Errorf("an unknown client got %v for %s", r, d.Why())
	}
	b.p.names = nil
	r = b.ask("a.example.", dns.TypeA)
	if _, d := b.p.final(t); r.Rcode != dns.RcodeNameError || d.Why() != rules.NotListed {
		t.Errorf("a name that is no longer permitted: %v", r)
	}
}

// TestZonesAndHosts asserts which upstream is asked: the upstream of the
// longest zone, the public upstream, or none.
func TestZonesAndHosts(t *testing.T) {
	corp, lab := newAuthority(t), newAuthority(t)
	for _, u := range []*authority{corp, lab} {
		for _, name := range []string{"db.corp.test.", "x.lab.corp.test.", "corp.test."} {
			rr, _ := dns.NewRR(name + " 300 IN A 10.20.0.5")
			u.add(rr)
		}
	}
	name := func(s string) rules.Name {
		n, err := rules.ParseName(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	b := newHarness(t, func(c *setup) {
		c.Zones = []Zone{{name("corp.test"), corp.upstream()}, {name("lab.corp.test"), lab.upstream()}}
		c.Hosts = map[rules.Name][]netip.Addr{name("fixed.corp.test"): {netip.MustParseAddr("10.3.3.3")}, name("secret.test"): {netip.MustParseAddr("192.0.1.1")}}
	}, "*.corp.test", "corp.test", "a.example", "xcorp.test")
	for _, c := range []struct {
		name string
		who  *authority
	}{
		{"db.corp.test.", corp}, {"x.lab.corp.test.", lab}, {"a.example.", b.up}, {"xcorp.test.", b.up}, {"fixed.corp.test.", nil}, {"secret.test.", nil},
	} {
		r := b.ask(c.name, dns.TypeA)
		for _, u := range []*authority{corp, lab, b.up} {
			if n := len(u.asked()); (n == 1) != (u == c.who) {
				t.Errorf("%s: an upstream got %d queries", c.name, n)
			}
		}
		if c.name == "fixed.corp.test." && !slices.Equal(data(r), []string{"10.3.3.3"}) {
			t.Errorf("a fixed answer: %v", r)
		}
		if c.name == "secret.test." && (r.Rcode != dns.RcodeNameError || len(r.Answer) != 0) {
			t.Errorf("a fixed answer is no permission: %v", r)
		}
	}
	if r := b.ask("fixed.corp.test.", dns.TypeAAAA); r.Rcode != dns.RcodeSuccess || len(r.Answer) != 0 || len(b.up.asked())+len(corp.asked()) != 0 {
		t.Errorf("the type that a fixed name has not: %v", r)
	}
}
