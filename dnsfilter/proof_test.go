// DNSSEC: what happens to answers that a validating resolver does not confirm.

package dnsfilter

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// wordless is a wrong signature that a resolver reports by SERVFAIL alone.
const wordless = 0xffff

// confirming makes an authority a validating resolver. It sets AD only if the question asks
// for it, and reports a wrong signature as resolvers do: not at all to a question with CD.
func confirming(up *authority, secure bool, ede uint16) {
	up.answerWith(func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := up.reply(q)
		m.AuthenticatedData = secure && q.AuthenticatedData
		if ede != 0 && (ede != wordless || !q.CheckingDisabled) {
			m = new(dns.Msg)
			m.SetRcode(q, dns.RcodeServerFailure)
			m.SetEdns0(1232, false)
			if ede != wordless {
				m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: ede}}
			}
		}
		w.WriteMsg(m)
		return true
	})
}

// bogusPolicy compiles the policy of a site that permits three names to the known client.
func bogusPolicy(t *testing.T, mode rules.Unproven) *rules.Policy {
	t.Helper()
	var to []rules.Destination
	for _, s := range []string{"a.example", "gone.example", "db.corp.test", "www.a.example"} {
		d, err := rules.ParseDestination(s)
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, d)
	}
	p, _ := rules.Compile(&rules.Spec{
		Unproven: mode, Zones: []rules.Name{mustName(t, "corp.test")},
		Clients: []*rules.Client{{Name: "c", Sources: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		Rules:   []*rules.Rule{{Profile: rules.SiteProfile, ID: "r", Client: "c", To: to, TCP: rules.Ports{}, Any: true}},
	}, rules.Own{}, time.Unix(1e9, 0))
	return p
}

// recorded is a Gate that keeps the last final decision of a policy.
type recorded struct {
	*rules.Policy
	last   rules.Decision
	detail string
}

func (r *recorded) Decide(a rules.Attempt) rules.Decision {
	d := r.Policy.Decide(a)
	if !a.Provisional || !d.Allowed() {
		r.last, r.detail = d, a.Detail
	}
	return d
}

func TestDNSSEC(t *testing.T) {
	const unsigned, wrong = "the zone is not signed, or the resolver does not validate", "the resolver reports DNSSEC Bogus"
	const unchecked = "the resolver answers only without its check, so the signatures are wrong"
	for _, c := range []struct {
		what    string
		dnssec  DNSSEC
		name    string
		secure  bool
		ede     uint16
		verdict string // with its reason
		rcode   int
		code    uint16 // extended error
		detail  string
	}{
		{"off", DNSSECOff, "a.example.", false, 0, "allow", 0, noEDE, ""},
		{"proven", DNSSECRequire, "a.example.", true, 0, "allow", 0, noEDE, ""},
		{"proven that it does not exist", DNSSECRequire, "gone.example.", true, 0, "allow", dns.RcodeNameError, noEDE, ""},
		{"unsigned", DNSSECRequire, "a.example.", false, 0, "deny dns_bogus", dns.RcodeServerFailure, dns.ExtendedErrorCodeDNSBogus, unsigned},
		{"unsigned, does not exist", DNSSECRequire, "gone.example.", false, 0, "deny dns_bogus", dns.RcodeServerFailure, dns.ExtendedErrorCodeDNSBogus, unsigned},
		{"a wrong signature", DNSSECRequire, "a.example.", false, dns.ExtendedErrorCodeDNSBogus, "deny dns_bogus", dns.RcodeServerFailure, dns.ExtendedErrorCodeDNSBogus, wrong},
		{"a wrong signature, SERVFAIL alone", DNSSECRequire, "a.example.", false, wordless, "deny dns_bogus", dns.RcodeServerFailure, dns.ExtendedErrorCodeDNSBogus, unchecked},
		{"an alias into a zone that is not signed", DNSSECRequire, "www.a.example.", false, 0, "deny dns_bogus", dns.RcodeServerFailure, dns.ExtendedErrorCodeDNSBogus, unsigned},
		{"an alias, proven", DNSSECRequire, "www.a.example.", true, 0, "allow", 0, noEDE, ""},
		{"off, the resolver sets AD", DNSSECOff, "a.example.", true, 0, "allow", 0, noEDE, ""},
		{"another failure", DNSSECRequire, "a.example.", false, dns.ExtendedErrorCodeNetworkError, "allow", dns.RcodeServerFailure, dns.ExtendedErrorCodeNoReachableAuthority, ""},
		{"in a zone of the site", DNSSECRequire, "db.corp.test.", false, 0, "allow", 0, noEDE, ""},
		{"logged", DNSSECLog, "a.example.", false, 0, "would_deny dns_bogus", 0, noEDE, unsigned},
		{"logged, proven", DNSSECLog, "a.example.", true, 0, "allow", 0, noEDE, ""},
		{"logged, a wrong signature", DNSSECLog, "a.example.", false, dns.ExtendedErrorCodeDNSBogus, "would_deny dns_bogus", dns.RcodeServerFailure, dns.ExtendedErrorCodeDNSBogus, wrong},
	} {
		t.Run(c.what, func(t *testing.T) {
			mode := map[DNSSEC]rules.Unproven{DNSSECOff: rules.UnprovenPassed, DNSSECLog: rules.UnprovenLogged}[c.dnssec]
			gate := &recorded{Policy: bogusPolicy(t, mode)}
			zone := newAuthority(t)
			b := newHarness(t, func(s *setup) {
				s.Gate, s.DNSSEC = gate, c.dnssec
				s.Zones = []Zone{{Suffix: mustName(t, "corp.test"), Upstreams: zone.upstream()}}
			})
			b.reach = rules.Decision.Reach
			confirming(b.up, c.secure, c.ede)
			for _, again := range []string{"", ", from the cache"} {
				m := withEDNS(question(c.name, dns.TypeA), 1232)
				m.IsEdns0().SetDo()
				m.CheckingDisabled = true // a client cannot have the check switched off
				m.AuthenticatedData = true
				r := b.sendFrom(m, knownClient, rules.TCP)
				got := gate.last.Text()
				if reason := gate.last.Why(); reason != rules.ReasonNone {
					got += " " + reason.String()
				}
				code, _ := extended(r)
				if got != c.verdict || r.Rcode != c.rcode || code != c.code || !strings.Contains(gate.detail, c.detail) {
					t.Errorf("%s%s: %s %q, rcode %d, EDE %d; want %s %q, %d, %d", c.what, again, got, gate.detail, r.Rcode, code, c.verdict, c.detail, c.rcode, c.code)
				}
				if strings.HasPrefix(got, "deny") && len(r.Answer)+len(r.Ns) > 0 {
					t.Errorf("%s%s: the denial has records: %v", c.what, again, r)
				}
				if r.AuthenticatedData {
					t.Errorf("%s%s: the answer claims that DNSSEC proves it", c.what, again)
				}
			}
			addrs, err := b.Lookup(t.Context(), nil, mustName(t, strings.TrimSuffix(c.name, ".")))
			var failed *UpstreamError
			if strings.HasPrefix(c.verdict, "deny") && (len(addrs) > 0 || !errors.As(err, &failed) || !errors.Is(failed.Cause, ErrBogus)) {
				t.Errorf("%s: the proxy gets %v, %v", c.what, addrs, err)
			}
			if c.dnssec == DNSSECLog && c.ede == 0 && !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("2606:4700::10"), netip.MustParseAddr("192.0.1.10")}) {
				t.Errorf("%s: the proxy gets %v, %v", c.what, addrs, err)
			}
			if why := b.Unproven(nil, mustName(t, strings.TrimSuffix(c.name, "."))); (why != "") != (c.dnssec == DNSSECLog && !c.secure && c.ede == 0) {
				t.Errorf("%s: the addresses are unproven because of %q", c.what, why)
			}
			b.up.mu.Lock()
			defer b.up.mu.Unlock()
			repeats := c.ede == wordless || c.ede == dns.ExtendedErrorCodeNetworkError // once more, without the check
			for _, q := range b.up.raw {
				if q.AuthenticatedData != (c.dnssec != DNSSECOff) || q.CheckingDisabled && c.dnssec != DNSSECOff && !repeats {
					t.Errorf("%s: asked with %v", c.what, q)
				}
			}
		})
	}
}

// TestDNSSECNeedsProof asserts that the bit AD of an upstream that can be forged is never
// asked for.
func TestDNSSECNeedsProof(t *testing.T) {
	ca := newCertifier(t)
	for text, ok := range map[string]bool{
		"udp://192.0.2.53": false, "tcp://192.0.2.53": false, "udp://127.0.0.1": true, "tcp://[::1]": true,
		"tls://192.0.2.53?name=dns.test": true, "https://192.0.2.53/q?name=dns.test": true,
	} {
		for _, d := range []DNSSEC{DNSSECLog, DNSSECRequire} {
			if _, err := NewResolver(ResolverConfig{Upstreams: []rules.Upstream{upstreamOf(t, text)}, Roots: ca.roots, DNSSEC: d}); (err == nil) != ok {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if d, err := ParseDNSSEC("on"); err == nil || d != DNSSECRequire {
		t.Errorf("an unknown word is %d, %v", d, err)
	}
}

// TestDNSSECOfSeveral asserts that a wrong signature is the reason if the other upstreams
// only fail, in any order, and that an upstream that fails does not hide a proven answer.
func TestDNSSECOfSeveral(t *testing.T) {
	type says struct {
		secure bool
		ede    uint16
	}
	for _, c := range []struct {
		what    string
		servers [2]says
		want    string
	}{
		{"bogus, failed", [2]says{{false, dns.ExtendedErrorCodeDNSBogus}, {false, dns.ExtendedErrorCodeNetworkError}}, "dns_bogus"},
		{"failed, bogus", [2]says{{false, dns.ExtendedErrorCodeNetworkError}, {false, dns.ExtendedErrorCodeDNSBogus}}, "dns_bogus"},
		{"failed, proven", [2]says{{false, dns.ExtendedErrorCodeNetworkError}, {true, 0}}, ""},
		{"bogus, unsigned", [2]says{{false, dns.ExtendedErrorCodeDNSBogus}, {false, 0}}, "dns_bogus"},
	} {
		gate := &recorded{Policy: bogusPolicy(t, rules.UnprovenDenied)}
		other := newAuthority(t)
		b := newHarness(t, func(s *setup) {
			s.Gate, s.DNSSEC = gate, DNSSECRequire
			s.Upstreams = append(s.Upstreams, other.upstream()...)
		})
		b.reach = rules.Decision.Reach
		confirming(b.up, c.servers[0].secure, c.servers[0].ede)
		confirming(other, c.servers[1].secure, c.servers[1].ede)
		r := b.ask("a.example.", dns.TypeA)
		if why := gate.last.Why().String(); why != c.want || (len(r.Answer) > 0) != (c.want == "") {
			t.Errorf("%s: %q, %v; want %q", c.what, why, r, c.want)
		}
	}
}
