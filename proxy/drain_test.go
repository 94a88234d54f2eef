// Drain tests: what the proxy serves, and what it waits for, while it drains.

package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"sallyport/rules"
)

func TestDrainWaitsForTunnels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Head = time.Minute })
	w.origin("8.8.8.8:5000", echo)
	conn, r := w.tunnelTo("a.example:5000", "")
	io.WriteString(conn, "\x00ne")
	io.ReadFull(r, make([]byte, 3))
	idle := w.dial(w.http) // sends nothing
	w.p.grace = 20 * time.Millisecond
	w.eventually("two connections", func() bool { return w.p.Stats().Connections == 2 })
	drained := make(chan error)
	go func() { drained <- w.p.Drain(context.Background()) }()
	if n, err := io.Copy(io.Discard, idle); n > 0 || err != nil { // within its deadline
		t.Errorf("idle connection: %d bytes, %v", n, err)
	}
	if _, err := net.Dial("tcp", w.http.String()); err == nil {
		w.eventually("closed listener", func() bool {
			c, err := net.Dial("tcp", w.http.String())
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}
	io.WriteString(conn, "two") // the tunnel goes on
	if _, err := io.ReadFull(r, make([]byte, 3)); err != nil {
		t.Error(err)
	}
	select {
	case <-drained:
		t.Fatal("drained with a tunnel open")
	default:
	}
	conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:5000", echo)
	conn, r := w.tunnelTo("a.example:5000", "")
	io.WriteString(conn, "\x00ne")
	io.ReadFull(r, make([]byte, 3))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := w.p.Drain(ctx); err != context.DeadlineExceeded {
		t.Error(err)
	}
	wantReset(t, conn)
	if c := w.wantClosed(); c.Cause != rules.EndDrain || c.BytesIn != 3 {
		t.Errorf("closed %+v", c)
	}
}

// While draining, a further request on an open connection is denied with reason "draining".
func TestDrainingDeniesNewAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", answering(okAnswer))
	conn := w.dial(w.http)
	r := bufio.NewReader(conn)
	io.WriteString(conn, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if err := answered(r, http.StatusOK); err != nil {
		t.Fatal(err)
	}
	idle := func(want bool) func() bool {
		return func() bool {
			cs := w.p.clients.all()
			return len(cs) == 1 && cs[0].idle.Load() == want
		}
	}
	w.eventually("a connection that is awaited", idle(true)) // before the proxy awaits a request, the connection is not idle either
	io.WriteString(conn, "GET http://a.example/two HTTP/1.1\r\n")
	w.eventually("a started head", idle(false))
	drained := make(chan error)
	go func() { drained <- w.p.Drain(context.Background()) }()
	w.eventually("drain", w.p.draining.Load)
	io.WriteString(conn, "Host: a.example\r\n\r\n")
	if err := answered(r, http.StatusServiceUnavailable); err != nil {
		t.Error(err)
	}
	got := w.journal.decisions()
	if last := got[len(got)-1]; last.d.Allowed() || last.d.Why() != rules.Draining {
		t.Errorf("decided %+v", last)
	}
	conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// answered reads one whole answer.
func answered(r *bufio.Reader, status int) error {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != status {
		return fmt.Errorf("answer %s, %v", resp.Status, err)
	}
	return err
}

// A drain serves the first request of a connection that was accepted before it, in any protocol.
// It serves no second request.
func TestDrainServesFirstRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Head = time.Minute })
	w.origin("8.8.8.8:5000", echo)
	w.p.grace = time.Minute
	tunnels := map[string]net.Conn{"connect": w.dial(w.http), "socks5": w.dial(w.socks)}
	w.eventually("two connections", func() bool { return w.p.Stats().Connections == 2 })
	drained := make(chan error)
	go func() { drained <- w.p.Drain(context.Background()) }()
	w.eventually("drain", w.p.draining.Load)
	w.p.loops.wait(t.Context())
	io.WriteString(tunnels["connect"], "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n\r\n")
	io.WriteString(tunnels["socks5"], "\x05\x01\x00"+"\x05\x01\x00\x03\x09a.example\x13\x88")
	for name, skip := range map[string]int{"connect": len("HTTP/1.1 200 Connection established\r\n\r\n"), "socks5": 12} {
		got := make([]byte, skip+5)
		io.WriteString(tunnels[name], "\x00echo")
		if _, err := io.ReadFull(tunnels[name], got); err != nil || string(got[skip:]) != "\x00echo" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		tunnels[name].Close()
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// A connection that sends nothing does not delay a drain for long.
func TestDrainDoesNotWaitForTheSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Head = time.Minute })
	w.p.grace = 20 * time.Millisecond
	w.dial(w.http)
	w.dial(w.socks)
	w.eventually("two connections", func() bool { return w.p.Stats().Connections == 2 })
	if err := w.p.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if n := w.p.Stats().Empty; n != 2 {
		t.Errorf("%d empty connections", n)
	}
}
