// A world with a listener for TLS, clients that demand certificates, and a certificate authority.

package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sallyport/proxy/proof"
	"sallyport/proxy/proxytest"
	"sallyport/rules"
	"sallyport/rules/site"
)

// secureConfig has a host that demands a certificate and an address, people who demand a certificate
// and a login, and hosts of which the address alone is enough.
const secureConfig = `
[[client]]
name        = "es"
sources     = ["127.0.0.1"]
certificate = ["DNS:es.corp.example", "CN=es"]
profiles    = []

[[client]]
name        = "people"
certificate = ["spiffe://corp.example/people"]
users_file  = "users"
profiles    = []

[[client]]
name     = "hosts"
sources  = ["127.0.0.2"]
profiles = []

[[rule]]
id     = "web"
client = "es"
to     = ["a.example"]
tcp    = [80, 443, 5000]
reason = "test"

[[rule]]
id     = "people"
client = "people"
to     = ["a.example"]
tcp    = [5000]
reason = "test"

[[rule]]
id     = "hosts"
client = "hosts"
to     = ["a.example"]
tcp    = [5000]
reason = "test"
`

type tlsWorld struct {
	*world
	https  netip.AddrPort
	root   *proxytest.Authority
	server tls.Certificate
	log    *logBuffer
}

// newSecure starts a proxy with a listener for TLS. change may be nil.
func newSecure(t testing.TB, change func(*Config)) *tlsWorld {
	t.Helper()
	w := &tlsWorld{root: proxytest.NewAuthority(t, "Root", nil), log: &logBuffer{}}
	w.server = w.root.Issue(proxytest.Subject{DNS: "proxy.corp.example", Server: true})
	w.world = newWorld(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(w.log, nil))
		if change != nil {
			change(c)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Listen(ctx, "tcp", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	w.https = unmapped(l.Addr())
	w.own.Listeners = append(w.own.Listeners, w.https)
	var served sync.WaitGroup
	served.Go(func() {
		if err := w.p.ServeHTTPS(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); served.Wait() })
	w.inForce(secureConfig, nil)
	return w
}

// inForce puts a configuration in force, with revocation lists.
func (w *tlsWorld) inForce(config string, lists []*x509.RevocationList) {
	w.t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte("open sesame"), bcrypt.MinCost)
	if err != nil {
		w.t.Fatal(err)
	}
	c, problems := site.Parse("test.toml", site.Disk{Files: usersFile("alice:" + string(h) + "\n")}, []byte(config), nil)
	if c == nil {
		w.t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, w.own, time.Now())
	server := proof.NewServer(w.server, proof.NewAuthorities([]*x509.Certificate{w.root.Cert}, lists))
	w.live.Swap(&rules.Generation{Policy: p, Identities: &proof.Book{Passwords: c.Passwords, Server: server}})
}

// client returns the settings of a client that trusts the proxy, and that shows cert, if not nil.
func (w *tlsWorld) client(cert *tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(w.root.Cert)
	cfg := &tls.Config{RootCAs: roots, ServerName: "proxy.corp.example"}
	if cert != nil { // also one of an authority that the proxy does not name
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return cfg
}

// from connects from an address of loopback and makes TLS.
func (w *tlsWorld) from(local string, cfg *tls.Config) *tls.Conn {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}, Timeout: 30 * time.Second}
	conn, err := d.Dial("tcp", w.https.String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	secure := tls.Client(conn, cfg)
	if err := secure.Handshake(); err != nil {
		w.t.Fatal(err)
	}
	return secure
}

// ask sends a CONNECT, and returns the head and the body of the answer.
func ask(conn net.Conn, fields string) string {
	fmt.Fprintf(conn, "CONNECT a.example:5000 HTTP/1.1\r\nHost: a.example:5000\r\n%s\r\n", fields)
	r := bufio.NewReader(conn)
	var b bytes.Buffer
	length := 0
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		fmt.Sscanf(line, "Content-Length: %d", &length)
		if err != nil || line == "\r\n" {
			break
		}
	}
	io.CopyN(&b, r, int64(length))
	return b.String()
}

// opened reports what left the proxy: nothing may, if a client was denied.
func (w *tlsWorld) opened() string {
	if len(w.dialed())+len(w.lookedUp()) == 0 {
		return ""
	}
	return strings.Join(w.lookedUp(), " ") + fmt.Sprint(w.dialed())
}

// A logBuffer is what a proxy wrote to its log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
