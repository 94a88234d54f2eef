// Tests of the limit on connections: silent connections neither use up descriptors
// nor block other connections.

package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

func TestConnectionsAreLimited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })}
	go func() { served <- (&server{s}).Serve(ctx, l) }()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	asks := func(c net.Conn) error {
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, err := c.Read(make([]byte, 512))
		return err
	}
	const more = 20
	var silent []net.Conn
	for range more {
		silent = append(silent, dial())
	}
	busy := dial()
	for range connectionsMost - 1 {
		silent = append(silent, dial())
		if err := asks(busy); err != nil { // this connection has been open for longer than most
			t.Fatal(err)
		}
	}
	if err := asks(dial()); err != nil {
		t.Errorf("one more gets no answer: %v", err)
	}
	for i, c := range silent {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if i > more {
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		}
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) != (i > more) {
			t.Fatalf("silent connection %d: %v", i, err)
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
