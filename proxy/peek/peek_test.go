// Tests of what is read and not consumed yet.

package peek

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
)

func TestFillKeepsWhatIsNotUsed(t *testing.T) {
	client, conn := proxytest.TCPPair(t)
	c := Conn{TCP: conn, Pool: new(Pool)}
	text := strings.Repeat("0123456789", 2000) // more than a pooled buffer
	io.WriteString(client, text)
	client.CloseWrite()
	var err error
	for err == nil {
		err = c.Fill(len(text) + 1)
	}
	if err != io.EOF || string(c.Bytes) != text {
		t.Fatalf("%d bytes, %v", len(c.Bytes), err)
	}
	if c.Discard(len(text) - 3); string(c.Bytes) != "789" {
		t.Errorf("left %q", c.Bytes)
	}
	if c.Discard(3); c.Bytes != nil {
		t.Errorf("left %q", c.Bytes)
	}
	if c.Release(); c.Room() != 0 {
		t.Errorf("room for %d after Release", c.Room())
	}
	if c.Widen(); c.Room() != Large {
		t.Errorf("room for %d after Widen", c.Room())
	}
}

func TestFillStopsAtItsLimit(t *testing.T) {
	client, conn := proxytest.TCPPair(t)
	c := Conn{TCP: conn}
	io.WriteString(client, "0123456789")
	if err := c.Fill(4); err != nil || string(c.Bytes) != "0123" {
		t.Errorf("%q, %v", c.Bytes, err)
	}
	if err := c.Fill(4); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}

func TestDeadline(t *testing.T) {
	client, conn := proxytest.TCPPair(t)
	c := Conn{TCP: conn}
	c.Deadline(time.Millisecond)
	var timeout interface{ Timeout() bool }
	if err := c.Fill(Size); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Error(err)
	}
	c.Deadline(0)
	io.WriteString(client, "x")
	if err := c.Fill(Size); err != nil {
		t.Error(err)
	}
}

// The last write arrives although the client goes on sending.
func TestHangUpDelivers(t *testing.T) {
	client, conn := proxytest.TCPPair(t)
	c := Conn{TCP: conn}
	io.WriteString(client, strings.Repeat("x", 100<<10))
	io.WriteString(conn, "the answer")
	done := make(chan struct{})
	go func() { defer close(done); c.HangUp() }()
	got, err := io.ReadAll(client)
	if string(got) != "the answer" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	client.Close()
	<-done
}

func TestReset(t *testing.T) {
	client, conn := proxytest.TCPPair(t)
	Reset(conn)
	if _, err := io.ReadAll(client); err == nil {
		t.Error("a clean end, want a reset")
	}
}

func TestUnread(t *testing.T) {
	client, conn := proxytest.TCPPair(t)
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(client, "12345")
	for end := time.Now().Add(10 * time.Second); Unread(raw) != 5; {
		if time.Now().After(end) {
			t.Fatalf("%d bytes unread", Unread(raw))
		}
	}
}
