// DNSSEC: what a validating resolver in front gets. The test makes real
// signatures.

package dnsfilter

import (
	"crypto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/site"
)

// signer signs record sets as one zone.
type signer struct {
	key  *dns.DNSKEY
	priv crypto.Signer
}

func newSigner(t *testing.T, zone string) signer {
	t.Helper()
	k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: 1, Ttl: 300}, Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	priv, err := k.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	return signer{k, priv.(crypto.Signer)}
}

func (s signer) sign(t *testing.T, rrs ...dns.RR) *dns.RRSIG {
	t.Helper()
	now := uint32(time.Now().Unix())
	sig := &dns.RRSIG{
		Hdr: dns.RR_Header{Ttl: rrs[0].Header().Ttl}, Algorithm: s.key.Algorithm, KeyTag: s.key.KeyTag(), SignerName: s.key.Hdr.Name,
		Inception: now - 3600, Expiration: now + 86400,
	}
	if err := sig.Sign(s.priv, rrs); err != nil {
		t.Fatal(err)
	}
	return sig
}

// TestSignaturesPass asserts that a client with DO (RFC 3225) gets an answer
// with signatures and denials of existence that verify, from the upstream and
// from the cache; that a client without DO gets none; and that CD goes upstream
// (RFC 4035, section 3.2.2).
func TestSignaturesPass(t *testing.T) {
	s := newSigner(t, "example.")
	a := records(t, "a.example. 300 IN A 192.0.1.10")
	soa := records(t, "example. 900 IN SOA ns.example. root.example. 1 2 3 4 60")
	nsec := records(t, "a.example. 60 IN NSEC b.example. A RRSIG NSEC")
	outside := records(t, "x.evil.test. 60 IN NSEC y.evil.test. A")
	b := newHarness(t, nil, "a.example")
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := new(dns.Msg).SetReply(r)
		m.RecursionAvailable, m.AuthenticatedData = true, true
		q := r.Question[0]
		switch q.Qtype {
		case dns.TypeA:
			m.Answer = []dns.RR{a[0], s.sign(t, a...)}
		case dns.TypeDNSKEY:
			m.Answer = []dns.RR{s.key, s.sign(t, s.key)}
		default:
			evil := newSigner(t, "evil.test.")
			m.Ns = []dns.RR{soa[0], s.sign(t, soa...), nsec[0], s.sign(t, nsec...), evil.sign(t, outside...)}
		}
		if o := r.IsEdns0(); o == nil || !o.Do() {
			m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeRRSIG })
			m.Ns = m.Ns[:min(len(m.Ns), 1)]
		}
		w.WriteMsg(m)
		return true
	})
	ask := func(qtype uint16, do, cd bool) *dns.Msg {
		m := withEDNS(question("a.example.", qtype), 1232)
		if m.CheckingDisabled = cd; do {
			m.IsEdns0().SetDo()
		}
		return b.send(m)
	}
	verify := func(rrs []dns.RR, rrtype uint16) {
		t.Helper()
		var set []dns.RR
		var sig *dns.RRSIG
		for _, rr := range rrs {
			if x, ok := rr.(*dns.RRSIG); ok && x.TypeCovered == rrtype {
				sig = x
			} else if rr.Header().Rrtype == rrtype {
				set = append(set, rr)
			}
		}
		if sig == nil || len(set) == 0 {
			t.Fatalf("no signed %s in %v", dns.Type(rrtype), rrs)
		}
		if err := sig.Verify(s.key, set); err != nil {
			t.Errorf("%s: %v", dns.Type(rrtype), err)
		}
	}
	for range 2 {
		r := ask(dns.TypeA, true, false)
		verify(r.Answer, dns.TypeA)
		if r.AuthenticatedData {
			t.Error("AD is set, though nothing was validated here")
		}
		verify(ask(dns.TypeA, true, true).Answer, dns.TypeA)
		r = ask(dns.TypeAAAA, true, false)
		verify(r.Ns, dns.TypeSOA)
		verify(r.Ns, dns.TypeNSEC)
		if strings.Contains(r.String(), "evil") {
			t.Errorf("of another zone: %v", r)
		}
		r = ask(dns.TypeDS, true, false)
		verify(r.Ns, dns.TypeNSEC)
		if r = ask(dns.TypeA, false, true); len(r.Answer) != 1 || r.Answer[0].Header().Rrtype != dns.TypeA {
			t.Errorf("without DO: %v", r)
		}
		b.advance(time.Second)
	}
	b.up.mu.Lock()
	defer b.up.mu.Unlock()
	asked := map[string]int{}
	for _, m := range b.up.raw {
		flags := dns.Type(m.Question[0].Qtype).String()
		if m.IsEdns0().Do() {
			flags += " do"
		}
		if m.CheckingDisabled {
			flags += " cd"
		}
		asked[flags]++
	}
	for _, flags := range []string{"A do", "A do cd", "AAAA do", "DS do", "A"} {
		if asked[flags] != 1 {
			t.Errorf("upstream was asked %v, want %q once", asked, flags)
		}
	}
}

// TestFlattenedIsUnsigned asserts that a flattened answer has no signature,
// because no zone signed it, and that the keys of an alias's target are not
// given as the alias's own.
func TestFlattenedIsUnsigned(t *testing.T) {
	s := newSigner(t, "cdn.test.")
	b := newHarness(t, nil, "a.example")
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := new(dns.Msg).SetReply(r)
		m.RecursionAvailable = true
		end := records(t, "x.cdn.test. 300 IN A 192.0.1.10")
		if r.Question[0].Qtype == dns.TypeDS {
			end = records(t, "x.cdn.test. 300 IN DS 1 13 2 00")
		}
		m.Answer = append(records(t, "a.example. 300 IN CNAME x.cdn.test."), end[0], s.sign(t, end...))
		w.WriteMsg(m)
		return true
	})
	for qtype, want := range map[uint16]int{dns.TypeA: 1, dns.TypeDS: 0} {
		m := withEDNS(question("a.example.", qtype), 1232)
		m.IsEdns0().SetDo()
		if r := b.send(m); len(r.Answer) != want || strings.Contains(r.String(), "RRSIG") || strings.Contains(r.String(), "cdn.test") {
			t.Errorf("%v", r)
		}
	}
}

// TestKeysAbove asserts that for names above a permitted one, up to the root,
// only keys are looked up (RFC 4035, section 5).
func TestKeysAbove(t *testing.T) {
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(realConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	rec := &decisions{next: p}
	b := newHarness(t, func(s *setup) { s.Gate = rec })
	b.reach = rules.Decision.Reach
	root := newSigner(t, ".")
	b.up.add(root.key)
	for range 2 {
		if r := b.ask(".", dns.TypeDNSKEY); len(r.Answer) != 1 || r.Answer[0].(*dns.DNSKEY).PublicKey != root.key.PublicKey || rec.last.Text() != "allow" {
			t.Errorf("the root's keys: %v, %s", r, rec.last.Text())
		}
		if r := b.ask("example.", dns.TypeDS); r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError || rec.last.Text() != "allow" {
			t.Errorf("DS: %v, %s", r, rec.last.Text())
		}
	}
	if asked := b.up.asked(); !slices.Equal(asked, []string{"udp . DNSKEY", "udp example. DS"}) {
		t.Errorf("upstream was asked %q", asked)
	}
	for name, qtype := range map[string]uint16{".": dns.TypeNS, "example.": dns.TypeSOA, "evil.test.": dns.TypeDS, "com.": dns.TypeDNSKEY} {
		if b.ask(name, qtype); rec.last.Text() != "deny" {
			t.Errorf("%s %s: %s", name, dns.Type(qtype), rec.last.Text())
		}
	}
	if r := b.sendFrom(question(".", dns.TypeDNSKEY), unknownClient, rules.UDP); r.Rcode != dns.RcodeRefused || rec.last.Why() != rules.UnknownClient {
		t.Errorf("an unknown client: %v, %s", r, rec.last.Why())
	}
	if asked := b.up.asked(); len(asked) != 0 {
		t.Errorf("upstream was asked %q", asked)
	}
}
