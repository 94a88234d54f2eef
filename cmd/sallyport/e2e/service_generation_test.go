//go:build linux

// Generations under load: a name or address that one configuration permits is never
// resolved or reached by the rules of another configuration.

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// generations are two configurations. They differ in everything that decides where
// a name leads: its resolver and the address there, a zone, a host, a client and a
// rule.
type generations struct {
	*service
	first, second *counting // the resolvers of the two configurations
	zone          *counting // the resolver of the internal zone, which only the first configuration has
	sites         [2]*site  // the servers that "always" leads to in the two configurations
}

func newGenerations(t *testing.T) *generations {
	g := &generations{service: newService(t)}
	names := []string{"always", "first-only", "second-only", "fixed", "guest", "never"}
	g.first, g.second = newCounting(t, "127.0.0.1", names...), newCounting(t, "127.0.0.3", names...)
	g.zone = newCounting(t, "127.0.0.1")
	port := g.allowed.addr.Port()
	g.sites = [2]*site{g.allowed, newSiteAt(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), port).String())}
	return g
}

// text returns the service's configuration with another resolver, and more.
func (g *generations) text(t *testing.T, resolver *counting, more ...string) string {
	t.Helper()
	const limits = "[limits]\ndns_qps = 100000\ndns_tcp = 2000\nwildcard_names = 1000000\n"
	text := g.configuration(append(more, g.rule("fixed"), limits)...)
	if !strings.Contains(text, g.upstream.addr) {
		t.Fatal("the configuration does not name the service's resolver")
	}
	return strings.Replace(text, g.upstream.addr, resolver.addr, 1)
}

// both returns the two configurations. The guest's [[client]] stands first,
// because the first one that matches counts.
func (g *generations) both(t *testing.T) [2]string {
	t.Helper()
	const tester = "[[client]]\nname     = \"tester\"\n"
	const guest = "[[client]]\nname     = \"guest\"\nsources  = [\"127.0.0.2\"]\nprofiles = []\n"
	guestRule := strings.Replace(g.rule("guest"), `client = "tester"`, `client = "guest"`, 1)
	zone := fmt.Sprintf("[[dns.zone]]\nsuffix = \"corp.example\"\nupstreams = [\"udp://%s\"]\n", g.zone.addr)
	hosts := "[hosts]\n\"fixed.site.example\" = \"127.0.0.1\"\n"
	first := g.text(t, g.first, zone, hosts, g.rule("first-only"), guestRule)
	return [2]string{
		strings.Replace(first, tester, guest+tester, 1),
		g.text(t, g.second, g.rule("second-only")),
	}
}

// withCookie returns a query of a client at the end c that has a DNS cookie of
// the service, so that its address is proven.
func withCookie(t *testing.T, c net.Conn, name string) *dns.Msg {
	t.Helper()
	ask := func(name, cookie string) *dns.Msg {
		q := new(dns.Msg)
		q.SetQuestion(name+".", dns.TypeA).SetEdns0(1232, false)
		q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie}}
		return q
	}
	m, _, err := (&dns.Client{Timeout: longestWait}).ExchangeWithConn(ask("never.site.example", "0123456789abcdef"), &dns.Conn{Conn: c})
	if err != nil {
		t.Error(err)
		return nil
	}
	if o := m.IsEdns0(); o != nil {
		for _, o := range o.Option {
			if o, ok := o.(*dns.EDNS0_COOKIE); ok {
				return ask(name, o.Cookie)
			}
		}
	}
	t.Errorf("no cookie in %v", m)
	return nil
}

// queries sends queries by UDP from an address, at a given rate per second, until
// stop is closed. It does not wait for answers. Names that the client invents need
// a cookie.
func (g *generations) queries(t *testing.T, from string, rate int, name func(n int) string, stop <-chan struct{}, sent *atomic.Int64) {
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(g.dns)))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	q := withCookie(t, c, "never.site.example")
	if q == nil {
		return
	}
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	start := time.Now()
	for n := 0; ; {
		select {
		case <-pace.C:
		case <-stop:
			return
		}
		for due := int(time.Since(start) * time.Duration(rate) / time.Second); n < due; n++ {
			q.Id, q.Question[0].Name = dns.Id(), name(n)+"."
			wire, err := q.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = c.Write(wire)
			sent.Add(1)
		}
	}
}

// TestOneGeneration reloads 200 times under 1,000 queries and 300 connections a
// second. A resolver gets only queries that its own configuration sends to it. A
// site is reached only if a configuration permits it. A try that both
// configurations permit is served every time.
func TestOneGeneration(t *testing.T) {
	t.Parallel()
	g := newGenerations(t)
	in := g.both(t)
	g.configure(t, in[0])
	g.activate(t)
	l := newLoad(t, g.service)
	for way, rate := range map[string]int{"connect": 120, "socks5": 120, "http": 60, "dns-udp": 200, "dns-tcp": 100} {
		l.send(way, "always", rate/3)
		l.send(way, "never", rate/6)
		for _, name := range []string{"first-only", "second-only", "fixed"} {
			l.send(way, name, rate/6)
		}
	}
	stop := make(chan struct{})
	var work sync.WaitGroup
	var sent atomic.Int64
	work.Go(func() {
		g.queries(t, "127.0.0.1", 600, func(n int) string { return fmt.Sprintf("n%d.corp.example", n) }, stop, &sent)
	})
	work.Go(func() {
		g.queries(t, "127.0.0.2", 100, func(int) string { return "guest.site.example" }, stop, &sent)
	})
	const reloads, each = 200, 50 * time.Millisecond
	started := time.Now()
	for i := range reloads {
		mark := g.notes()
		g.configure(t, in[(i+1)%2])
		g.signal(t, syscall.SIGHUP)
		g.waitNote(t, mark, "READY=1")
		time.Sleep(time.Until(started.Add(time.Duration(i+1) * each))) // this keeps the pace; it does not wait for an event
	}
	took := time.Since(started)
	close(stop)
	work.Wait()
	l.end()
	g.holdsApart(t)
	t.Logf("%d requests and %d more queries in %v; the first resolver was asked %v, the second %v, the zone's %d times",
		l.total(), sent.Load(), took.Round(time.Millisecond), g.first.counts(), g.second.counts(), g.zone.below("corp.example"))
}

// holdsApart checks that each resolver and site saw only traffic that its configuration
// permits.
func (g *generations) holdsApart(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		who      *counting
		name     string
		never    []string
		sometime []string
	}{
		{g.first, "the first resolver", []string{"second-only", "fixed", "never"}, []string{"always", "first-only", "guest"}},
		{g.second, "the second resolver", []string{"first-only", "guest", "never"}, []string{"always", "second-only", "fixed"}},
	} {
		for _, n := range c.never {
			if asked := c.who.count(n + ".site.example"); asked != 0 {
				t.Errorf("%s was asked %d times about %s", c.name, asked, n)
			}
		}
		for _, n := range c.sometime {
			if c.who.count(n+".site.example") == 0 {
				t.Errorf("%s was never asked about %s: the load shows nothing", c.name, n)
			}
		}
		if asked := c.who.below("corp.example"); asked != 0 {
			t.Errorf("%s was asked about %d names of the internal zone", c.name, asked)
		}
	}
	if g.zone.below("corp.example") == 0 || g.zone.below("site.example") != 0 {
		t.Errorf("the zone's resolver was asked about %d names of the zone and %d others", g.zone.below("corp.example"), g.zone.below("site.example"))
	}
	if g.denied.seen.Load() != 0 || g.sites[0].seen.Load() == 0 || g.sites[1].seen.Load() == 0 {
		t.Errorf("connections: %d to what is forbidden, %d and %d to the sites", g.denied.seen.Load(), g.sites[0].seen.Load(), g.sites[1].seen.Load())
	}
}

// counts lists the number of queries for each name, without the names of the zone.
func (c *counting) counts() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range c.asked {
		if strings.HasSuffix(name, ".site.example") {
			out = append(out, fmt.Sprintf("%s %d", strings.TrimSuffix(name, ".site.example"), n))
		}
	}
	slices.Sort(out)
	return out
}

// dropsAt returns how many datagrams the kernel dropped at the UDP sockets of a port.
func dropsAt(t *testing.T, port uint16) (n int) {
	t.Helper()
	for _, file := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		table, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			if f := strings.Fields(line); len(f) > 2 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				drops, err := strconv.Atoi(f[len(f)-1])
				if err != nil {
					t.Fatal(err)
				}
				n += drops
			}
		}
	}
	return n
}
