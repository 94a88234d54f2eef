// What several addresses make of a destination, and what it is called.

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
		{"a route missing is not the news", []*Address{at("a", Failed, NoRoute), at("b", Failed, TCPTimedOut)}, Failed, TCPTimedOut, "TCP 443 to b (x.example) to be opened from 192.0.2.9"},
		{"one of several", []*Address{at("a", OK, None), at("b", Failed, TCPTimedOut), at("c", Failed, TCPTimedOut)}, Warning, Partly, "1 of 3 addresses work; tcp_timed_out: b, c: seen"},
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

// Of datagrams only the addresses are known.
func TestJudgeUDP(t *testing.T) {
	good, bad := &Address{Status: NotTried}, &Address{Status: Failed, Finding: Finding{Problem: PrivateAddress}}
	for _, c := range []struct {
		port    uint16
		results []*Address
		status  Status
		words   string
	}{
		{514, []*Address{good}, NotTried, "datagrams"}, {53, []*Address{good}, NotTried, "answers it itself"},
		{514, []*Address{bad, good}, NotTried, "datagrams"}, {514, []*Address{bad}, Failed, ""},
	} {
		d := &Destination{Proto: "udp", Port: c.port, Results: c.results}
		d.judge(place{})
		if d.Status != c.status || !strings.Contains(d.Detail, c.words) {
			t.Errorf("%d: %s %q, want %s %q", c.port, d.Status, d.Detail, c.status, c.words)
		}
	}
}

// Every problem has words, a place in the order, and is there once.
func TestEveryProblemHasWords(t *testing.T) {
	seen := map[Problem]bool{}
	for _, p := range order {
		if seen[p] {
			t.Errorf("%s is listed twice", p)
		}
		seen[p] = true
		for _, inside := range []bool{false, true} {
			likely, cure := place{host: "x.example", addr: "198.51.100.7", port: 443, inside: inside, own: inside}.words(p)
			if p != Partly && (likely == "" || cure == "") { // that has the words of what fails
				t.Errorf("%s has no words: %q, %q", p, likely, cure)
			}
		}
	}
	if len(seen) != 32 {
		t.Errorf("%d problems in order, want 32: a new one needs its place", len(seen))
	}
}

// Where no resolver answers anything, one finding says so once; where they do
// answer about others, each name has its own fault.
func TestDeadResolvers(t *testing.T) {
	report := func(answered int) *Report {
		r := &Report{}
		for i := range 9 {
			d := &Destination{Host: fmt.Sprintf("n%d.example", i), Port: 443, Proto: "tcp", Status: Failed}
			problem := ResolverTimedOut
			if i%2 == 1 {
				problem = ResolverFailed // the first says by ICMP that nothing listens, the next is silent
			}
			d.Finding = place{host: d.Host, port: 443}.finding(problem, "seen")
			r.Destinations = append(r.Destinations, d)
		}
		r.SetUpstreams([]Upstream{{Upstream: "udp://10.0.0.53:53", Answered: answered, Failed: 9}, {Upstream: "udp://10.0.0.54:53"}})
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
	for _, want := range []string{"no resolver answers for any name", "do: ask for UDP and TCP 53 to udp://10.0.0.53:53 to be opened", "and 4 more, as above"} {
		if strings.Count(dead, want) != 1 {
			t.Errorf("%q %d times in\n%s", want, strings.Count(dead, want), dead)
		}
	}
	if alive := words(report(1)); strings.Contains(alive, "about any name:") || !strings.Contains(alive, "failed: resolver failed") || !strings.Contains(alive, "failed: resolver timed out") {
		t.Errorf("one answers:\n%s", alive)
	}
}

// A host that has no route to its resolvers does not wait for a firewall's rule.
func TestResolversWithoutRoute(t *testing.T) {
	d := &Destination{Host: "n.example", Port: 443, Proto: "tcp", Status: Failed}
	d.Finding = place{host: d.Host, port: 443}.finding(ResolverTimedOut, "upstream 10.0.0.53:53: dial udp 10.0.0.53:53: connect: network is unreachable")
	cause := &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	d.noRoute = noRoute(fmt.Errorf("look-up: %w", &dnsfilter.UpstreamError{Cause: cause}))
	r := &Report{Destinations: []*Destination{d}}
	r.SetUpstreams([]Upstream{{Upstream: "udp://10.0.0.53:53", Failed: 9}})
	if !strings.HasSuffix(d.Likely, "this host has no route to them") || !strings.HasPrefix(d.Cure, "give this host a route to udp://10.0.0.53:53") {
		t.Errorf("%+v", d.Finding)
	}
}
