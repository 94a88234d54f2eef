// Cookies: the vectors of the RFC, and the replies to valid, old and invalid
// cookies.

package dnsfilter

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCookieVectors asserts the test vectors of RFC 9018, appendix A: a first
// cookie, a renewed cookie, a cookie that is too old, and a cookie made with
// the previous secret.
func TestCookieVectors(t *testing.T) {
	secret := func(s string) cookieSecret { return secretOf([16]byte(unhex(t, s))) }
	const first = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	for _, v := range []struct {
		section, now, before string
		client, server       string // as sent
		from                 string
		at                   int64
		proven               bool
		want                 string
	}{
		{"A.1", first, first, "2464c4abcf10c957", "", "198.51.100.100", 1559731985, false, "010000005cf79f111f8130c3eee29480"},
		{"A.2", first, first, "2464c4abcf10c957", "010000005cf79f111f8130c3eee29480", "198.51.100.100", 1559734385, true, "010000005cf7a871d4a564a1442aca77"},
		{"A.3", first, first, "fc93fc62807ddb86", "01abcdef5cf78f71a314227b6679ebf5", "203.0.113.203", 1559734700, false, "010000005cf7a9acf73a7810aca2381e"},
		{"A.4", "445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715", "22681ab97d52c298", "010000005cf7c57926556bd0934c72f8",
			"2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961, true, "010000005cf7c609a6bb79d16625507a"},
	} {
		now := time.Unix(v.at, 0)
		c := newCookies(now)
		c.secrets.Store(&cookieSecrets{now: secret(v.now), before: secret(v.before), made: now})
		send, proven := c.check(unhex(t, v.client+v.server), netip.MustParseAddr(v.from), now)
		if got := hex.EncodeToString(send[:]); got != v.want || proven != v.proven {
			t.Errorf("%s: %s, proven %t; want %s, %t", v.section, got, proven, v.want, v.proven)
		}
	}
	// The cookie of A.3 has reserved bytes that are set: they are hashed as received.
	at := time.Unix(1559727985, 0)
	c := newCookies(at)
	c.secrets.Store(&cookieSecrets{now: secret(first), before: secret(first), made: at})
	if _, proven := c.check(unhex(t, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"), netip.MustParseAddr("203.0.113.203"), at); !proven {
		t.Error("A.3: not valid while it was fresh")
	}
}

// TestCookieLife asserts how long a cookie proves its client, and that cookies
// stay valid for their hour when the secret is replaced after a day (RFC 9018,
// section 4.3; RFC 7873, section 7.1).
func TestCookieLife(t *testing.T) {
	start, from, client := time.Unix(1e9, 0), netip.MustParseAddr("10.0.0.1"), []byte("client-1")
	c := newCookies(start)
	for _, v := range []struct {
		made, used      time.Duration
		proven, renewed bool
	}{
		{0, 0, true, false},
		{0, 30 * time.Minute, true, false},
		{0, 31 * time.Minute, true, true},
		{time.Hour, 2 * time.Hour, true, true},
		{time.Hour, 2*time.Hour + time.Second, false, true},
		{3*time.Hour + 5*time.Minute, 3 * time.Hour, true, false}, // the clock was set back
		{3*time.Hour + 5*time.Minute + time.Second, 3 * time.Hour, false, true},
		{secretLife - time.Minute, secretLife, true, true}, // made with the previous secret
		{3*secretLife + time.Minute, 3*secretLife + 2*time.Minute, true, false},
	} {
		made, _ := c.check(client, from, start.Add(v.made))
		send, proven := c.check(slices.Concat(client, made[:]), from, start.Add(v.used))
		if proven != v.proven || (send != made) != v.renewed {
			t.Errorf("made at %v, used at %v: proven %t, renewed %t", v.made, v.used, proven, send != made)
		}
	}
}

// TestCookieOfAnother asserts that a cookie proves one client cookie at one
// address, for one process.
func TestCookieOfAnother(t *testing.T) {
	now, from := time.Unix(1e9, 0), netip.MustParseAddr("10.0.0.1")
	c := newCookies(now)
	good, _ := c.check([]byte("client-1"), from, now)
	whole := slices.Concat([]byte("client-1"), good[:])
	if _, proven := c.check(whole, from, now); !proven {
		t.Fatal("a good cookie proves nothing")
	}
	for what, bad := range map[string]func() bool{
		"from another address":     func() bool { _, p := c.check(whole, netip.MustParseAddr("10.0.0.2"), now); return p },
		"from the mapped address":  func() bool { _, p := c.check(whole, netip.MustParseAddr("::ffff:10.0.0.1"), now); return p },
		"with another client part": func() bool { _, p := c.check(slices.Concat([]byte("client-2"), good[:]), from, now); return p },
		"after a restart":          func() bool { _, p := newCookies(now).check(whole, from, now); return p },
		"with an octet more":       func() bool { _, p := c.check(append(slices.Clone(whole), 0), from, now); return p },
		"cut off":                  func() bool { _, p := c.check(whole[:16], from, now); return p },
	} {
		if bad() {
			t.Errorf("a cookie %s proves its source", what)
		}
	}
	for i := range whole {
		other := slices.Clone(whole)
		other[i] ^= 1
		if _, proven := c.check(other, from, now); proven {
			t.Errorf("a cookie with another octet %d proves its source", i)
		}
	}
}

// withCookie adds a COOKIE option of any length, given in hexadecimal.
func withCookie(m *dns.Msg, cookie string) *dns.Msg {
	if m.IsEdns0() == nil {
		m.SetEdns0(1232, false)
	}
	o := m.IsEdns0()
	data, err := hex.DecodeString(cookie)
	if err != nil {
		panic(err)
	}
	o.Option = append(o.Option, &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: data})
	return m
}

// TestCookieOption asserts the server's part of RFC 7873, section 5.2, for
// every kind of reply: the reply has the client cookie and a server cookie; an
// invalid server cookie counts as none; a wrong length is a FORMERR and is
// recorded; only the first option counts.
func TestCookieOption(t *testing.T) {
	const half = "0123456789abcdef"
	b := newHarness(t, func(c *setup) {
		c.Hosts = map[rules.Name][]netip.Addr{mustName(t, "fixed.example"): {netip.MustParseAddr("192.0.1.1")}}
	}, "a.example", "fixed.example", "big.example")
	for _, rr := range records(t, bigName()) {
		b.up.add(rr)
	}
	for _, name := range []string{"a.example.", "fixed.example.", "big.example.", "evil.example."} {
		for _, proto := range []rules.Proto{rules.UDP, rules.TCP} {
			r := b.sendFrom(withCookie(question(name, dns.TypeA), half), knownClient, proto)
			a, _ := b.p.final(t)
			if got := cookieOf(r); len(got) != 48 || got[:16] != half || a.SourceProven != (proto == rules.TCP) {
				t.Errorf("%s by %v: cookie %q, proven %t", name, proto, got, a.SourceProven)
			}
			again := b.sendFrom(withCookie(question(name, dns.TypeA), cookieOf(r)), knownClient, proto)
			if a, _ := b.p.final(t); cookieOf(again) != cookieOf(r) || !a.SourceProven {
				t.Errorf("%s by %v, again: cookie %q, proven %t", name, proto, cookieOf(again), a.SourceProven)
			}
		}
	}
	if r := b.ask("a.example.", dns.TypeA); cookieOf(r) != "" {
		t.Error("a client without a cookie is sent one")
	}
	b.p.final(t)
	for _, bad := range []string{half + "0123456789abcdef", half + "010000000000000000000000000000ff", half + fmt.Sprintf("%064d", 0)} {
		r := b.send(withCookie(question("a.example.", dns.TypeA), bad))
		if a, d := b.p.final(t); len(r.Answer) != 1 || len(cookieOf(r)) != 48 || a.SourceProven || !d.Allowed() {
			t.Errorf("cookie %s: %v", bad, r)
		}
	}
	for _, n := range []int{0, 1, 7, 9, 15, 41, 64} {
		r := b.send(withCookie(question("a.example.", dns.TypeA), strings.Repeat("00", n)))
		if r.Rcode != dns.RcodeFormatError || cookieOf(r) != "" || !denied(t, b, rules.MalformedRequest) {
			t.Errorf("cookie of %d octets: %v", n, r)
		}
	}
	r := b.send(withCookie(withCookie(question("a.example.", dns.TypeA), half), "00"))
	if got := cookieOf(r); len(r.Answer) != 1 || len(got) != 48 || got[:16] != half {
		t.Errorf("two cookies: %v", r)
	}
}

// TestCookieCostsNoAllocation asserts that a cached answer for a client with a
// cookie allocates nothing.
func TestCookieCostsNoAllocation(t *testing.T) {
	f := cached(t, true)
	f.cfg.Observe = nil
	from := netip.MustParseAddrPort(knownClient + ":1")
	good, _ := f.cookies.check([]byte("client-1"), from.Addr(), f.cfg.Now())
	wire := packed(t, withCookie(question("a.example.", dns.TypeA), hex.EncodeToString(slices.Concat([]byte("client-1"), good[:]))))
	out := make([]byte, 0, 2048)
	if n := testing.AllocsPerRun(1000, func() {
		q := query{msg: wire, client: from, proto: rules.UDP}
		if reply, p := f.handle(&q, out); p != nil || !q.proven || len(reply) < 60 {
			t.Fatal("no answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// firstCookie is the slow reader of an OPT record's data. It returns the first
// COOKIE option, and whether all data is readable (RFC 6891, section 6.1.2).
func firstCookie(data []byte) (cookie []byte, found, readable bool) {
	for len(data) > 0 {
		if len(data) < 4 {
			return nil, false, false
		}
		code, n := int(data[0])<<8|int(data[1]), int(data[2])<<8|int(data[3])
		if data = data[4:]; len(data) < n {
			return nil, false, false
		}
		if code == 10 && !found {
			cookie, found = data[:n], true
		}
		data = data[n:]
	}
	return cookie, found, true
}

// FuzzCookie uses any bytes as the data of a query's OPT record. They never
// prove a source. A reply has the client part of the first cookie and 16 more
// bytes. Unreadable data or a wrong length always gets FORMERR (RFC 7873,
// section 5.2).
func FuzzCookie(f *testing.F) {
	option := func(code byte, data string) []byte { return append([]byte{0, code, 0, byte(len(data))}, data...) }
	for _, data := range [][]byte{
		nil, option(10, ""), option(10, "7octets"), option(10, "8 octets"), option(10, "8 octets and"), option(10, "8 octets and 16 of servers"),
		option(10, "8 octets\x01\x00\x00\x00\x3b\x9a\xca\x00hash56_8"), option(10, strings.Repeat("x", 40)), option(10, strings.Repeat("x", 41)),
		slices.Concat(option(3, ""), option(10, "8 octets"), option(10, "bad")), slices.Concat(option(10, "bad"), option(10, "8 octets")),
		slices.Concat(option(10, "8 octets"), []byte{0, 1}), {0, 10, 0, 9, 'x'}, {0, 10, 255, 255},
	} {
		f.Add(data, false)
		f.Add(data, true)
	}
	p := &policy{names: []string{"fixed.example"}}
	flt, _ := setup{Config{Gate: p, Limits: Limits{UnknownQPS: -1}}, ResolverConfig{
		Upstreams: nowhere(f), Hosts: map[rules.Name][]netip.Addr{mustName(f, "fixed.example"): {netip.MustParseAddr("192.0.1.1")}},
	}}.filter(f)
	f.Cleanup(flt.Close)
	flt.reach = reach
	head := packed(f, question("fixed.example.", dns.TypeA))
	head[11] = 1 // an additional record
	f.Fuzz(func(t *testing.T, data []byte, tcp bool) {
		data = data[:min(len(data), 1000)]
		m := append(slices.Clone(head), 0, 0, byte(dns.TypeOPT), 4, 208, 0, 0, 0, 0, byte(len(data)>>8), byte(len(data)))
		q := query{msg: append(m, data...), client: netip.MustParseAddrPort("10.0.0.1:53"), proto: rules.UDP}
		if tcp {
			q.proto = rules.TCP
		}
		out, _ := flt.handle(&q, nil)
		p.attempts, p.verdicts = nil, nil
		r := unpacked(t, out)
		cookie, found, readable := firstCookie(data)
		good := readable && (!found || validCookieSize(len(cookie)))
		if good != (r.Rcode == dns.RcodeSuccess) || good != (len(r.Answer) == 1) || !good && r.Rcode != dns.RcodeFormatError {
			t.Fatalf("%x: %v", data, r)
		}
		if q.proven != tcp {
			t.Fatalf("%x proves a source", data)
		}
		back := cookieOf(r)
		if found && good && (len(back) != 48 || back[:16] != hex.EncodeToString(cookie[:8])) || (!found || !good) && back != "" {
			t.Fatalf("%x: cookie %q", data, back)
		}
	})
}
