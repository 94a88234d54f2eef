// Keep-alive tests: a vanished peer is detected, also on a tunnel that is silent for hours.

package proxy

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// The kernel probes both connections of a tunnel after a minute of silence, whichever front end
// accepted the client.
func TestTunnelsAreKeptAlive(t *testing.T) {
	t.Parallel()
	for _, way := range waysIn {
		b := newRedirectWorld(t, nil)
		b.pin("8.8.8.8", "a.example")
		b.origin(way.origin, echo)
		conn := way.open(b)
		io.WriteString(conn, "\x01")
		io.ReadFull(conn, make([]byte, 1))
		for _, f := range b.p.flows.all() {
			for side, c := range map[string]*net.TCPConn{"client": f.c.TCP, "destination": f.up.tcp} {
				if on, idle := keepAliveOf(t, c); on != 1 || idle != 60 {
					t.Errorf("%s, %s: keep-alive %d, after %d s", way.name, side, on, idle)
				}
			}
		}
		conn.Close()
		b.wantOne(rules.Allow, rules.ReasonNone)
		b.wantClosed()
	}
}

// keepAliveOf asks the kernel for SO_KEEPALIVE and TCP_KEEPIDLE.
func keepAliveOf(t *testing.T, conn *net.TCPConn) (on, idle int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var errOn, errIdle error
	raw.Control(func(fd uintptr) {
		on, errOn = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		idle, errIdle = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
	})
	if errOn != nil || errIdle != nil {
		t.Fatal(errOn, errIdle)
	}
	return on, idle
}

func TestHalfClosedLimitIsAtMostAMinute(t *testing.T) {
	t.Parallel()
	if got := (Limits{HalfClosed: time.Hour}).withDefaults().HalfClosed; got != time.Minute {
		t.Errorf("limit %v", got)
	}
}
