// Watchdog tests: signs of life while there is life, and none without.

package systemd

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logged collects a log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}

// manager is a service manager's ear, and a Notifier that speaks into it.
func manager(t *testing.T) (*Notifier, *net.UnixConn, *logged) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	ear, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	log := &logged{}
	n := OpenNotifier(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { n.Close(); ear.Close() })
	return n, ear, log
}

// hears returns the next message, "" if none comes in time.
func hears(ear *net.UnixConn, within time.Duration) string {
	b := make([]byte, 4096)
	ear.SetReadDeadline(time.Now().Add(within))
	n, _ := ear.Read(b)
	return string(b[:n])
}

// While the check does not come back, or fails, nothing is heard; then again.
func TestWatchNeedsTheCheck(t *testing.T) {
	n, ear, log := manager(t)
	const within = 100 * time.Millisecond
	answers := make(chan error)
	check := func(ctx context.Context) error {
		select {
		case err := <-answers:
			return err
		case <-t.Context().Done():
			return nil
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Watch(ctx, within, check, slog.New(slog.NewTextHandler(log, nil)))
	}()
	answers <- nil
	if got := hears(ear, 10*time.Second); got != "WATCHDOG=1" {
		t.Errorf("heard %q", got)
	}
	if got := hears(ear, 3*within); got != "" { // the check hangs
		t.Errorf("a process that hangs says %q", got)
	}
	if !log.has("the check of this process hangs") {
		t.Error("nobody is told")
	}
	answers <- errors.New("a loop is stuck")
	if got := hears(ear, within); got != "" || !log.has("a loop is stuck") {
		t.Errorf("a process that is not well says %q", got)
	}
	answers <- nil
	if got := hears(ear, 10*time.Second); got != "WATCHDOG=1" {
		t.Errorf("heard %q", got)
	}
	cancel() // also while a check hangs
	<-done
}

// One check that fails, and takes all its time for that, does not cost the
// service its life: the next sign comes before the manager's patience ends.
func TestWatchForgivesOne(t *testing.T) {
	n, ear, _ := manager(t)
	const within = 1500 * time.Millisecond
	checks := 0
	check := func(ctx context.Context) error {
		if checks++; checks != 2 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Watch(ctx, within, check, slog.New(slog.DiscardHandler))
	}()
	if got := hears(ear, 10*time.Second); got != "WATCHDOG=1" {
		t.Fatalf("heard %q", got)
	}
	if got := hears(ear, within); got != "WATCHDOG=1" {
		t.Errorf("after a check that failed the manager hears nothing for %v, and ends the service", within)
	}
	cancel()
	<-done
}

// Without a manager nothing happens, and nothing breaks.
func TestNobodyListens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	log := &logged{}
	n := OpenNotifier(slog.New(slog.NewTextHandler(log, nil)))
	if n != nil || log.b.Len() != 0 {
		t.Fatalf("a Notifier without a socket: %v, log %q", n, log.b.String())
	}
	n.Ready("ready")
	n.Reloading()
	n.Status("well")
	n.Stopping("", time.Second)
	n.Watch(t.Context(), time.Second, nil, nil)
	n.Close()
	var in *Sockets
	if err := in.Match([]Door{{Key: "http"}}); err != nil || in.Listener(Door{Key: "http"}) != nil || in.Len() != 0 {
		t.Error("sockets out of nothing")
	}
	in.Close()
}

// The failure to reach a manager that went away is logged once.
func TestNotHeard(t *testing.T) {
	n, ear, log := manager(t)
	ear.Close()
	n.Ready("ready")
	n.Alive()
	if got := strings.Count(log.b.String(), "cannot send a message"); got != 1 {
		t.Errorf("logged %d times: %s", got, log.b.String())
	}
}

// However much there is to say, as of a configuration full of mistakes, the
// manager reads it: nothing that is longer than 4096 bytes, or no UTF-8.
func TestLongStatus(t *testing.T) {
	n, ear, _ := manager(t)
	for _, letter := range []string{"x", "é", "\xff"} {
		n.Ready("not ready: " + strings.Repeat(letter+"\n", 4000))
		b := make([]byte, 64<<10)
		ear.SetReadDeadline(time.Now().Add(10 * time.Second))
		size, err := ear.Read(b)
		if got := string(b[:size]); err != nil || size > 4096 || !utf8.ValidString(got) || !strings.HasPrefix(got, "READY=1\nSTATUS=not ready: ") || strings.Count(got, "\n") != 1 {
			t.Errorf("heard %d bytes: %.60q %v", size, got, err)
		}
	}
}

// The status is told when it changes, on one line.
func TestStatusOnce(t *testing.T) {
	n, ear, _ := manager(t)
	n.Ready("all\nwell")
	n.Status("all\nwell")
	n.Status("worse")
	if got := hears(ear, time.Second) + "|" + hears(ear, time.Second); got != "READY=1\nSTATUS=all; well|STATUS=worse" {
		t.Errorf("heard %q", got)
	}
}
