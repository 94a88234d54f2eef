//go:build linux

// Tunnel: a CONNECT tunnel with TLS inside that a test keeps open.

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// tunnel is one open tunnel to a permitted host.
type tunnel struct {
	host string
	tls  *tls.Conn
	r    *bufio.Reader
}

// openTunnel connects as a client through the HTTP listener.
func (l *lab) openTunnel(t *testing.T, c client, host string) *tunnel {
	t.Helper()
	conn, err := l.clients.dial("tcp", c.v4(), gateway4+":3128")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT %s: %v %v", host, resp, err)
	}
	tn := &tunnel{host: host, tls: tls.Client(conn, &tls.Config{ServerName: host, RootCAs: l.ca.pool})}
	tn.r = bufio.NewReader(tn.tls)
	if err := tn.works(); err != nil {
		t.Fatalf("tunnel to %s: %v", host, err)
	}
	return tn
}

// works makes one request through the open tunnel.
func (tn *tunnel) works() error {
	if _, err := fmt.Fprintf(tn.tls, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", tn.host); err != nil {
		return err
	}
	resp, err := http.ReadResponse(tn.r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %q %w", resp.Status, body, err)
	}
	return nil
}
