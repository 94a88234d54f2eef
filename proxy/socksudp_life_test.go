// SOCKS5 UDP tests: how associations and their flows end, and the sizes of datagrams.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/datagram"
	"sallyport/rules"
)

// The association ends with its TCP connection, also if that is only half-closed: the relay's port
// is closed then.
func TestUDPEndsWithTCP(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*net.TCPConn){
		"closed":      func(c *net.TCPConn) { c.Close() },
		"half-closed": func(c *net.TCPConn) { c.CloseWrite() },
		"reset":       func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		w := newUDPWorld(t, nil)
		o, c := w.origin("8.8.8.9:161"), w.associated()
		c.send(header("8.8.8.9", 161) + "x")
		_, from := w.receive(o)
		io.WriteString(c.control, "discarded")
		end(c.control)
		if e := w.wantClosed(); e.Cause != map[bool]rules.Cause{true: rules.EndReset, false: rules.EndClean}[name == "reset"] {
			t.Errorf("%s: cause %v", name, e.Cause)
		}
		w.eventually("no association", func() bool { s := w.p.Stats(); return s.Associations == 0 && s.Datagrams.Flows == 0 })
		c.send(header("8.8.8.9", 161) + "secret")
		w.nothing(o)
		o.WriteToUDPAddrPort([]byte("late"), from)
		w.nothing(c.conn)
		if probe, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(c.relay)); err != nil {
			t.Errorf("%s: the relay's port is still open: %v", name, err)
		} else {
			probe.Close()
		}
	}
}

// An association that nothing uses ends, and closes its TCP connection.
func TestUDPIdleAssociation(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, func(c *Config) { c.Limits.Idle = 200 * time.Millisecond; c.Limits.UDPIdle = 200 * time.Millisecond })
	o, c := w.origin("8.8.8.9:161"), w.associated()
	started := time.Now()
	c.send(header("8.8.8.9", 161) + "x")
	w.receive(o)
	if _, err := c.control.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection: %v", err)
	}
	if passed := time.Since(started); passed < 350*time.Millisecond { // the flow's idle time, then the association's
		t.Errorf("ended after %v", passed)
	}
	if e := w.wantClosed(); e.Cause != rules.EndIdle {
		t.Errorf("cause %v", e.Cause)
	}
}

// A reload ends the flow that it denies; the association goes on.
func TestUDPRecheck(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	name, addr, c := w.origin("8.8.8.8:123"), w.origin("8.8.8.9:161"), w.associated()
	c.send(header("a.example", 123) + "x")
	c.send(header("8.8.8.9", 161) + "x")
	w.receive(name)
	w.receive(addr)
	w.policy(strings.Replace(udpConfig, `["a.example", "b.example", "inside.example", "8.8.8.9"]`, `["8.8.8.9"]`, 1))
	if n := w.p.Recheck(); n != 1 {
		t.Errorf("%d flows are closed", n)
	}
	if e := w.wantClosed(); e.Cause != rules.EndPolicy || e.Attempt.Authority.String() != "a.example" {
		t.Errorf("end %+v", e)
	}
	w.eventually("the end of the flow", func() bool { return w.p.Stats().Datagrams.Flows == 1 })
	c.send(header("a.example", 123) + "secret")
	w.nothing(name)
	c.send(header("8.8.8.9", 161) + "y")
	w.receive(addr)
}

// A drain ends an association without flows at once, denies new flows, and lets open ones go on
// until its time is over.
func TestUDPDrain(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	unused := w.associated()
	o, c := w.origin("8.8.8.9:161"), w.associated()
	c.send(header("8.8.8.9", 161) + "x")
	w.receive(o)
	drained := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { drained <- w.p.Drain(ctx) }()
	if _, err := unused.control.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the unused association: %v", err)
	}
	c.send(header("8.8.8.9", 161) + "y")
	w.receive(o)
	c.send(header("8.8.8.9", 123) + "x")
	w.eventually("denial", func() bool { return len(w.journal.decisions()) == 2 })
	if d := w.journal.decisions()[1].d; d.Why() != rules.Draining {
		t.Errorf("reason %v", d.Why())
	}
	cancel()
	<-drained
	if e := w.wantClosed(); e.Cause != rules.EndDrain {
		t.Errorf("cause %v", e.Cause)
	}
	c.control.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.control.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection: %v", err)
	}
}

// Empty and large contents arrive whole, both ways.
func TestUDPSizes(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	o, c := w.origin("8.8.8.9:161"), w.associated()
	for _, n := range []int{0, 1, 1500, 65507 - 10} {
		content := strings.Repeat("x", n)
		c.send(header("8.8.8.9", 161) + content)
		got, from := w.receive(o)
		o.WriteToUDPAddrPort([]byte(content), from)
		back, _ := w.receive(c.conn)
		if got != content || back != header("8.8.8.9", 161)+content {
			t.Errorf("%d octets: %d there, %d back", n, len(got), len(back)-10)
		}
	}
	c.send(header("8.8.8.9", 161) + "x")
	_, from := w.receive(o)
	o.WriteToUDPAddrPort([]byte(strings.Repeat("x", 65507)), from) // no room for the header
	w.eventually("count", func() bool { return w.p.Stats().Datagrams.Dropped[datagram.Unreplied] == 1 })
}
