//go:build linux

// UDP, redirected: the documented datagrams arrive and are answered. Datagrams to
// names arrive too, while sallyport keeps their addresses in the packet filter's
// sets.

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Documented datagrams: client, destinations, ports. Names come last.
const documentedUDP = `
# Sangfor Endpoint Secure, section 3: the fixed address, all ports
saas-agent 13.94.16.103 514,1514,40000
# Sangfor Cyber Command, section 2: IAG's users
cc-iag 10.20.31.1 1775
# Symantec Endpoint Protection: push to Windows computers, and syslog
sep-manager 10.20.32.3,fd20:32::3 137,138
sep-manager 10.20.32.9,fd20:32::9 514
`

// withSyslog returns the fleet with a bound syslog server.
func withSyslog() []client {
	all := slices.Clone(fleet)
	for i, c := range all {
		if c.name == "sep-manager" {
			bound := map[string][]string{"syslog": {"10.20.32.9", "fd20:32::9"}}
			for role, to := range c.addresses {
				bound[role] = to
			}
			all[i].addresses = bound
		}
	}
	return all
}

func TestRedirectedDatagrams(t *testing.T) {
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		s.catch(t, withSyslog())
		for _, row := range lines(documentedUDP) {
			f := strings.Fields(row)
			s.become(t, named(f[0]))
			for to := range strings.SplitSeq(f[1], ",") {
				for port := range strings.SplitSeq(f[2], ",") {
					s.mustEcho(t, netip.MustParseAddrPort(hostPort(to, parsePort(t, port))))
				}
			}
			s.mustStayWithin(t, f)
		}
	})
}

func parsePort(t *testing.T, text string) (port uint16) {
	t.Helper()
	if _, err := fmt.Sscan(text, &port); err != nil {
		t.Fatal(err)
	}
	return port
}

// mustEcho sends two datagrams of one flow and demands record and answer.
func (s *scene) mustEcho(t *testing.T, dst netip.AddrPort) {
	t.Helper()
	mark := s.rec.mark(t)
	for _, word := range []string{"first", "second"} {
		if answer, err := s.exchange(dst, word, longestWait); answer != word {
			t.Errorf("UDP %v: %q %v", dst, answer, err)
		}
	}
	if n := sent(s.rec.since(t, mark), dst); n != len("firstsecond") {
		t.Errorf("UDP %v: %d bytes were recorded", dst, n)
	}
}

// mustStayWithin checks that no datagram arrives at the neighbours of a row's
// address and port.
func (s *scene) mustStayWithin(t *testing.T, row []string) {
	t.Helper()
	first, _, _ := strings.Cut(row[1], ",")
	addr := netip.MustParseAddr(first)
	port, _, _ := strings.Cut(row[2], ",")
	mark := s.rec.mark(t)
	_, _ = s.exchange(netip.AddrPortFrom(addr.Next(), parsePort(t, port)), "exfiltration", 20*time.Millisecond)
	if row[0] != "saas-agent" { // its document lists all ports
		_, _ = s.exchange(netip.AddrPortFrom(addr, parsePort(t, port)+2), "exfiltration", 20*time.Millisecond)
	}
	try{}.check(t, s, s.rec.everything(t, mark))
}

// TestRedirectedDatagramsToNames asserts that UDP 5000 to a name is open only
// while sallyport keeps the name's addresses in the filter's set. For that,
// sallyport has one capability and no other.
func TestRedirectedDatagramsToNames(t *testing.T) {
	modes(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		cc := named("cc")
		s.catchWith(t, []uintptr{unix.CAP_NET_ADMIN}, []string{"--live-sets"}, configurationOf(redirecting(mode), fleet))
		s.mustHaveCapabilities(t, fmt.Sprintf("%016x", 1<<unix.CAP_NET_ADMIN))
		s.become(t, cc)
		const host = "remote0.scloud.sangfor.com"
		s.user(t, "", "dig", "+short", host, "A", host, "AAAA")
		for _, a := range s.book.of(host) {
			dst := netip.AddrPortFrom(a, 5000)
			eventually(t, 30*time.Second, "a datagram to "+host, func() error {
				_, err := s.exchange(dst, "is the set filled?", 100*time.Millisecond)
				return err
			})
			s.mustEcho(t, dst)
			mark := s.rec.mark(t)
			_, _ = s.exchange(netip.AddrPortFrom(a, 5001), "exfiltration", 20*time.Millisecond)
			_, _ = s.exchange(netip.AddrPortFrom(a.Next(), 5000), "exfiltration", 20*time.Millisecond)
			s.become(t, fleet[0]) // no document permits this to the other client
			_, _ = s.exchange(dst, "exfiltration", 20*time.Millisecond)
			s.become(t, cc)
			try{}.check(t, s, s.rec.everything(t, mark))
		}
	})
}
