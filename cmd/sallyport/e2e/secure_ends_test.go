//go:build linux

// Secure, ends: an open tunnel over TLS ends when the list of revoked certificates does, without a
// reload.

package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// ends opens a tunnel and lets the list end.
func (s *secured) ends(manager client) {
	s.t.Helper()
	s.sh("openssl ca -config crl.cnf -gencrl -crlsec 15 -out new.crl && mv new.crl clients.crl")
	pair, err := tls.LoadX509KeyPair(filepath.Join(s.dir, "es.pem"), filepath.Join(s.dir, "es.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	tcp, err := s.l.clients.dial("tcp", manager.v4(), gateway4+":3131")
	if err != nil {
		s.t.Fatal(err)
	}
	defer tcp.Close()
	_ = tcp.SetDeadline(time.Now().Add(90 * time.Second))
	proxied := tls.Client(tcp, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
	if _, err := io.WriteString(proxied, "CONNECT license.sangfor.com:443 HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	head := make([]byte, 4096)
	if n, err := proxied.Read(head); err != nil || !strings.HasPrefix(string(head[:n]), "HTTP/1.1 200") {
		s.t.Fatalf("CONNECT: %q, %v", head[:n], err)
	}
	inner := tls.Client(proxied, &tls.Config{InsecureSkipVerify: true, ServerName: "license.sangfor.com"})
	if err := inner.Handshake(); err != nil {
		s.t.Fatalf("the tunnel carries nothing: %v", err)
	}
	// Requests keep the origin from closing the connection.
	answers, answered, began := bufio.NewReader(inner), 0, time.Now()
	for ; time.Since(began) < time.Minute; time.Sleep(100 * time.Millisecond) {
		if _, err := io.WriteString(inner, "GET / HTTP/1.1\r\nHost: license.sangfor.com\r\n\r\n"); err != nil {
			break
		}
		r, err := http.ReadResponse(answers, nil)
		if err != nil {
			break
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		answered++
	}
	if took := time.Since(began); answered == 0 || took >= time.Minute {
		s.t.Errorf("%d requests were answered in %v: the tunnel must end with the list, after 15 s", answered, took)
	}
	s.sh("openssl ca -config crl.cnf -gencrl -out new.crl && mv new.crl clients.crl")
}
