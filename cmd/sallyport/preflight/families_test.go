// Tests of families: which addresses of a name are tried, and how the report shows
// a family without a route.

package preflight

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/proxy"
)

// addresses returns the given numbers of IPv6 and IPv4 addresses, IPv6 first.
func addresses(four, six int) (out []netip.Addr) {
	for i := range six {
		out = append(out, netip.MustParseAddr(fmt.Sprintf("2a00:1450::%x", i+1)))
	}
	for i := range four {
		out = append(out, netip.MustParseAddr(fmt.Sprintf("93.184.%d.%d", i/250, i%250+1)))
	}
	return out
}

func TestSample(t *testing.T) {
	for _, c := range []struct{ four, six, want4, want6 int }{
		{0, 0, 0, 0}, {1, 1, 1, 1}, {16, 0, 16, 0}, {10, 6, 10, 6}, {17, 0, 16, 0}, {0, 300, 0, 16},
		{300, 300, 8, 8}, {300, 3, 13, 3}, {3, 300, 3, 13}, {9, 9, 8, 8},
	} {
		all := addresses(c.four, c.six)
		got := sample(all)
		four := 0
		for i, a := range got {
			if a.Is4() {
				four++
			}
			if i > 0 && got[i-1].Is4() && a.Is6() {
				t.Errorf("%d and %d: the order changed: %v", c.four, c.six, got)
			}
		}
		if four != c.want4 || len(got)-four != c.want6 {
			t.Errorf("%d and %d: %d and %d are tried, want %d and %d", c.four, c.six, four, len(got)-four, c.want4, c.want6)
		}
	}
}

// A name server that answers with hundreds of addresses does not make the run
// longer. The report says that not all addresses were tried.
func TestRunBoundsAddresses(t *testing.T) {
	policy := compile(t, siteText)
	plan := NewPlan(policy, func(client, host string) bool { return client == "two" && host == "a.example" }, source)
	f := &fakeDialer{addrs: addresses(200, 200), err: &proxy.ConnectError{Err: syscall.ETIMEDOUT}}
	r := try(t.Context(), plan, policy, f)
	d := r.Destinations[0]
	if len(f.dialed) != 16 || len(d.Results) != 16 || d.DNS.NotTried != 384 || len(d.DNS.Addresses) != 400 {
		t.Errorf("dialed %d, in the report %d, not tried %d of %d", len(f.dialed), len(d.Results), d.DNS.NotTried, len(d.DNS.Addresses))
	}
	const words = "400 addresses; 16 were tried, and 384 were not"
	if d.Status != Failed || d.Problem == ManyAddresses || !strings.HasSuffix(d.Detail, "; "+words) {
		t.Errorf("no address works: %s, %s, %q", d.Status, d.Problem, d.Detail)
	}
	works := &Destination{Status: OK, DNS: &DNS{Addresses: make([]string, 400), NotTried: 384}, Results: make([]*Address, 16)}
	works.sampled(place{})
	if works.Status != Warning || works.Problem != ManyAddresses || works.Detail != words || works.Cure == "" {
		t.Errorf("the tried addresses work: %+v", works)
	}
}

// IPv6 that is switched off counts as a missing route.
func TestNoIPv6IsNoRoute(t *testing.T) {
	for _, c := range []struct {
		addr string
		err  error
		want Problem
	}{
		{"2a00:1450::1", syscall.EADDRNOTAVAIL, NoRoute}, {"2a00:1450::1", syscall.EAFNOSUPPORT, NoRoute},
		{"93.184.1.1", syscall.EADDRNOTAVAIL, PolicyDenied}, {"2a00:1450::1", errors.New("something else"), PolicyDenied},
	} {
		s := &step{r: &runner{cfg: Config{Timeout: time.Second}}, addr: netip.MustParseAddr(c.addr)}
		if got, _ := s.connectProblem(c.err, nil); got != c.want {
			t.Errorf("%s: %v is %s, want %s", c.addr, c.err, got, c.want)
		}
	}
}

// A family without any route gets one note. A family gets no note if one of its
// addresses has a route or was not tried.
func TestUnrouted(t *testing.T) {
	address := func(family string, p Problem, tried bool) *Address {
		a := &Address{Family: family, Finding: Finding{Problem: p}}
		if tried {
			a.TCP = &TCP{}
		}
		return a
	}
	none, dropped, private := address("ipv6", NoRoute, true), address("ipv6", TCPTimedOut, true), address("ipv6", PrivateAddress, false)
	for _, c := range []struct {
		results []*Address
		want    int
	}{
		{[]*Address{address("ipv4", None, true), none, none, private}, 2}, {[]*Address{none, dropped}, 0}, {[]*Address{private}, 0}, {nil, 0},
	} {
		r := &Report{Destinations: []*Destination{{Results: c.results}}}
		r.NoRoute = r.unrouted()
		var b bytes.Buffer
		r.writeUnrouted(&b)
		if c.want == 0 {
			if len(r.NoRoute) != 0 || b.Len() != 0 {
				t.Errorf("%v, %q", r.NoRoute, b.String())
			}
			continue
		}
		if len(r.NoRoute) != 1 || r.NoRoute[0] != (Family{"ipv6", c.want}) || !strings.HasPrefix(b.String(), "\nIPv6: this host has no route (2 addresses not tried)") {
			t.Errorf("%v, %q", r.NoRoute, b.String())
		}
	}
}
