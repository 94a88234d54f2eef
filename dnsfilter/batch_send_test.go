// Errors of the kernel about one datagram of a batch.

package dnsfilter

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// filled returns a batch that has read a datagram from each of n clients.
func filled(t *testing.T, n int) (b *batch, clients []*net.UDPConn) {
	t.Helper()
	w := newWaiting(t, "udp4", "127.0.0.1:0", nil)
	t.Cleanup(func() { w.conn.Close() })
	for i := range n {
		clients = append(clients, w.client("127.0.0.1"))
		fmt.Fprintf(clients[i], "query %d", i)
	}
	b, err := newBatch(w.conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.receive(); err != nil || b.n != n {
		t.Fatalf("%d datagrams, %v, want %d", b.n, err, n)
	}
	for i, c := range clients {
		if want := fmt.Sprintf("query %d", i); string(b.query(i)) != want || b.from(i) != c.LocalAddr().(*net.UDPAddr).AddrPort() {
			t.Fatalf("%q from %v, want %q from %v", b.query(i), b.from(i), want, c.LocalAddr())
		}
	}
	return b, clients
}

// The kernel refuses some replies of a batch: too long (EMSGSIZE), to a broadcast
// address (EACCES), to port 0 (EINVAL). All others arrive, each once.
func TestRefusedRepliesOfABatch(t *testing.T) {
	b, clients := filled(t, 9)
	copy(b.peers[4][4:8], []byte{255, 255, 255, 255})
	copy(b.peers[5][2:4], []byte{0, 0})
	for i := range b.n {
		reply := append(b.room(i), fmt.Sprintf("reply %d", i)...)
		if i == 0 || i == 3 || i == 8 {
			reply = bytes.Repeat([]byte("x"), 70_000)
		}
		b.answer(i, reply)
	}
	b.send()
	for i, c := range clients {
		c.SetDeadline(time.Now().Add(30 * time.Second))
		want := fmt.Sprintf("reply %d", i)
		if i == 0 || i == 3 || i == 4 || i == 5 || i == 8 {
			c.SetDeadline(past)
			want = ""
		}
		buf := make([]byte, 64)
		if n, _ := c.Read(buf); string(buf[:n]) != want {
			t.Errorf("client %d has %q, want %q", i, buf[:n], want)
		}
		c.SetDeadline(past)
		if n, _ := c.Read(buf); n > 0 {
			t.Errorf("client %d has %q, too", i, buf[:n])
		}
	}
}

// An ICMP error about an earlier datagram is reported by the next call, whatever that
// call is about. It costs no reply, and the reader goes on.
func TestErrorOfAnEarlierReply(t *testing.T) {
	gone, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp4", nil, gone.LocalAddr().(*net.UDPAddr)) // only such sockets have these errors
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b, err := newBatch(conn)
	if err != nil {
		t.Fatal(err)
	}
	gone.WriteToUDPAddrPort([]byte("query"), conn.LocalAddr().(*net.UDPAddr).AddrPort())
	if err := b.receive(); err != nil || b.n != 1 {
		t.Fatal(b.n, err)
	}
	gone.Close()
	conn.Write([]byte("nobody reads this"))
	if err := b.receive(); !errors.Is(err, syscall.ECONNREFUSED) || b.n != 0 {
		t.Errorf("%d datagrams, %v, want the ICMP error", b.n, err)
	}
	conn.Write([]byte("nobody reads this"))
	other, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	port := uint16(other.LocalAddr().(*net.UDPAddr).Port)
	copy(b.peers[0][2:4], []byte{byte(port >> 8), byte(port)})
	b.n, b.outs, b.in[0].Namelen = 1, 0, 16
	b.answer(0, []byte("reply"))
	b.send()
	other.SetDeadline(time.Now().Add(30 * time.Second))
	buf := make([]byte, 64)
	if n, err := other.Read(buf); string(buf[:n]) != "reply" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}
