// Restart and drain: a new process takes over without an error for any client,
// and the old process lets its tunnels end.

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestRestartUnderLoad restarts under load while the manager holds the sockets.
// No client is refused or cut off, no query is lost, and every answer is right.
func TestRestartUnderLoad(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.configure(t, s.configuration("[limits]\ndrain = \"1s\"\n"))
	s.activate(t)
	l := newLoad(t, s)
	for _, way := range []string{"connect", "socks5", "http", "dns-udp", "dns-tcp"} {
		l.send(way, "always", 40)
		l.send(way, "never", 10)
	}
	const restarts = 6
	come := func(want int) { // waits for this number of new tries
		before := l.total()
		eventually(t, 30*time.Second, "load", func() error {
			if n := l.total() - before; n < want {
				return errorf("%d tries", n)
			}
			return nil
		})
	}
	for i := range restarts {
		come(100)
		if i == restarts-1 { // this restart has to wait for a tunnel, until the limit
			var opened sync.WaitGroup
			opened.Add(1)
			l.work.Go(func() { _ = held(s, nil, opened.Done) })
			opened.Wait()
		}
		began := l.total()
		away := s.restart(t, func() { come(50) }) // these connect to the socket that the manager holds
		t.Logf("restart %d: %d new connections and queries in the %v from SIGTERM to READY", i+1, l.total()-began, away.Round(time.Millisecond))
	}
	come(100)
	l.end()
	t.Logf("%d tries over %d restarts, the longest answer took %v", l.total(), restarts, l.longest.Round(time.Millisecond))
	if s.denied.seen.Load() != 0 || s.upstream.count("never.site.example") != 0 {
		t.Errorf("of what is forbidden, %d connections and %d queries got out", s.denied.seen.Load(), s.upstream.count("never.site.example"))
	}
	s.signal(t, syscall.SIGTERM)
	s.waitExit(t, 30*time.Second)
	want := 0
	for _, n := range l.denied {
		want += n
	}
	if got := s.journal().reasons(); len(got) != 1 || got["not_listed"] != want {
		t.Errorf("the journal counts %v, clients got %d denials", got, want)
	}
}

// A query that waits for an upstream when sallyport ends still gets its answer.
func TestAnswerUnderWayAtTheEnd(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		s := newService(t)
		s.configure(t, s.configuration(s.rule("slow")))
		s.activate(t)
		answered := make(chan error, 1)
		go func() { answered <- tryQuery(s, network, "slow.site.example") }()
		eventually(t, 30*time.Second, "a query upstream", func() error {
			if s.upstream.count("slow.site.example") == 0 {
				return errorf("none")
			}
			return nil
		})
		mark := s.notes()
		s.signal(t, syscall.SIGTERM)
		s.waitNote(t, mark, "STOPPING=1")
		time.Sleep(200 * time.Millisecond) // enough time for a wrong close
		s.upstream.release()
		if err := <-answered; err != nil {
			t.Errorf("%s: %v", network, err)
		}
		if code := s.waitExit(t, 30*time.Second); code != 0 {
			t.Errorf("%s: exit code %d", network, code)
		}
	}
}

// SIGTERM comes while 500 tunnels are open. Tunnels that end within the limit end
// normally. The others are reset at the limit. The journal has the end of each
// tunnel.
func TestDrainOfManyTunnels(t *testing.T) {
	t.Parallel()
	const tunnels, ending = 500, 250
	s := newService(t)
	s.configure(t, s.configuration("[limits]\ndrain = \"6s\"\n"))
	s.activate(t)
	last := bytes.Repeat([]byte("the last words "), 4096)
	results := make(chan error, tunnels) // nil: the tunnel ended intact
	opened := make(chan struct{}, 16)    // this number is opened at once, because one client gets only a share of the look-ups
	for range tunnels {
		opened <- struct{}{}
		go func() { results <- held(s, last, func() { <-opened }) }()
	}
	for range cap(opened) {
		opened <- struct{}{}
	}
	if n := len(results); n > 0 {
		t.Fatalf("%d tunnels could not be opened: %v", n, <-results)
	}
	started, mark := time.Now(), s.notes()
	s.signal(t, syscall.SIGTERM)
	s.waitNote(t, mark, "STOPPING=1")
	for range ending {
		s.allowed.final <- last
	}
	for range ending {
		if err := <-results; err != nil {
			t.Fatalf("a tunnel that ended by itself: %v", err)
		}
	}
	ended := time.Since(started)
	if code := s.waitExit(t, 30*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	took := time.Since(started)
	for range tunnels - ending {
		if err := <-results; err == nil {
			t.Error("a tunnel that was still open at the limit looks to its client as if it had ended")
		}
	}
	if took < 6*time.Second || ended > 6*time.Second {
		t.Errorf("%d tunnels had ended after %v, the process after %v; the limit is 6s", ending, ended, took)
	}
	records, _ := journal(filepath.Join(s.dir, "flows.jsonl")).read()
	causes := map[string]int{}
	for _, r := range records {
		if r.Event == "close" {
			causes[r.Detail] += max(r.Count, 1) // records beyond the budget of permitted flows are folded
		}
	}
	if len(causes) != 2 || causes[""] != ending || causes["drain"] != tunnels-ending {
		t.Errorf("closes in the journal by cause: %v", causes)
	}
	t.Logf("%d tunnels ended by themselves within %v, the process after %v", ending, ended.Round(time.Millisecond), took.Round(time.Millisecond))
}

// TestSecondSignalEndsADrain asserts that a second SIGTERM ends a long drain at
// once.
func TestSecondSignalEndsADrain(t *testing.T) {
	s := newService(t)
	s.configure(t, s.configuration("[limits]\ndrain = \"2m\"\n"))
	s.activate(t)
	opened, result := make(chan struct{}), make(chan error, 1)
	go func() { result <- held(s, nil, func() { close(opened) }) }()
	<-opened
	mark := s.notes()
	s.signal(t, syscall.SIGTERM)
	s.waitNote(t, mark, "STOPPING=1")
	select {
	case err := <-result:
		t.Fatalf("the first signal does not wait for a tunnel: %v", err)
	case <-s.exited:
		t.Fatal("the first signal does not wait for a tunnel")
	case <-time.After(300 * time.Millisecond): // the tunnel must stay open for this time
	}
	s.signal(t, syscall.SIGTERM)
	if code := s.waitExit(t, 20*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := <-result; err == nil {
		t.Error("a tunnel that was cut short looks to its client as if it had ended")
	}
}

// held opens a tunnel, calls opened, and waits for the tunnel's last bytes and a
// clean end.
func held(s *service, last []byte, opened func()) error {
	c, r, err := connectFor(s, "always.site.example", s.allowed.addr.Port())
	if err != nil {
		opened()
		return err
	}
	defer c.Close()
	_, err = io.WriteString(c, "\x00hold open")
	if err == nil {
		_, err = io.ReadFull(r, make([]byte, 8))
	}
	opened()
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, last) {
		return fmt.Errorf("%d bytes of %d: %w", len(got), len(last), err)
	}
	return nil
}
