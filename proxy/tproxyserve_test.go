// Tests of the loop that reads the datagrams of TPROXY.

package proxy

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// The loop of a socket: a datagram that TPROXY did not bring is denied and sent nowhere, a deadline
// only wakes it, and the end of its context ends it. A socket that something else closes is an error.
func TestServeTPROXYDatagrams(t *testing.T) {
	w := newDivertedDatagrams(t)
	open := func() *DivertedSocket {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		return &DivertedSocket{conn: conn, replies: new(replySockets)}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	socket := open()
	ended := make(chan error, 1)
	go func() { ended <- w.p.ServeTPROXYDatagrams(ctx, socket) }()
	from, err := net.DialUDP("udp4", nil, socket.conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	(datagramSocket{socket.conn}).SetDeadline(time.Now()) // as the watchdog does
	if _, err := from.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if r := w.wantOne(rules.Deny, rules.MalformedRequest); !strings.HasPrefix(r.a.Detail, "not brought here by TPROXY: ") || r.a.Proto != rules.UDP || r.a.Via != rules.ViaUDP {
		t.Errorf("%+v", r.a)
	}
	if n := len(w.replies()); n > 0 {
		t.Errorf("%d replies", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end of the context: %v", err)
	}
	socket = open()
	socket.conn.Close()
	if err := w.p.ServeTPROXYDatagrams(context.Background(), socket); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a socket that was closed: %v", err)
	}
}
