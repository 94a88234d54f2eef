//go:build linux

// Lifecycle: denials are on disk at once, an end loses no denial, and a reload
// changes only the policy.

package e2e

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// deny sends one CONNECT that is refused, and returns after the answer has arrived.
func (l *lab) deny(host string) error {
	c, err := l.clients.dial("tcp", fleet[0].v4(), gateway4+":3128")
	if err != nil {
		return err
	}
	defer c.Close()
	return denyOn(c, host)
}

func denyOn(c net.Conn, host string) error {
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host); err != nil {
		return err
	}
	answer := make([]byte, 12)
	if _, err := c.Read(answer); err != nil {
		return err
	}
	if string(answer) != "HTTP/1.1 403" {
		return errorf("answer %q", answer)
	}
	return nil
}

// A denial can be read in the journal within 50 ms of its answer.
func TestDenialIsReadableAtOnce(t *testing.T) {
	need(t)
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	var delays []time.Duration
	for i := range 21 {
		host := fmt.Sprintf("at-once-%d.evil.example", i)
		if err := l.deny(host); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		g.journal().mustDeny(t, 0, denial{via: "connect", host: host, reason: "not_listed"})
		delays = append(delays, time.Since(start))
	}
	slices.Sort(delays)
	// The machine that runs the tests may be slower than that once.
	if median := delays[len(delays)/2]; median > 50*time.Millisecond {
		t.Errorf("half of the denials took longer than %v to be readable", median)
	}
	if second := delays[len(delays)-2]; second > 200*time.Millisecond {
		t.Errorf("denials took up to %v to be readable", delays[len(delays)-2:])
	}
}

// SIGTERM: open tunnels are drained, every denial is in the journal, the last
// record says stop, and the exit code is 0.
func TestTermEndsCleanly(t *testing.T) {
	need(t)
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet, "[limits]\ndrain = \"3s\"\n"))
	open := l.openTunnel(t, fleet[0], "license.sangfor.com")
	const n = 50
	for i := range n {
		if err := l.deny(fmt.Sprintf("term-%d.evil.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	g.signal(t, syscall.SIGTERM)
	eventually(t, 30*time.Second, "no new connections", func() error {
		if c, err := l.clients.dialBriefly(gateway4 + ":3128"); err == nil {
			c.Close()
			return errorf("still accepting")
		}
		return nil
	})
	if err := open.works(); err != nil {
		t.Errorf("a tunnel broke before the drain limit: %v", err)
	}
	if code := g.waitExit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	records, torn := g.journal().read()
	// The check above, whether it still accepts, may itself be refused with the
	// reason "draining".
	denied := slices.DeleteFunc(g.journal().denials(0), func(r record) bool { return r.Reason == "draining" })
	if len(torn) != 0 || len(denied) != n {
		t.Errorf("journal: %d denials of %d, torn lines %q", len(denied), n, torn)
	}
	if last := records[len(records)-1]; last.Event != "stop" {
		t.Errorf("the last record is %s", last.line)
	}
	flows, _ := journal(filepath.Join(g.dir, "flows.jsonl")).read()
	both := slices.SortedFunc(slices.Values(append(flows, records...)), func(a, b record) int { return cmp.Compare(a.Seq, b.Seq) })
	for i := 1; i < len(both); i++ {
		if both[i].Seq != both[i-1].Seq+1 || both[i].Boot != both[0].Boot {
			t.Errorf("a gap in the sequence before %s", both[i].line)
		}
	}
}

// TestFloodIsCountedToTheLast sends SIGTERM during a flood. Records are folded, and
// their counts add up to all denials that the clients received.
func TestFloodIsCountedToTheLast(t *testing.T) {
	need(t)
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	const clients = 4
	stop, done := make(chan struct{}), make(chan int, clients)
	for i := range clients {
		go l.flood(fmt.Sprintf("flood-%d", i), stop, done)
	}
	time.Sleep(1500 * time.Millisecond) // the length of the flood
	g.signal(t, syscall.SIGTERM)
	code := g.waitExit(t, 30*time.Second)
	close(stop)
	answered := 0
	for range clients {
		answered += <-done
	}
	// The end may cut off the answer of a denial that is already in the journal:
	// one per client.
	counted := g.journal().counted()
	if written := len(g.journal().denials(0)); code != 0 || counted < answered || counted > answered+clients || answered > 400 && written >= answered {
		t.Errorf("exit %d: %d answered, %d counted in %d records %v", code, answered, counted, written, g.journal().reasons())
	}
	for reason := range g.journal().reasons() {
		if reason != "not_listed" && reason != "draining" {
			t.Errorf("a denial of the flood is journaled as %s", reason)
		}
	}
}

// SIGTERM ends the process at once if no connection is open.
func TestTermWhenIdle(t *testing.T) {
	need(t)
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	start := time.Now()
	g.signal(t, syscall.SIGTERM)
	if code := g.waitExit(t, 10*time.Second); code != 0 || time.Since(start) > 3*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(start))
	}
}

// kill -9 tears at most the last line. The next start writes below that line, and
// the reader skips and reports it.
func TestKillTearsAtMostOneLine(t *testing.T) {
	need(t)
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	stop, done := make(chan struct{}), make(chan int)
	go l.flood("kill", stop, done)
	eventually(t, 30*time.Second, "a flood is being journaled", func() error {
		if n := len(g.journal().denials(0)); n < 60 {
			return errorf("%d denials", n)
		}
		return nil
	})
	g.signal(t, syscall.SIGKILL)
	g.waitExit(t, 5*time.Second)
	close(stop)
	<-done
	if _, torn := g.journal().read(); len(torn) > 1 {
		t.Fatalf("torn lines: %q", torn)
	}
	g.journal().tear(t) // a kill in the middle of a write leaves such a line
	before, _ := g.journal().read()
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitReady(t)
	if err := l.deny("after-the-kill.evil.example"); err != nil {
		t.Fatal(err)
	}
	record := g.journal().mustDeny(t, len(before), denial{via: "connect", host: "after-the-kill.evil.example", reason: "not_listed"})
	after, still := g.journal().read()
	if len(still) != 1 || len(after) <= len(before) || record.Boot == before[0].Boot {
		t.Errorf("after the restart: torn %q, %d records before, %d now, boot %s then %s",
			still, len(before), len(after), before[0].Boot, record.Boot)
	}
	r := l.gateway.run(t, g.dir, "", builtBinary(t), "denials", "list", "--file", string(g.journal()))
	if r.code != 0 || !strings.Contains(r.stdout, "after-the-kill.evil.example") || lacks(r.stderr, fmt.Sprintf("denials.jsonl:%d: ", len(before)+1)) != nil {
		t.Errorf("list should go on below the torn line and report it: %v", r)
	}
}

// flood sends denied requests until stop is closed, and counts the answered
// requests.
func (l *lab) flood(what string, stop <-chan struct{}, done chan<- int) {
	answered := 0
	for i := 0; ; i++ {
		select {
		case <-stop:
			done <- answered
			return
		default:
		}
		if l.deny(fmt.Sprintf("%s-%d.evil.example", what, i)) == nil {
			answered++
		}
	}
}

// SIGHUP changes the policy, and connections that it still permits stay open. A bad
// configuration changes nothing and is reported.
func TestReload(t *testing.T) {
	need(t, "curl")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	kept := l.openTunnel(t, fleet[0], "license.sangfor.com")
	lost := l.openTunnel(t, fleet[0], "clt.sangfor.com")
	plain := fleet[0]
	plain.features = nil
	fewer := append([]client{plain}, fleet[1:]...)

	g.configure(t, configuration(fewer))
	g.signal(t, syscall.SIGHUP)
	eventually(t, 30*time.Second, "the new policy denies", func() error {
		return lacks(l.curl(t, fleet[0], "-x", httpDoor, "http://clt.sangfor.com/").stdout, "feature_off")
	})
	eventually(t, 30*time.Second, "a tunnel that the new policy denies is closed", func() error {
		if lost.works() == nil {
			return errorf("it still works")
		}
		return nil
	})
	if err := kept.works(); err != nil {
		t.Errorf("a tunnel that the new policy permits was dropped: %v", err)
	}

	for _, bad := range []struct{ config, says string }{
		{"mood = \"enforce\"\n" + configuration(fleet), "mood"},
		{"mode = 1\n" + configuration(fleet), "sallyport.toml:1: mode"},
		{configuration(fleet, "[[broken"), "write a table as [broken]"},
	} {
		g.configure(t, bad.config)
		g.signal(t, syscall.SIGHUP)
		eventually(t, 30*time.Second, "/readyz tells of the bad reload", func() error {
			code, body, err := g.admin("/readyz")
			if err != nil || code != http.StatusServiceUnavailable {
				return errorf("%d %s %v", code, body, err)
			}
			return lacks(body, "the earlier configuration stays in force", bad.says)
		})
		if r := l.curl(t, fleet[0], "-x", httpDoor, "http://clt.sangfor.com/"); lacks(r.stdout, "feature_off") != nil {
			t.Errorf("a bad reload changed the policy: %v", r)
		}
		if err := kept.works(); err != nil {
			t.Errorf("a bad reload dropped a tunnel: %v", err)
		}
	}

	// A change of the file is enough, without a signal.
	g.configure(t, configuration(fleet))
	eventually(t, 30*time.Second, "the good policy is in force and /readyz is content", func() error {
		code, body, err := g.admin("/readyz")
		if err != nil || code != http.StatusOK {
			return errorf("%d %s %v", code, body, err)
		}
		return lacks(l.curl(t, fleet[0], "-x", httpDoor, "http://clt.sangfor.com/").stdout, "origin ")
	})
	if err := kept.works(); err != nil {
		t.Errorf("a good reload dropped a tunnel: %v", err)
	}
	if n := len(g.journal().events("reload")); n < 5 {
		t.Errorf("the journal has %d records of reloads, want five at least", n)
	}
}
