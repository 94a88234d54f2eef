// Tests of clients over TLS: who is known by a certificate, and which certificates open nothing.

package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/proof"
	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

var (
	esSubject     = proxytest.Subject{CN: "es", DNS: "es.corp.example"}
	peopleSubject = proxytest.Subject{CN: "alice", URI: "spiffe://corp.example/people"}
)

// A certificate opens what its client may reach, from the client's addresses, with its login. Any
// other one gets an answer that says why, is recorded, and opens nothing.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	other := proxytest.NewAuthority(t, "Other", nil)
	now := time.Now()
	alice := basicOf("alice:open sesame")
	for _, c := range []struct {
		name, local, fields string
		cert                func(w *tlsWorld) *tls.Certificate
		client              string // "": denied
		identity            string
		status              string
		reason              rules.Reason
		detail              string
	}{
		{"good", "127.0.0.1", "", issued(esSubject), "es", "DNS:es.corp.example", "200", 0, ""},
		{"good by its common name", "127.0.0.1", "", issued(proxytest.Subject{CN: "es"}), "es", "CN=es", "200", 0, ""},
		{"good with a login", "127.0.0.3", alice, issued(peopleSubject), "people", "user:alice spiffe://corp.example/people", "200", 0, ""},
		{"without the login", "127.0.0.3", "", issued(peopleSubject), "", "", "407", rules.Unauthenticated, ""},
		{"with a wrong login", "127.0.0.3", basicOf("alice:guess"), issued(peopleSubject), "", "", "407", rules.Unauthenticated, wrongLogin},
		{"the login alone", "127.0.0.3", alice, nil, "", "", "403", rules.Unauthenticated, ""},
		{"the certificate of another client, with the login", "127.0.0.3", alice, issued(esSubject), "", "", "403", rules.Unauthenticated, ""},
		{"none", "127.0.0.1", "", nil, "", "", "403", rules.Unauthenticated, ""},
		{"from a wrong address", "127.0.0.3", "", issued(esSubject), "", "", "403", rules.Unauthenticated, ""},
		{"another name", "127.0.0.1", "", issued(proxytest.Subject{CN: "mallory", DNS: "x.corp.example"}), "", "", "403", rules.Unauthenticated, ""},
		{"an address that needs none", "127.0.0.2", "", nil, "hosts", "", "200", 0, ""},
		{"an address that needs none, and an unknown name", "127.0.0.2", "", issued(proxytest.Subject{CN: "mallory"}), "hosts", "CN=mallory", "200", 0, ""},
		{"expired", "127.0.0.1", "", issued(proxytest.Subject{CN: "es", From: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)}), "", "", "403", rules.Unauthenticated, `the certificate "CN=es" expired on `},
		{"expired, where none is needed", "127.0.0.2", "", issued(proxytest.Subject{CN: "es", From: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)}), "", "", "403", rules.Unauthenticated, `the certificate "CN=es" expired on `},
		{"revoked", "127.0.0.1", "", revoked(esSubject), "", "", "403", rules.Unauthenticated, `the certificate "CN=es" was revoked on `},
		{"of another authority", "127.0.0.1", "", func(*tlsWorld) *tls.Certificate { c := other.Issue(esSubject); return &c }, "", "", "403", rules.Unauthenticated, `was issued by "CN=Other", and no authority of [listen] client_ca has signed it`},
		{"of a server", "127.0.0.1", "", issued(proxytest.Subject{CN: "es", Server: true}), "", "", "403", rules.Unauthenticated, "lacks clientAuth"},
	} {
		w := newSecure(t, nil)
		o := w.origin("8.8.8.8:5000", echo)
		var cert *tls.Certificate
		if c.cert != nil {
			cert = c.cert(w)
		}
		conn := w.from(c.local, w.client(cert))
		answer := ask(conn, c.fields)
		if !strings.HasPrefix(answer, "HTTP/1.1 "+c.status) {
			t.Errorf("%s: %.300q", c.name, answer)
		}
		if c.client != "" {
			io.WriteString(conn, "\x01hello")
			b := make([]byte, 6)
			if _, err := io.ReadFull(conn, b); err != nil || string(b) != "\x01hello" {
				t.Errorf("%s: %q, %v", c.name, b, err)
			}
			if r := w.wantOne(rules.Allow, rules.ReasonNone); r.d.Client.Name != c.client || r.a.Identity.Of(r.d.Client) != c.identity {
				t.Errorf("%s: %v %+v", c.name, r.d.Client, r.a.Identity)
			}
			continue
		}
		r := w.wantOne(rules.Deny, c.reason)
		if !strings.Contains(r.a.Detail, c.detail) || !strings.Contains(answer, "X-Sallyport-Reason: "+c.reason.String()) || !strings.Contains(strings.ReplaceAll(answer, "\r\n", ""), c.detail) {
			t.Errorf("%s: %q\n%s", c.name, r.a.Detail, answer)
		}
		if strings.HasPrefix(c.detail, "the certificate") && !strings.Contains(w.log.String(), strings.ReplaceAll(c.detail, `"`, `\"`)) {
			t.Errorf("%s: the log has %q", c.name, w.log.String())
		}
		if w.opened() != "" || o.received() != "" {
			t.Errorf("%s: %s", c.name, w.opened())
		}
	}
}

// issued returns a certificate of the world's authority.
func issued(s proxytest.Subject) func(*tlsWorld) *tls.Certificate {
	return func(w *tlsWorld) *tls.Certificate { c := w.root.Issue(s); return &c }
}

// revoked returns one that is in the list in force.
func revoked(s proxytest.Subject) func(*tlsWorld) *tls.Certificate {
	return func(w *tlsWorld) *tls.Certificate {
		c := w.root.Issue(s)
		w.revoke(c.Leaf)
		return &c
	}
}

// revoke puts a list with these certificates in force.
func (w *tlsWorld) revoke(certs ...*x509.Certificate) {
	w.inForce(secureConfig, []*x509.RevocationList{w.root.Revoke(time.Now().Add(-time.Minute), time.Now().Add(time.Hour), certs...)})
}

// Requests in absolute-form, several on one connection, pass like those without TLS.
func TestRequestsOverTLS(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		for b := make([]byte, 4096); ; {
			if _, err := r.Read(b); err != nil {
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	conn := w.from("127.0.0.1", w.client(issued(esSubject)(w)))
	for range 3 {
		io.WriteString(conn, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
		got, b := "", make([]byte, 1024)
		for !strings.HasSuffix(got, "\r\n\r\nok") {
			n, err := conn.Read(b)
			if got += string(b[:n]); err != nil {
				t.Fatalf("%q, %v", got, err)
			}
		}
		if !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatalf("%q", got)
		}
	}
	if strings.Count(o.received(), "GET / HTTP/1.1") != 3 || strings.Contains(o.received(), "es.corp.example") {
		t.Errorf("%q", o.received())
	}
	ds := w.journal.decisions()
	for _, r := range ds {
		if !r.d.Allowed() || r.a.Identity.Of(r.d.Client) != "DNS:es.corp.example" {
			t.Errorf("%v %+v", r.d.Why(), r.a.Identity)
		}
	}
	if len(ds) < 3 {
		t.Errorf("%d decisions", len(ds))
	}
}

// A certificate that a reload revokes opens nothing more: on a kept connection, in an open tunnel, by
// a new connection, by a resumed session.
func TestRevokedByAReload(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	w.origin("8.8.8.8:5000", echo)
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		r.Read(make([]byte, 4096))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		io.Copy(io.Discard, r)
	})
	cert := issued(esSubject)(w)
	cfg := w.client(cert)
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(10)
	tunnel, kept := w.from("127.0.0.1", cfg), w.from("127.0.0.1", cfg)
	if got := ask(tunnel, ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Fatal(got)
	}
	io.WriteString(tunnel, "\x01hello")
	io.ReadFull(tunnel, make([]byte, 6))
	io.WriteString(kept, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if n, err := kept.Read(make([]byte, 1024)); n == 0 {
		t.Fatal(err)
	}
	w.revoke(cert.Leaf)
	if n := w.p.Recheck(); n != 1 {
		t.Errorf("%d tunnels closed", n)
	}
	if _, err := io.ReadAll(tunnel); err == nil {
		t.Error("the tunnel had a clean end")
	}
	dials := len(w.dialed())
	again := w.from("127.0.0.1", cfg)
	if again.ConnectionState().DidResume {
		t.Error("the session was resumed")
	}
	for name, conn := range map[string]*tls.Conn{"kept": kept, "new": again} {
		if got := ask(conn, ""); !strings.HasPrefix(got, "HTTP/1.1 403") || !strings.Contains(got, "was revoked on") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if len(w.dialed()) != dials {
		t.Errorf("dialed %v", w.dialed())
	}
	if s := w.p.Stats(); s.Handshakes != 3 || s.Certificates[proof.Accepted] != 2 || s.Certificates[proof.Revoked] != 1 {
		t.Errorf("%+v", s)
	}
}

// A renewed certificate of the server is shown to the next client, and open connections go on.
func TestServerCertificateRenewed(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	w.origin("8.8.8.8:5000", echo)
	before := w.from("127.0.0.1", w.client(issued(esSubject)(w)))
	w.server = w.root.Issue(proxytest.Subject{DNS: "proxy.corp.example", CN: "renewed", Server: true})
	w.inForce(secureConfig, nil)
	after := w.from("127.0.0.1", w.client(issued(esSubject)(w)))
	if cn := after.ConnectionState().PeerCertificates[0].Subject.CommonName; cn != "renewed" {
		t.Errorf("%q", cn)
	}
	for _, conn := range []*tls.Conn{before, after} {
		if got := ask(conn, ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Errorf("%q", got)
		}
	}
}

// Both ends of a tunnel see the clean end of the other one, after all bytes.
func TestTunnelOverTLSEnds(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		w := newSecure(t, nil)
		text := strings.Repeat("0123456789abcdef", 1<<16)
		var got string
		done := make(chan struct{})
		w.origin("8.8.8.8:5000", func(conn *net.TCPConn, r io.Reader) {
			defer close(done)
			b, _ := io.ReadAll(r)
			got = string(b)
			io.WriteString(conn, text)
			conn.CloseWrite()
		})
		cfg := w.client(issued(esSubject)(w))
		cfg.MinVersion, cfg.MaxVersion = version, version
		conn := w.from("127.0.0.1", cfg)
		if got := ask(conn, ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatal(got)
		}
		io.WriteString(conn, "\x01"+text)
		conn.CloseWrite()
		b, err := io.ReadAll(conn)
		<-done
		if string(b) != text || err != nil || got != "\x01"+text {
			t.Errorf("%x: %d bytes back, %v; %d bytes there", version, len(b), err, len(got))
		}
		if end := w.wantClosed(); end.Cause != rules.EndClean || end.BytesIn != uint64(len(text))+1 || end.BytesOut != uint64(len(text)) {
			t.Errorf("%x: %+v", version, end)
		}
	}
}
