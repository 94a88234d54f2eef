// Accept loop tests: Alive succeeds for a proxy that accepts, and fails for a proxy that
// hangs.

package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
)

// Alive costs no connection, not even a connection that waits to be accepted.
func TestAlive(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:5000", echo)
	stop, asked := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				asked <- nil
				return
			default:
			}
			if err := w.p.Alive(t.Context()); err != nil {
				asked <- err
				return
			}
		}
	}()
	for range 50 {
		conn, r := w.tunnelTo("a.example:5000", "")
		io.WriteString(conn, "\x00")
		if _, err := r.ReadByte(); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	close(stop)
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

// A heldGate blocks in Preview until its channel is closed, and so holds the accept loop.
type heldGate struct {
	rules.Gate
	stuck chan struct{}
}

func (g heldGate) Preview(a rules.Attempt) rules.Decision {
	<-g.stuck
	return g.Gate.Preview(a)
}

// A blocked accept loop is detected and named. When it continues, it is alive again.
func TestAliveFindsAHang(t *testing.T) {
	stuck := make(chan struct{})
	w := newWorld(t, func(c *Config) {
		c.Gate = heldGate{c.Gate, stuck}
	})
	w.dial(w.socks)
	w.eventually("an accepted connection", func() bool { return w.p.Stats().Accepted == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := w.p.Alive(ctx)
	if err == nil || !strings.Contains(err.Error(), "the socks5 listener "+w.socks.String()+" accepts nothing") || strings.Contains(err.Error(), w.http.String()) {
		t.Errorf("a proxy that hangs says %v", err)
	}
	close(stuck)
	if err := w.p.Alive(t.Context()); err != nil {
		t.Error(err)
	}
}

// A drain waits for a connection that is accepted at that moment, and serves it: no other
// process can.
func TestDrainServesWhatIsBeingAccepted(t *testing.T) {
	stuck := make(chan struct{})
	w := newWorld(t, func(c *Config) {
		c.Gate = heldGate{c.Gate, stuck}
	})
	w.origin("8.8.8.8:5000", echo)
	conn := w.dial(w.http)
	io.WriteString(conn, "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n\r\n")
	w.eventually("an accepted connection", func() bool { return w.p.Stats().Accepted == 1 })
	drained := make(chan error)
	go func() { drained <- w.p.Drain(context.Background()) }()
	w.eventually("the end of the other loop", func() bool { return len(w.p.loops.all()) == 1 })
	close(stuck)
	if got, err := bufio.NewReader(conn).ReadString('\n'); err != nil || got != "HTTP/1.1 200 Connection established\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// A connection that begins to wait for its first request after the drain has looked at all
// connections gets no more time than they got.
func TestAwaitDuringADrain(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.p.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.p.grace = 20 * time.Millisecond
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer := w.dial(unmapped(l.Addr()))
	defer peer.Close()
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{Conn: peek.Conn{TCP: conn}}
	c.Deadline(10 * time.Second)
	began := time.Now()
	if err := w.p.await(c, head.MaxHead); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
