// Tests of proofs that end while a tunnel is open: a certificate, and a list of revoked ones.

package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"strings"
	"testing"
	"time"
)

// The tunnel of a certificate that ends is closed within a second of its end, as one of a certificate
// that a reload revokes. A tunnel of another certificate goes on.
func TestTunnelOfAnEndedCertificate(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	w.origin("8.8.8.8:5000", echo)
	short, long := esSubject, esSubject
	short.Until, long.Until = time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(2*time.Hour).Truncate(time.Second)
	open := func(cert *tls.Certificate) *tls.Conn {
		conn := w.from("127.0.0.1", w.client(cert))
		if got := ask(conn, ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatal(got)
		}
		carries(t, conn)
		return conn
	}
	ends, goes := open(issued(short)(w)), open(issued(long)(w))
	if n := w.p.RecheckProofs(short.Until); n != 0 {
		t.Errorf("%d closed before the end", n)
	}
	// The check itself looks at the real clock, so the certificate's end is moved there.
	for _, f := range w.p.flows.all() {
		if leaf := f.c.shown.chain[0]; leaf.NotAfter.Equal(short.Until) {
			leaf.NotAfter = time.Now().Add(-time.Second)
			f.c.shown.by = nil
		}
	}
	if n := w.p.RecheckProofs(short.Until.Add(time.Second)); n != 1 {
		t.Errorf("%d closed after the end", n)
	}
	if _, err := io.ReadAll(ends); err == nil {
		t.Error("the tunnel of the ended certificate had a clean end")
	}
	carries(t, goes)
	if at := w.p.proofs.at.Load(); at != long.Until.UnixNano() {
		t.Errorf("the next look is at %v, want %v", time.Unix(0, at), long.Until)
	}
	if n := w.p.RecheckProofs(long.Until); n != 0 {
		t.Errorf("%d closed before the end of the other certificate", n)
	}
}

// If the list of revoked certificates ends while a tunnel is open, the tunnel ends too: each
// certificate needs a current list.
func TestTunnelOfAnEndedList(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	w.origin("8.8.8.8:5000", echo)
	ends := time.Now().Add(2 * time.Second).Truncate(time.Second) // lists have whole seconds
	w.inForce(secureConfig, []*x509.RevocationList{w.root.Revoke(time.Now().Add(-time.Hour), ends)})
	conn := w.from("127.0.0.1", w.client(issued(esSubject)(w)))
	if got := ask(conn, ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Fatal(got)
	}
	carries(t, conn)
	closed := 0
	for limit := time.Now().Add(30 * time.Second); closed == 0 && time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		closed = w.p.RecheckProofs(time.Now())
	}
	if _, err := io.ReadAll(conn); closed != 1 || err == nil {
		t.Errorf("%d closed, %v", closed, err)
	}
}

// carries shows that a tunnel carries bytes.
func carries(t *testing.T, conn *tls.Conn) {
	t.Helper()
	io.WriteString(conn, "\x01hello")
	if n, err := io.ReadFull(conn, make([]byte, 6)); n != 6 {
		t.Fatalf("the tunnel carries nothing: %v", err)
	}
}
