// Tests of runs without a network: what is resolved, dialed and sent, and how a run
// ends.

package preflight

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sallyport/proxy"
	"sallyport/rules"
	"sallyport/rules/site"
)

// fakeDialer resolves every name to one address and connects to nothing.
type fakeDialer struct {
	mu       sync.Mutex
	resolved []string
	dialed   []string
	addrs    []netip.Addr
	err      error
	onDial   func() // if not nil, DialOne calls it and then waits until the context ends
}

func (f *fakeDialer) Resolve(_ context.Context, a rules.Attempt) ([]netip.Addr, rules.Attempt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resolved = append(f.resolved, a.Authority.String())
	return f.addrs, a, nil
}

func (f *fakeDialer) DialOne(ctx context.Context, _ rules.Decision, a rules.Attempt, addr netip.Addr) (net.Conn, rules.Attempt, error) {
	f.mu.Lock()
	f.dialed = append(f.dialed, netip.AddrPortFrom(addr, a.Dest.Port()).String())
	f.mu.Unlock()
	if f.onDial != nil {
		f.onDial()
		<-ctx.Done()
		return nil, a, ctx.Err()
	}
	return nil, a, f.err
}

const siteText = `
[[client]]
name = "one"
sources = ["10.0.0.1"]
profiles = []
[[client]]
name = "two"
sources = ["10.0.0.2"]
profiles = []
[[rule]]
id = "a"
client = "one"
to = ["a.example", "*.wild.example", "198.51.100.0/24"]
tcp = [443, "8000-8002", "9000-9999"]
udp = [514]
reason = "t"
[[rule]]
id = "b"
client = "two"
to = ["a.example", "93.184.1.1"]
tcp = [443]
reason = "t"
`

func compile(t *testing.T, text string) *rules.Policy {
	t.Helper()
	cfg, problems := site.Parse("t.toml", site.Disk{}, []byte(text), nil)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	p, _ := rules.Compile(&cfg.Spec, rules.Own{}, noon)
	return p
}

func source(c *rules.Client) (netip.Addr, error) { return c.Sources[0].Addr(), nil }

func everything(string, string) bool { return true }

// try runs a plan with the fake dialer.
func try(ctx context.Context, plan *Plan, decide rules.Gate, f *fakeDialer) *Report {
	return Run(ctx, Config{Gate: decide, Dialer: f, Timeout: time.Second, Parallel: 4, Now: time.Now}, plan)
}

// A destination that two clients need is resolved and dialed once. A private
// address of a public name is not dialed, and neither is a denied destination.
func TestRunAsksFirst(t *testing.T) {
	policy := compile(t, siteText)
	plan := NewPlan(policy, func(client, host string) bool { return host == "a.example" && client == "two" || host == "93.184.1.1" }, source)
	f := &fakeDialer{addrs: []netip.Addr{netip.MustParseAddr("93.184.1.9"), netip.MustParseAddr("127.0.0.1")}, err: &proxy.ConnectError{Err: syscall.ETIMEDOUT}}
	r := try(t.Context(), plan, policy, f)
	slices.Sort(f.dialed)
	if want := []string{"93.184.1.1:443", "93.184.1.9:443"}; !slices.Equal(f.dialed, want) || !slices.Equal(f.resolved, []string{"a.example"}) {
		t.Errorf("resolved %q, dialed %q, want %q", f.resolved, f.dialed, want)
	}
	if got := r.Destinations[0].Results[1]; got.Problem != PrivateAddress || !strings.HasPrefix(got.Detail, "a.example resolves to 127.0.0.1: if that is intended, list 127.0.0.1 in [resolve] private") {
		t.Errorf("127.0.0.1: %+v", got.Finding)
	}
	f = &fakeDialer{addrs: []netip.Addr{netip.MustParseAddr("64:ff9b::5db8:320a")}, err: &proxy.ConnectError{Err: syscall.ETIMEDOUT}}
	got := try(t.Context(), plan, policy, f).Destinations[0].Results[0]
	if got.Problem != PrivateAddress || !strings.HasSuffix(got.Detail, "if a NAT64 translates it, list 64:ff9b::/96 in [resolve] nat64") {
		t.Errorf("behind a NAT64: %+v", got.Finding)
	}

	f = &fakeDialer{}
	r = try(t.Context(), plan, (*rules.Policy)(nil), f)
	if len(f.resolved)+len(f.dialed) != 0 || r.Summary.Failed != 2 || r.Destinations[0].Problem != PolicyDenied {
		t.Errorf("denied: resolved %q, dialed %q, %+v", f.resolved, f.dialed, r.Summary)
	}
}

// decider denies every attempt that is not provisional.
type decider struct{ next rules.Gate }

func (d decider) Decide(a rules.Attempt) rules.Decision {
	if !a.Provisional {
		return rules.Decision{Reason: rules.SNIMismatch}
	}
	return d.next.Decide(a)
}

func (d decider) Preview(a rules.Attempt) rules.Decision { return d.next.Preview(a) }

// silentServer connects every dial to one listener.
type silentServer struct {
	fakeDialer
	l *net.TCPListener
}

func (s *silentServer) DialOne(_ context.Context, _ rules.Decision, a rules.Attempt, _ netip.Addr) (net.Conn, rules.Attempt, error) {
	c, err := net.DialTCP("tcp", nil, s.l.Addr().(*net.TCPAddr))
	return c, a, err
}

// preflight connects to a port of another protocol and sends nothing. The server
// then logs no useless line.
func TestOtherProtocolsAreLeftAlone(t *testing.T) {
	for _, port := range []string{"25", "5432"} {
		d, sent := toServer(t, port, nil)
		if sent != "" || d.Status != OK {
			t.Errorf("port %s: sent %q, found %s %+v", port, sent, d.Status, d.Finding)
		}
	}
	if d, sent := toServer(t, "8443", nil); sent == "" || d.Results[0].TLS == nil {
		t.Errorf("port 8443: sent %q, found %s %+v", sent, d.Status, d.Finding)
	}
}

// toServer tries 93.184.1.1 at a port where a server sends nothing. It returns the
// result and what the server received. judge, if not nil, wraps the policy.
func toServer(t *testing.T, port string, judge func(rules.Gate) rules.Gate) (d *Destination, sent string) {
	t.Helper()
	policy := compile(t, strings.Replace(siteText, `to = ["a.example", "93.184.1.1"]
tcp = [443]`, `to = ["93.184.1.1"]
tcp = [`+port+`]`, 1))
	plan := NewPlan(policy, func(client, _ string) bool { return client == "two" }, source)
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		got <- string(b)
	}()
	decide := rules.Gate(policy)
	if judge != nil {
		decide = judge(policy)
	}
	r := Run(t.Context(), Config{Gate: decide, Dialer: &silentServer{l: l}, Timeout: 300 * time.Millisecond, Parallel: 1, Now: time.Now}, plan)
	if err := l.SetDeadline(time.Now().Add(5 * time.Second)); err != nil { // the accept may come after the run has ended
		t.Fatal(err)
	}
	sent = <-got
	l.Close()
	return r.Destinations[0], sent
}

// The Gate decides the final attempt before the first byte is sent, in TLS and in
// HTTP. A destination that is denied then sees only a connection.
func TestNothingIsSentAfterADenial(t *testing.T) {
	for _, port := range []string{"443", "80", "8443"} {
		d, sent := toServer(t, port, func(next rules.Gate) rules.Gate { return decider{next} })
		if sent != "" || d.Problem != PolicyDenied || !strings.Contains(d.Detail, "sni_mismatch") {
			t.Errorf("port %s: sent %q, found %+v", port, sent, d.Finding)
		}
	}
}

// An interruption ends the tries in flight and starts no others.
func TestRunInterrupted(t *testing.T) {
	policy := compile(t, siteText)
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeDialer{addrs: []netip.Addr{netip.MustParseAddr("93.184.1.9")}, onDial: cancel}
	r := try(ctx, NewPlan(policy, everything, source), policy, f)
	if !r.Interrupted || r.Summary.Unfinished == 0 || r.Summary.Failed != 0 || !strings.HasPrefix(r.Sentence(), "interrupted") {
		t.Errorf("%+v: %s", r.Summary, r.Sentence())
	}
}

// While a slow step runs, each tick repeats the last progress report.
func TestRunRepeatsProgress(t *testing.T) {
	policy := compile(t, siteText)
	ctx, cancel := context.WithCancel(t.Context())
	tick, reported := make(chan time.Time), make(chan [2]int, 100)
	var once sync.Once
	f := &fakeDialer{addrs: []netip.Addr{netip.MustParseAddr("93.184.1.9")}}
	f.onDial = func() {
		once.Do(func() {
			for range 3 {
				tick <- time.Time{}
			}
			cancel()
		})
	}
	plan := NewPlan(policy, func(_, host string) bool { return host == "93.184.1.1" }, source)
	Run(ctx, Config{Gate: policy, Dialer: f, Timeout: time.Minute, Parallel: 4, Now: time.Now, Again: tick,
		Progress: func(done, total int) { reported <- [2]int{done, total} }}, plan)
	close(reported)
	var all [][2]int
	for one := range reported {
		all = append(all, one)
	}
	// The third tick may come too late for a report.
	if len(all) < 3 || all[0] != [2]int{0, 1} || all[1] != all[0] || all[len(all)-1] != [2]int{1, 1} {
		t.Errorf("reported %v", all)
	}
}

// The problem of a failed connection, with and without an ICMP error.
func TestConnectProblem(t *testing.T) {
	s := &step{r: &runner{cfg: Config{Timeout: 3 * time.Second}}}
	by := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		err    error
		want   Problem
		detail string
	}{
		{&proxy.ConnectError{Err: syscall.EHOSTUNREACH, By: by, ICMP: "administratively prohibited", Deny: true}, TCPProhibited, "ICMP error from 192.0.2.1: administratively prohibited"},
		{&proxy.ConnectError{Err: syscall.EHOSTUNREACH, By: by, ICMP: "host unreachable"}, TCPUnreach, "ICMP error from 192.0.2.1: host unreachable"},
		{errors.New("an error of another kind"), PolicyDenied, "an error of another kind"},
	} {
		var e *proxy.ConnectError
		errors.As(c.err, &e)
		if p, detail := s.connectProblem(c.err, e); p != c.want || detail != c.detail {
			t.Errorf("%v: %s, %q; want %s, %q", c.err, p, detail, c.want, c.detail)
		}
	}
}

// Text from an unknown server cannot control the terminal that shows it.
func TestTableIsSafe(t *testing.T) {
	d := &Destination{Host: "x.example", Port: 443, Proto: "tcp", Status: Failed, Finding: Finding{Problem: CertUnknown, Detail: "issued by \x1b[2J", Likely: "l", Cure: "c\x07"},
		Results: []*Address{{Address: "192.0.2.1", Family: "ipv4", Status: Failed, TCP: &TCP{OK: true}, TLS: &TLS{OK: true, Version: "TLS 1.3",
			Cert: &Certificate{Subject: "CN=a\x1b[31m,O=b", Issuer: "O=\r\n"}}}}}
	var b bytes.Buffer
	if err := (&Report{Destinations: []*Destination{d}, Summary: Summary{Failed: 1}}).Write(&b, false); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07\r") || !strings.Contains(b.String(), `\x1b[31m`) || !strings.Contains(b.String(), "FAIL  x.example:443") {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	if err := (&Report{Destinations: []*Destination{d}}).Write(&b, true); err != nil || !strings.Contains(b.String(), "\x1b[31mFAIL\x1b[0m  x.example:443") {
		t.Errorf("in colour: %v %q", err, b.String())
	}
}
