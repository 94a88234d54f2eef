// Tests of the watchdog: it sends keep-alives only while the check succeeds.

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

// A logged is a writer that collects a log.
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

// manager returns a Notifier, the socket that receives its messages, and its log.
func manager(t *testing.T) (*Notifier, *net.UnixConn, *logged) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	log := &logged{}
	n := OpenNotifier(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { n.Close(); socket.Close() })
	return n, socket, log
}

// receive returns the next message, or "" if none comes in time.
func receive(socket *net.UnixConn, within time.Duration) string {
	b := make([]byte, 4096)
	socket.SetReadDeadline(time.Now().Add(within))
	n, _ := socket.Read(b)
	return string(b[:n])
}

// While the check hangs or fails, Watch sends nothing. Then it sends again.
func TestWatchNeedsTheCheck(t *testing.T) {
	n, socket, log := manager(t)
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
	if got := receive(socket, 10*time.Second); got != "WATCHDOG=1" {
		t.Errorf("received %q", got)
	}
	if got := receive(socket, 3*within); got != "" { // the check hangs
		t.Errorf("a process that hangs sends %q", got)
	}
	if !log.has("the check of this process did not end in time") {
		t.Error("the hanging check is not logged")
	}
	answers <- errors.New("a loop is stuck")
	if got := receive(socket, within); got != "" || !log.has("a loop is stuck") {
		t.Errorf("a process whose check fails sends %q", got)
	}
	answers <- nil
	if got := receive(socket, 10*time.Second); got != "WATCHDOG=1" {
		t.Errorf("received %q", got)
	}
	cancel() // also while a check hangs
	<-done
}

// One slow check that fails does not end the service. The next keep-alive comes
// before the manager's timeout.
func TestWatchSurvivesOneFailedCheck(t *testing.T) {
	n, socket, _ := manager(t)
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
	if got := receive(socket, 10*time.Second); got != "WATCHDOG=1" {
		t.Fatalf("received %q", got)
	}
	if got := receive(socket, within); got != "WATCHDOG=1" {
		t.Errorf("after a failed check the manager receives no message for %v and ends the service", within)
	}
	cancel()
	<-done
}

// Without a service manager every method does nothing.
func TestWithoutManager(t *testing.T) {
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
		t.Error("a nil Sockets has sockets")
	}
	in.Close()
}

// If the manager's socket is closed, the failure is logged once.
func TestSendFailureIsLoggedOnce(t *testing.T) {
	n, socket, log := manager(t)
	socket.Close()
	n.Ready("ready")
	n.Alive()
	if got := strings.Count(log.b.String(), "cannot send a message"); got != 1 {
		t.Errorf("logged %d times: %s", got, log.b.String())
	}
}

// A long status, for example of a configuration with many mistakes, is cut. No
// message is longer than 4096 bytes, and each is valid UTF-8.
func TestLongStatus(t *testing.T) {
	n, socket, _ := manager(t)
	for _, letter := range []string{"x", "é", "\xff"} {
		n.Ready("not ready: " + strings.Repeat(letter+"\n", 4000))
		b := make([]byte, 64<<10)
		socket.SetReadDeadline(time.Now().Add(10 * time.Second))
		size, err := socket.Read(b)
		if got := string(b[:size]); err != nil || size > 4096 || !utf8.ValidString(got) || !strings.HasPrefix(got, "READY=1\nSTATUS=not ready: ") || strings.Count(got, "\n") != 1 {
			t.Errorf("received %d bytes: %.60q %v", size, got, err)
		}
	}
}

// A status is sent when it changes, and as one line.
func TestStatusOnce(t *testing.T) {
	n, socket, _ := manager(t)
	n.Ready("all\nwell")
	n.Status("all\nwell")
	n.Status("worse")
	if got := receive(socket, time.Second) + "|" + receive(socket, time.Second); got != "READY=1\nSTATUS=all; well|STATUS=worse" {
		t.Errorf("received %q", got)
	}
}
