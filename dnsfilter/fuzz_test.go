// Fuzz targets: bytes from clients and bytes from upstreams.

package dnsfilter

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// FuzzQuery sends any bytes to the server. It must never panic. Its replies are
// readable and not larger than the client accepts. Every message has exactly
// one final decision. No denied name goes upstream.
func FuzzQuery(f *testing.F) {
	for _, m := range [][]byte{
		packed(f, question("a.example.", dns.TypeA)),
		packed(f, withEDNS(question("A.example.", dns.TypeHTTPS), 1232)),
		packed(f, question("evil.example.", dns.TypeTXT)),
		packed(f, question(".", dns.TypeNS)),
		patched(f, 2, 0x28), patched(f, 4, 0, 2), patched(f, 12, 0xc0, 12), patched(f, 10, 0, 1),
	} {
		f.Add(m, true)
		f.Add(m, false)
	}
	p := &policy{names: []string{"a.example", "*.b.example"}}
	flt, _ := setup{Config{Gate: p, Limits: Limits{QPS: -1, UnknownQPS: -1}}, ResolverConfig{Upstreams: nowhere(f)}}.filter(f)
	f.Cleanup(flt.Close)
	flt.reach = reach
	f.Fuzz(func(t *testing.T, m []byte, tcp bool) {
		q := query{msg: slices.Clone(m), client: netip.MustParseAddrPort("10.0.0.1:53"), proto: rules.UDP}
		if tcp {
			q.proto = rules.TCP
		}
		out, pend := flt.handle(&q, nil)
		if pend != nil {
			flt.budgetOf(&q).waiting.Release(pend.owner)
			a := p.attempts[len(p.attempts)-1]
			if !p.permits(pend.name.String()) || !forwarded(q.qtype) || len(out) != 0 || a.Authority != pend.name {
				t.Fatalf("%x would go upstream as %s", m, pend.name)
			}
			p.attempts, p.verdicts = nil, nil
			return
		}
		if _, d := p.final(t); d.Allowed() {
			t.Fatalf("%x is allowed without an answer", m)
		}
		if len(out) == 0 {
			return
		}
		if len(out) > q.limit() || len(out) > len(m)+200+maxExtraText {
			t.Fatalf("%x: a reply of %d octets", m, len(out))
		}
		r := unpacked(t, out)
		if !r.Response || r.Id != q.id() || len(r.Answer) != 0 || r.AuthenticatedData {
			t.Fatalf("%x: %v", m, r)
		}
		sameAsLibrary(t, m, r)
	})
}

// sameAsLibrary compares our parser with the library's for a query of the usual
// form.
func sameAsLibrary(t *testing.T, m []byte, r *dns.Msg) {
	if q := (query{msg: m}); !q.parse() {
		return
	}
	lib := new(dns.Msg)
	if err := unpackWhole(lib, m); err != nil || len(lib.Question) != 1 || lib.Question[0] != r.Question[0] {
		t.Fatalf("%x: the library reads %v, %v", m, lib, err)
	}
}

// FuzzAnswer uses any bytes as an upstream's reply. The kept records must be
// one chain from the question on, without ech and with bounded TTLs, and an
// answer must have only reachable addresses.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{"a.example. 300 IN A 192.0.1.1", chain(3), "a.example. 300 IN A 10.0.0.1\na.example. 0 IN A 192.0.1.1", zoneText} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeHTTPS} {
			m := question("a.example.", qtype)
			m.Response, m.Answer = true, records(f, strings.ReplaceAll(text, "svc.", "a."))
			f.Add(packed(f, m), qtype)
		}
	}
	f.Fuzz(func(t *testing.T, octets []byte, qtype uint16) {
		asked, err := upstreamQuery("a.example.", want{qtype: qtype, do: true}, queryForm{edns: true, mixed: true})
		if err != nil || !forwarded(qtype) {
			return
		}
		if len(octets) > 29 { // let the fuzzer get past ID and question
			copy(octets, asked[:2])
			copy(octets[headerSize:], asked[headerSize:headerSize+15])
		}
		r, err := readReply(octets, asked)
		if err != nil {
			return
		}
		name := mustName(t, "a.example")
		a, err := validate(r.m, name, qtype)
		if err != nil {
			return
		}
		a.addProof(r.m, name, qtype)
		chained(t, a, name, qtype)
		e, err := newEntry(name, qtype, a)
		if err != nil {
			return
		}
		if ttl := a.ttl(); ttl < minTTL || ttl > maxTTL {
			t.Fatalf("kept for %d s", ttl)
		}
		e.expires = time.Hour
		answered(t, e, qtype)
	})
}

// chained asserts that records are one chain from name to records of the type.
func chained(t *testing.T, a *answer, name rules.Name, qtype uint16) {
	at, steps := name.String()+".", 0
	for i, rr := range a.records {
		h := rr.Header()
		if h.Name != at || h.Class != dns.ClassINET || h.Ttl < minTTL || h.Ttl > maxTTL {
			t.Fatalf("record %d of %v", i, a.records)
		}
		if c, ok := rr.(*dns.CNAME); ok {
			at = c.Target
			steps++
		} else if h.Rrtype != qtype {
			t.Fatalf("record %d of %v", i, a.records)
		}
	}
	if steps > maxChain || a.soa != nil && !dns.IsSubDomain(a.soa.Hdr.Name, at) {
		t.Fatalf("chain %v, %v", a.records, a.soa)
	}
}

// answered checks the reply that a client gets from an entry.
func answered(t *testing.T, e *entry, qtype uint16) {
	f, _ := setup{Config{Gate: always{}}, ResolverConfig{Upstreams: nowhere(t)}}.filter(t)
	defer f.Close()
	f.reach = reach
	m := question("a.example.", qtype)
	q := query{msg: packed(t, m), client: netip.MustParseAddrPort("10.0.0.1:53"), proto: rules.UDP}
	if !q.parse() {
		t.Fatal("not plain")
	}
	r := f.current()
	r.cache.put(string(appendKey(nil, q.wireName(), qtype)), e, 0)
	out, p := f.handle(&q, nil)
	if p != nil {
		t.Fatal("not cached", f.finish(context.Background(), p, nil))
	}
	if len(out) > dns.MinMsgSize {
		t.Fatalf("a reply of %d octets", len(out))
	}
	reply := unpacked(t, out)
	hinted := &entry{}
	for _, rr := range reply.Answer {
		hinted.addAddrs(rr)
		if s := svcbOf(rr); s != nil && strings.Contains(s.String(), "ech=") {
			t.Fatalf("ech is left: %v", s)
		}
	}
	if len(hinted.special) != 0 {
		t.Fatalf("kept %v", hinted.special)
	}
}
