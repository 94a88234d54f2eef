//go:build linux

// Harness: the lab by itself, without a gateway. The other tests conclude from
// missing packets that nothing got out. That is valid because the internet would
// have answered, and the recorder would have seen it.

package e2e

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Every address of the lab answers on every documented port, from the gateway's
// side, and the recorder sees the connection and its first bytes.
func TestInternetAnswersAndIsRecorded(t *testing.T) {
	need(t)
	l := newLab(t)
	for _, d := range documentedDestinations() {
		for _, addr := range l.addressesOf(d.host) {
			l.mustArrive(t, netip.AddrPortFrom(addr, d.port))
		}
	}
	for _, addr := range elsewhere {
		for _, port := range []uint16{80, 443, 853, 8888} {
			l.mustArrive(t, netip.AddrPortFrom(addr, port))
		}
	}
}

// mustArrive sends one request from the gateway's side and demands its record.
func (l *lab) mustArrive(t *testing.T, dst netip.AddrPort) {
	t.Helper()
	mark := l.rec.mark(t)
	c, err := l.gateway.dial("tcp", "", dst.String())
	if err != nil {
		t.Errorf("origin %v: %v", dst, err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	request := "GET / HTTP/1.1\r\nHost: probe.example\r\nConnection: close\r\n\r\n"
	_, _ = io.WriteString(c, request)
	body, _ := io.ReadAll(c)
	if want := fmt.Sprintf("origin %s %d", dst.Addr(), dst.Port()); !strings.Contains(string(body), want) {
		t.Errorf("origin %v answered %q", dst, body)
	}
	seen := l.rec.since(t, mark)
	if !slices.ContainsFunc(seen, func(p packet) bool { return p.dst == dst && p.syn }) || sent(seen, dst) != len(request) {
		t.Errorf("recorder missed the connection to %v: %v", dst, seen)
	}
}

// addressesOf resolves a host of the tables, which may be an address.
func (l *lab) addressesOf(host string) []netip.Addr {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}
	}
	return l.book.of(host)
}

// A query to the resolver is answered and recorded with its name, over UDP and
// TCP and both families, whether the name is documented or not.
func TestResolverAnswersAndIsRecorded(t *testing.T) {
	need(t)
	l := newLab(t)
	for i, server := range []string{resolver4 + ":53", "[" + resolver6 + "]:53"} {
		for _, network := range []string{"udp", "tcp"} {
			name := fmt.Sprintf("deliberate-%s-%d.evil.example", network, i)
			mark := l.rec.mark(t)
			c, err := l.gateway.dial(network, "", server)
			if err != nil {
				t.Fatal(err)
			}
			q := new(dns.Msg)
			q.SetQuestion(name+".", dns.TypeA)
			answer, _, err := (&dns.Client{Net: network}).ExchangeWithConn(q, &dns.Conn{Conn: c})
			c.Close()
			if err != nil || len(answer.Answer) != 1 {
				t.Fatalf("%s %s: %v %v", network, server, answer, err)
			}
			if got := queries(l.rec.since(t, mark)); !slices.Equal(got, []string{name}) {
				t.Errorf("recorder saw queries %v, want %s", got, name)
			}
		}
	}
}

// Without a gateway process no packet passes between the two sides. So every packet
// that arrives in the other tests came through sallyport.
func TestNothingIsRoutedAround(t *testing.T) {
	need(t)
	l := newLab(t)
	mark := l.rec.mark(t)
	for _, a := range append(l.addressesOf("license.sangfor.com"), netip.MustParseAddr(resolver4)) {
		if c, err := l.clients.dialBriefly(netip.AddrPortFrom(a, 80).String()); err == nil {
			c.Close()
			t.Errorf("a client reached %v without a gateway", a)
		}
	}
	if seen := l.rec.since(t, mark); len(seen) != 0 {
		t.Errorf("arrived without a gateway: %v", seen)
	}
}
