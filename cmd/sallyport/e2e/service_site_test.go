//go:build linux

// Service site: the permitted destination of the service tests.

package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// site is a server of the internet. It echoes eight bytes that follow a NUL,
// and answers an HTTP request with a page.
type site struct {
	addr  netip.AddrPort
	seen  atomic.Int64 // connections
	final chan []byte  // the last bytes for a connection that sent "\x00hold...."
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteAt(t, "127.0.0.1:0")
}

func newSiteAt(t *testing.T, addr string) *site {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{addr: l.Addr().(*net.TCPAddr).AddrPort(), final: make(chan []byte)}
	var work sync.WaitGroup
	end := make(chan struct{})
	serveEach(l, &work, func(c net.Conn) {
		s.seen.Add(1)
		s.serve(c, end)
	})
	t.Cleanup(func() { l.Close(); close(end); work.Wait() })
	return s
}

func (s *site) serve(c net.Conn, end <-chan struct{}) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	if first[0] != 0 {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsite")
		}
		return
	}
	b := make([]byte, 9)
	for {
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		if _, err := c.Write(b[1:]); err != nil {
			return
		}
		if bytes.HasPrefix(b, []byte("\x00hold")) {
			break
		}
	}
	select {
	case last := <-s.final:
		_, _ = c.Write(last)
	case <-end:
	}
}
