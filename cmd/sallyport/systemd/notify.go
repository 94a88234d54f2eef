// Notify: sends the state of the service to the service manager.

package systemd

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// A Notifier sends the state of the service to the service manager. The nil Notifier
// sends nothing.
type Notifier struct {
	log *slog.Logger

	mu     sync.Mutex // lets one message through at a time, and guards the fields below
	conn   net.Conn
	status string // the last status that was sent
	failed bool   // the last message could not be sent
}

// OpenNotifier connects to NOTIFY_SOCKET and removes it from the environment. It
// returns nil if there is none. The library opens a socket for each message, which a
// confined process cannot do.
func OpenNotifier(log *slog.Logger) *Notifier {
	path := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		log.Warn("cannot reach the service manager: it will not learn that this service is ready, and may stop it", "NOTIFY_SOCKET", path, "error", err)
		return nil
	}
	return &Notifier{log: log, conn: conn}
}

// Ready reports that the service is ready, at the start or again after a reload.
func (n *Notifier) Ready(status string) { n.send(status, daemon.SdNotifyReady) }

// Reloading reports that a reload has begun. Ready ends it.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	n.send("", daemon.SdNotifyReloading, fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// Status sends a status if it differs from the last one.
func (n *Notifier) Status(status string) {
	if n != nil && n.changes(status) {
		n.send(status)
	}
}

func (n *Notifier) changes(status string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status != status
}

// Stopping reports that the service ends, and how long that may take.
func (n *Notifier) Stopping(status string, within time.Duration) {
	n.send(status, daemon.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", within.Microseconds()))
}

// Alive sends the sign of life that the watchdog waits for.
func (n *Notifier) Alive() { n.send("", daemon.SdNotifyWatchdog) }

// Close closes the socket. Later messages are not sent.
func (n *Notifier) Close() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conn.Close()
	n.conn = nil
}

// send sends one message: lines, and the status unless it is empty. It does not wait
// long for a manager that does not read. It logs the first of several failures.
func (n *Notifier) send(status string, lines ...string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn == nil {
		return
	}
	if status != "" {
		n.status = status
		lines = append(lines, "STATUS="+oneLine(status))
	}
	n.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err := n.conn.Write([]byte(strings.Join(lines, "\n")))
	if err != nil && !n.failed {
		n.log.Warn("cannot send a message to the service manager", "error", err)
	}
	n.failed = err != nil
}

// maxStatus is the longest status that is sent, in bytes. systemd ignores a message
// of more than 4096 bytes, even if it reports that the service is ready.
const maxStatus = 2000

// oneLine returns a status as systemd accepts it: one line of UTF-8.
func oneLine(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ")
	if len(s) > maxStatus {
		s = s[:maxStatus] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
