// Reloads under load: each takes effect as a whole, and only the flows that it
// concerns notice it.

package e2e

import (
	"bufio"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestReloadUnderLoad makes 200 reloads under some 1000 requests a second, with two
// configurations in turn. A request that both permit is served every time. A
// request that neither permits is denied every time, and none of its packets get
// out. Tunnels that both permit stay open.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	s := newService(t)
	const limits = "[limits]\ndns_qps = 100000\ndns_tcp = 2000\n" // higher than the load needs
	in := []string{s.configuration(s.rule("now-and-then"), limits), s.configuration(limits)}
	s.configure(t, in[0])
	s.activate(t)
	kept := make([]func() error, 5)
	for i := range kept {
		c, r, err := connectFor(s, "always.site.example", s.allowed.addr.Port())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		kept[i] = func() error { return echoedLate(c, r) }
	}
	l := newLoad(t, s)
	for way, rate := range map[string]int{"connect": 150, "socks5": 150, "http": 100, "dns-udp": 500, "dns-tcp": 100} {
		l.send(way, "always", rate/2)
		l.send(way, "never", rate/4)
		l.send(way, "now-and-then", rate/4)
	}
	const reloads, each = 200, 50 * time.Millisecond
	started := time.Now()
	for i := range reloads {
		mark := s.notes()
		s.configure(t, in[(i+1)%2])
		s.signal(t, syscall.SIGHUP)
		s.waitNote(t, mark, "READY=1")
		time.Sleep(time.Until(started.Add(time.Duration(i+1) * each))) // this keeps the pace; it does not wait for an event
	}
	took := time.Since(started)
	l.end()
	for _, works := range kept {
		if err := works(); err != nil {
			t.Errorf("a tunnel that every configuration permits: %v", err)
		}
	}
	if s.denied.seen.Load() != 0 || s.upstream.count("never.site.example") != 0 {
		t.Errorf("of what is forbidden, %d connections and %d queries got out", s.denied.seen.Load(), s.upstream.count("never.site.example"))
	}
	if n := len(s.journal().events("reload")); n < reloads {
		t.Errorf("the journal has %d reloads of %d", n, reloads)
	}
	for way := range doors {
		key := way + " now-and-then"
		if l.denied[key] == 0 || l.denied[key] == l.sent[key] {
			t.Errorf("%s: %d of %d denied: the configurations were not in force in turn", key, l.denied[key], l.sent[key])
		}
	}
	t.Logf("%d requests, %.0f a second, during %d reloads in %v; the longest took %v; %d of those that are permitted now and then were cut off",
		l.total(), float64(l.total())/took.Seconds(), reloads, took.Round(time.Millisecond), l.longest.Round(time.Millisecond), l.other)
}

// echoedLate does the same as echoed, for a tunnel that was opened long ago.
func echoedLate(c net.Conn, r *bufio.Reader) error {
	if err := c.SetDeadline(time.Now().Add(longestWait)); err != nil {
		return err
	}
	return echoed(c, io.Reader(r))
}
