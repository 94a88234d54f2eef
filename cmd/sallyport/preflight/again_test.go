// Tests of the second try: it follows a timeout and no other failure.

package preflight

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// answering starts a server that sends the next of the answers on each
// connection. When the answers are used up, it repeats the last one. For "" it
// sends nothing until the client closes. taken stops the server and returns the
// number of connections.
func answering(t *testing.T, answers ...string) (l *net.TCPListener, taken func() int) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan int, 1)
	go func() {
		n := 0
		for ; ; n++ {
			c, err := l.Accept()
			if err != nil {
				break
			}
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = io.WriteString(c, answers[min(n, len(answers)-1)])
			}
			if answers[min(n, len(answers)-1)] == "" {
				_, _ = io.Copy(io.Discard, in)
			}
			c.Close()
		}
		served <- n
	}()
	return l, func() int { l.Close(); return <-served }
}

func TestSecondTry(t *testing.T) {
	policy := compile(t, strings.Replace(siteText, `to = ["a.example", "93.184.1.1"]
tcp = [443]`, `to = ["93.184.1.1"]
tcp = [80]`, 1))
	plan := NewPlan(policy, func(client, _ string) bool { return client == "two" }, source)
	const good, portal = "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
	for name, c := range map[string]struct {
		answers     []string
		connections int
		status      Status
		problem     Problem
		detail      string
		tries       int
	}{
		"first try works":                 {[]string{good}, 1, OK, None, "", 0},
		"first try times out":             {[]string{"", good}, 2, Warning, SecondTry, "at the first try: no answer to HEAD / in time", 2},
		"both tries time out":             {[]string{""}, 2, Failed, HTTPTimedOut, "no answer to HEAD / in time, twice", 2},
		"second try fails in another way": {[]string{"", portal}, 2, Failed, HTTPPortal, "; at the first try http timed out", 2},
		"no timeout, no second try":       {[]string{portal, good}, 1, Failed, HTTPPortal, "407", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, taken := answering(t, c.answers...)
			r := Run(t.Context(), Config{Gate: policy, Dialer: &silentServer{l: l}, Timeout: time.Second, Parallel: 1, Now: time.Now}, plan)
			d := r.Destinations[0]
			if n := taken(); n != c.connections || d.Status != c.status || d.Problem != c.problem || !strings.Contains(d.Detail, c.detail) || d.Results[0].Tries != c.tries {
				t.Errorf("%d connections, %s %s %q, %d tries; want %+v", n, d.Status, d.Problem, d.Detail, d.Results[0].Tries, c)
			}
		})
	}
}

// interrupting ends the run at the second dial.
type interrupting struct {
	silentServer
	cancel context.CancelFunc
	dials  []int
}

func (i *interrupting) DialOne(ctx context.Context, d rules.Decision, a rules.Attempt, addr netip.Addr) (net.Conn, rules.Attempt, error) {
	if i.dials = append(i.dials, len(i.dials)+1); len(i.dials) == 2 {
		i.cancel()
	}
	return i.silentServer.DialOne(ctx, d, a, addr)
}

// If the second try is interrupted, the report has the result of the first.
func TestSecondTryInterrupted(t *testing.T) {
	policy := compile(t, strings.Replace(siteText, `tcp = [443]
reason = "t"
`, `tcp = [80]
reason = "t"
`, 1))
	plan := NewPlan(policy, func(client, host string) bool { return client == "two" && host == "93.184.1.1" }, source)
	l, taken := answering(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	d := &interrupting{silentServer: silentServer{l: l}, cancel: cancel}
	r := Run(ctx, Config{Gate: policy, Dialer: d, Timeout: 250 * time.Millisecond, Parallel: 1, Now: time.Now}, plan)
	if got := r.Destinations[0]; taken() < 1 || !r.Interrupted || got.Problem != HTTPTimedOut || strings.Contains(got.Detail, "twice") {
		t.Errorf("%+v, interrupted %v", got.Finding, r.Interrupted)
	}
	if !slices.Equal(d.dials, []int{1, 2}) {
		t.Errorf("dialed %v", d.dials)
	}
}
