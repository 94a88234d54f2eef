// Tests of judge: the results of the addresses give the result of the destination.

package preflight

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"sallyport/dnsfilter"
)

func TestJudge(t *testing.T) {
	from := &TCP{From: "192.0.2.9"}
	at := func(addr string, status Status, p Problem) *Address {
		return &Address{Address: addr, Status: status, Finding: Finding{Problem: p, Detail: "seen"}, TCP: from}
	}
	for _, c := range []struct {
		name    string
		results []*Address
		status  Status
		problem Problem
		words   string // part of detail and cure
	}{
		{"all work", []*Address{at("a", OK, None), at("b", OK, None)}, OK, None, ""},
		{"a family without a route", []*Address{at("a", Failed, NoRoute), at("b", OK, None)}, OK, None, ""},
		{"no route at all", []*Address{at("a", Failed, NoRoute)}, Failed, NoRoute, "default route"},
		{"a timeout is reported before a missing route", []*Address{at("a", Failed, NoRoute), at("b", Failed, TCPTimedOut)}, Failed, TCPTimedOut, "TCP 443 to b (x.example) to be opened from 192.0.2.9"},
		{"one of several works", []*Address{at("a", OK, None), at("b", Failed, TCPTimedOut), at("c", Failed, TCPTimedOut)}, Warning, Partly, "1 of 3 addresses work; tcp_timed_out: b, c: seen"},
		{"all fail, one request to the firewall", []*Address{at("b", Failed, TCPTimedOut), at("c", Failed, TCPTimedOut)}, Failed, TCPTimedOut, "TCP 443 to b, c (x.example)"},
		{"a private answer among others", []*Address{at("a", OK, None), at("b", Failed, PrivateAddress)}, Warning, Partly, "if that is intended, follow the hint in the detail"},
		{"a warning", []*Address{at("a", OK, None), at("b", Warning, CertSelf)}, Warning, CertSelf, "b: seen"},
		{"interrupted", []*Address{at("a", OK, None), at("b", Unfinished, None)}, Unfinished, None, ""},
		{"interrupted after a failure", []*Address{at("a", Failed, TCPRefused), at("b", Unfinished, None)}, Unfinished, None, ""},
	} {
		d := &Destination{Host: "x.example", Port: 443, Proto: "tcp", Results: c.results}
		d.judge(place{host: "x.example", port: 443})
		if text := d.Detail + " " + d.Cure; d.Status != c.status || d.Problem != c.problem || !strings.Contains(text, c.words) {
			t.Errorf("%s: %s, %s, %q; want %s, %s, %q", c.name, d.Status, d.Problem, text, c.status, c.problem, c.words)
		}
	}
}

// preflight sends no datagrams. It reports only whether the name resolves.
func TestJudgeUDP(t *testing.T) {
	good, bad := &Address{Status: NotTried}, &Address{Status: Failed, Finding: Finding{Problem: PrivateAddress}}
	for _, c := range []struct {
		port    uint16
		results []*Address
		status  Status
		words   string
	}{
		{514, []*Address{good}, NotTried, "may not answer a harmless datagram"}, {53, []*Address{good}, NotTried, "answers DNS queries itself"},
		{514, []*Address{bad, good}, NotTried, "may not answer a harmless datagram"}, {514, []*Address{bad}, Failed, ""},
	} {
		d := &Destination{Proto: "udp", Port: c.port, Results: c.results}
		d.judge(place{})
		if d.Status != c.status || !strings.Contains(d.Detail, c.words) {
			t.Errorf("%d: %s %q, want %s %q", c.port, d.Status, d.Detail, c.status, c.words)
		}
	}
}

// Every problem has a cause, a cure and one place in the order.
func TestEveryProblemHasCauseAndCure(t *testing.T) {
	seen := map[Problem]bool{}
	for _, p := range order {
		if seen[p] {
			t.Errorf("%s is listed twice", p)
		}
		seen[p] = true
		for _, inside := range []bool{false, true} {
			likely, cure := place{host: "x.example", addr: "198.51.100.7", port: 443, inside: inside, own: inside}.words(p)
			if p != Partly && (likely == "" || cure == "") { // Partly has the texts of the problem that the failed addresses have
				t.Errorf("%s has no cause or no cure: %q, %q", p, likely, cure)
			}
		}
	}
	if len(seen) != 39 {
		t.Errorf("%d problems in order, want 39: add a new problem to order", len(seen))
	}
}

// If no resolver answers any query, the report has one finding for all names. If
// a resolver answers some queries, each failed name has its own finding.
func TestDeadResolvers(t *testing.T) {
	report := func(answered int) *Report {
		r := &Report{}
		for i := range 9 {
			d := &Destination{Host: fmt.Sprintf("n%d.example", i), Port: 443, Proto: "tcp", Status: Failed}
			problem := ResolverTimedOut
			if i%2 == 1 {
				problem = ResolverFailed // one resolver sends an ICMP error, the other does not answer
			}
			d.Finding = place{host: d.Host, port: 443}.finding(problem, "seen")
			r.Destinations = append(r.Destinations, d)
		}
		r.SetUpstreams([]Upstream{{Upstream: "udp://10.0.0.53:53", Answered: answered, Failed: 9, Ports: "UDP and TCP 53"}, {Upstream: "udp://10.0.0.54:53"}})
		return r
	}
	words := func(r *Report) string {
		var b strings.Builder
		if err := r.Write(&b, false); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	dead := words(report(0))
	for _, want := range []string{"no resolver answers for any name", "do: ask for UDP and TCP 53 to udp://10.0.0.53:53 to be opened", "and 4 more with the same cure"} {
		if strings.Count(dead, want) != 1 {
			t.Errorf("%q %d times in\n%s", want, strings.Count(dead, want), dead)
		}
	}
	if alive := words(report(1)); strings.Contains(alive, "for any name:") || !strings.Contains(alive, "failed: resolver failed") || !strings.Contains(alive, "failed: resolver timed out") {
		t.Errorf("one resolver answers:\n%s", alive)
	}
}

// If this host has no route to its resolvers, the cure is a route and not a
// firewall rule.
func TestResolversWithoutRoute(t *testing.T) {
	d := &Destination{Host: "n.example", Port: 443, Proto: "tcp", Status: Failed}
	d.Finding = place{host: d.Host, port: 443}.finding(ResolverTimedOut, "upstream 10.0.0.53:53: dial udp 10.0.0.53:53: connect: network is unreachable")
	cause := &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	d.noRoute = noRoute(fmt.Errorf("look-up: %w", &dnsfilter.UpstreamError{Cause: cause}))
	r := &Report{Destinations: []*Destination{d}}
	r.SetUpstreams([]Upstream{{Upstream: "udp://10.0.0.53:53", Failed: 9, Ports: "UDP and TCP 53"}})
	if !strings.HasSuffix(d.Likely, "this host has no route to the resolvers") || !strings.HasPrefix(d.Cure, "give this host a route to udp://10.0.0.53:53") {
		t.Errorf("%+v", d.Finding)
	}
}
