// Notify: tells the service manager in which state the service is.

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

// A Notifier tells the service manager what the service does. A nil one tells
// nobody.
type Notifier struct {
	log *slog.Logger

	mu     sync.Mutex // one message at a time, and guards the rest
	conn   net.Conn
	status string // as last told
	failed bool   // the last message did not get through
}

// OpenNotifier connects to NOTIFY_SOCKET, and takes that out of the
// environment; it returns nil where there is none. The library's way, a socket
// for each message, is closed to a process that has confined itself since.
func OpenNotifier(log *slog.Logger) *Notifier {
	path := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		log.Warn("cannot reach the service manager: it will not learn that this service is ready, and may end it for that", "NOTIFY_SOCKET", path, "error", err)
		return nil
	}
	return &Notifier{log: log, conn: conn}
}

// Ready says that everything serves, at the start or again after a reload.
func (n *Notifier) Ready(status string) { n.tell(status, daemon.SdNotifyReady) }

// Reloading says that a reload has begun. Ready ends it.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	n.tell("", daemon.SdNotifyReloading, fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// Status says what there is to say, unless that was the last word already.
func (n *Notifier) Status(status string) {
	if n != nil && n.changes(status) {
		n.tell(status)
	}
}

func (n *Notifier) changes(status string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status != status
}

// Stopping says that the service ends, and how long that may take.
func (n *Notifier) Stopping(status string, within time.Duration) {
	n.tell(status, daemon.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", within.Microseconds()))
}

// Alive is the sign of life that a watchdog waits for.
func (n *Notifier) Alive() { n.tell("", daemon.SdNotifyWatchdog) }

// Close ends it; what is said afterwards nobody hears.
func (n *Notifier) Close() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conn.Close()
	n.conn = nil
}

// tell sends one message: lines, and the status unless it is empty. It does not
// wait long for a manager that does not listen, and says once that it was not
// heard.
func (n *Notifier) tell(status string, lines ...string) {
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
		n.log.Warn("the service manager does not hear this service", "error", err)
	}
	n.failed = err != nil
}

// maxStatus is how many bytes of a status are told. Of a message of more than
// 4096 systemd takes nothing, not even that the service is ready.
const maxStatus = 2000

// oneLine is a status as systemd takes it: one line of UTF-8.
func oneLine(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ")
	if len(s) > maxStatus {
		s = s[:maxStatus] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
