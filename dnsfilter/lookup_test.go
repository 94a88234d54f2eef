// Look-ups: what the proxy's dialer gets, and which upstreams are asked.

package dnsfilter

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestLookup asserts that a look-up returns addresses of both families and
// typed errors, and that look-ups and clients share one cache.
func TestLookup(t *testing.T) {
	b := newHarness(t, func(c *setup) {
		c.Hosts = map[rules.Name][]netip.Addr{mustName(t, "fixed.test"): {netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fd00::3")}}
	})
	b.up.add(records(t, "onlytxt.example. 300 IN TXT x")[0])
	for _, c := range []struct {
		name  string
		addrs string
		err   error
		asked int
	}{
		{"a.example", "[2606:4700::10 192.0.1.10]", nil, 2},
		{"a.example", "[2606:4700::10 192.0.1.10]", nil, 0},
		{"b.example", "[192.0.1.11]", nil, 2},
		{"www.a.example", "[192.0.1.20]", nil, 2},
		{"inside.example", "[fd00:ec2::254 127.0.0.1 169.254.169.254]", nil, 2}, // the caller checks the addresses
		{"fixed.test", "[fd00::3 10.1.2.3]", nil, 0},
		{"onlytxt.example", "[]", ErrNoAddress, 2},
		{"gone.example", "[]", ErrNoSuchName, 2},
		{"gone.example", "[]", ErrNoSuchName, 0},
	} {
		addrs, err := b.Lookup(t.Context(), nil, mustName(t, c.name))
		if got := "[" + join(addrs) + "]"; got != c.addrs || !errors.Is(err, c.err) {
			t.Errorf("%s: %s, %v; want %s, %v", c.name, got, err, c.addrs, c.err)
		}
		if asked := b.up.asked(); len(asked) != c.asked {
			t.Errorf("%s: upstream was asked %q", c.name, asked)
		}
	}
	b.p.names = []string{"a.example"}
	if r := b.ask("a.example.", dns.TypeA); len(r.Answer) != 1 || len(b.up.asked()) != 0 {
		t.Errorf("a client does not share the cache: %v", r)
	}
	if _, err := b.Lookup(t.Context(), nil, rules.Name{}); !errors.Is(err, ErrNoSuchName) {
		t.Errorf("no name: %v", err)
	}
}

func join(addrs []netip.Addr) string {
	var s []string
	for _, a := range addrs {
		s = append(s, a.String())
	}
	return strings.Join(s, " ")
}

// TestLookupFails asserts that a look-up ends in time when upstreams are
// silent, when its context ends, and when the filter closes.
func TestLookupFails(t *testing.T) {
	t.Parallel()
	b := newHarness(t, func(c *setup) { c.Timeout = 300 * time.Millisecond })
	b.up.answerWith(func(dns.ResponseWriter, *dns.Msg) bool { return true })
	var failed *UpstreamError
	if _, err := b.Lookup(t.Context(), nil, mustName(t, "a.example")); !errors.Is(err, ErrUpstream) || !errors.As(err, &failed) || !failed.Silent {
		t.Errorf("silent upstream: %v", err)
	}
	b.up.answerWith(func(w dns.ResponseWriter, q *dns.Msg) bool {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
		return true
	})
	if _, err := b.Lookup(t.Context(), nil, mustName(t, "d.example")); !errors.As(err, &failed) || failed.Silent || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Errorf("upstream that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Lookup(ctx, nil, mustName(t, "b.example")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	b.Close()
	if _, err := b.Lookup(t.Context(), nil, mustName(t, "c.example")); !errors.Is(err, ErrUpstream) {
		t.Errorf("after Close: %v", err)
	}
}

// TestLookupSlowFamily asserts that a name server which never answers AAAA
// questions does not delay a connection by IPv4.
func TestLookupSlowFamily(t *testing.T) {
	t.Parallel()
	b := newHarness(t, nil)
	b.up.answerWith(func(_ dns.ResponseWriter, r *dns.Msg) bool { return r.Question[0].Qtype == dns.TypeAAAA })
	began := time.Now()
	addrs, err := b.Lookup(t.Context(), nil, mustName(t, "a.example"))
	if join(addrs) != "192.0.1.10" || err != nil || time.Since(began) > b.cfg.Timeout/2 {
		t.Errorf("%v, %v after %v", addrs, err, time.Since(began))
	}
}

// TestLookupTogether asserts that many look-ups of one name make one upstream
// query.
func TestLookupTogether(t *testing.T) {
	b := newHarness(t, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if addrs, err := b.Lookup(t.Context(), nil, mustName(t, "a.example")); len(addrs) != 2 || err != nil {
				t.Errorf("%v, %v", addrs, err)
			}
		})
	}
	wg.Wait()
	if asked := b.up.asked(); len(asked) != 2 {
		t.Errorf("upstream was asked %q", asked)
	}
}

// TestReload asserts that a new Resolver has no old answers and asks its own
// upstreams.
func TestReload(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	b.ask("a.example.", dns.TypeA)
	b.up.asked()
	next := newAuthority(t)
	b.advance(time.Second)
	b.SetLimits(Limits{QPS: 1})
	b.gens.reload(t, ResolverConfig{Upstreams: next.upstream(), Denied: Refused})
	b.askTCP("a.example.", dns.TypeA)
	if r := b.ask("evil.example.", dns.TypeA); r.Rcode != dns.RcodeRefused || len(next.asked()) != 1 || len(b.up.asked()) != 0 {
		t.Errorf("after the reload: %v", r)
	}
	b.p.attempts, b.p.verdicts = nil, nil
	if b.askTCP("a.example.", dns.TypeAAAA); !denied(t, b, rules.Limit) {
		t.Error("the new limits are not in force")
	}
}

// TestParseUpstreams asserts the grammar of upstream texts and of resolv.conf.
func TestParseUpstreams(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", "# comment\nsearch corp.example\nnameserver 192.0.2.1\n\tnameserver 2001:db8::53 \noptions ndots:5\nnameserver dns.example\n;nameserver 192.0.2.9\n")
	empty := file("empty", "search corp.example\n")
	for _, c := range []struct {
		texts []string
		file  string
		want  string // joined; "" : an error
	}{
		{[]string{"system"}, good, "udp://192.0.2.1:53 udp://[2001:db8::53]:53"},
		{[]string{"udp://192.0.2.7", "system"}, good, "udp://192.0.2.7:53 udp://192.0.2.1:53 udp://[2001:db8::53]:53"},
		{[]string{"system"}, empty, ""},
		{[]string{"system"}, filepath.Join(dir, "absent"), ""},
		{nil, good, ""},
		{[]string{"tcp://192.0.2.7:5353"}, "", "tcp://192.0.2.7:5353"},
		{[]string{"udp://[2001:db8::1]"}, "", "udp://[2001:db8::1]:53"},
		{[]string{"udp://2001:db8::1"}, "", "udp://[2001:db8::1]:53"},
		{[]string{"tcp://[2001:db8::1]:5353"}, "", "tcp://[2001:db8::1]:5353"},
		{[]string{"udp://[::ffff:192.0.2.7]:53"}, "", "udp://192.0.2.7:53"},
		{[]string{"udp://192.0.2.7:0"}, "", ""},
		{[]string{"udp://192.0.2.7:65536"}, "", ""},
		{[]string{"udp://192.0.2.7:"}, "", ""},
		{[]string{"udp://dns.example"}, "", ""},
		{[]string{"192.0.2.7"}, "", ""},
		{[]string{"https://192.0.2.7/dns-query"}, "", ""},
		{[]string{"udp://"}, "", ""},
		{[]string{"SYSTEM"}, good, ""},
	} {
		ups, err := ParseUpstreams(c.texts, c.file)
		var got []string
		for _, u := range ups {
			got = append(got, u.String())
		}
		if strings.Join(got, " ") != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.texts, got, err, c.want)
		}
	}
}

// TestNewResolverRefuses asserts that a Resolver needs upstreams for all its
// names.
func TestNewResolverRefuses(t *testing.T) {
	up := []rules.Upstream{{Over: rules.OverUDP, Addr: netip.MustParseAddrPort("192.0.2.1:53")}}
	for what, c := range map[string]ResolverConfig{
		"no upstream":             {},
		"a zone without upstream": {Upstreams: up, Zones: []Zone{{Suffix: mustName(t, "corp.test")}}},
		"a zone without suffix":   {Upstreams: up, Zones: []Zone{{Upstreams: up}}},
	} {
		if _, err := NewResolver(c); err == nil {
			t.Errorf("%s: made", what)
		}
	}
	if _, err := NewResolver(ResolverConfig{Upstreams: up}); err != nil {
		t.Error(err)
	}
}

// TestClosedByDefault asserts that a filter without a Gate denies, and that
// without a generation no upstream is asked.
func TestClosedByDefault(t *testing.T) {
	b := newHarness(t, func(c *setup) { c.Gate = nil }, "a.example")
	if r := b.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeRefused || len(b.up.asked()) != 0 {
		t.Errorf("without a Gate: %v", r)
	}
	b = newHarness(t, func(c *setup) { c.Generation = func() *rules.Generation { return nil } }, "a.example")
	if r := b.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || len(b.up.asked()) != 0 {
		t.Errorf("without a generation: %v", r)
	}
	if _, err := b.Lookup(t.Context(), nil, mustName(t, "a.example")); !errors.Is(err, ErrUpstream) || len(b.up.asked()) != 0 {
		t.Errorf("a look-up without a generation: %v", err)
	}
}
