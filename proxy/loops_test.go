// Loops tests: a proxy that accepts says that it does, one that hangs does not.

package proxy

import (
	"context"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Asking costs no connection: not one that waits to be accepted either.
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

// An accept loop that is stuck is found out, and named; when it goes on it is
// alive again.
func TestAliveFindsAHang(t *testing.T) {
	stuck := make(chan struct{})
	w := newWorld(t, func(c *Config) {
		c.Known = func(netip.Addr) bool { <-stuck; return true }
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
